"""How public objects show themselves in a notebook. Every text goes through ``for_html``: it may come off the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analyzer import registries
from analyzer.diagnosis.comparison import Comparison
from analyzer.diagnosis.words import count_text
from analyzer.export.escape import for_html
from analyzer.export.lines import paragraphs
from analyzer.export.report.census import Census
from analyzer.export.values import iso_time
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.shown import DRAWINGS
from analyzer.pipeline.result import Result
from analyzer.pipeline.run import Totals

if TYPE_CHECKING:
    from analyzer.pipeline.sniffer import Sniffer

__all__ = ["draw_comparison", "draw_finding", "draw_handshake", "draw_result", "draw_sniffer", "draw_totals"]

_SHOWN = 20


def draw_result(result: Result) -> str:
    """Totals, causes, and the first failures."""
    parts = [draw_totals(result.totals)]
    causes = Census(result).causes()
    if causes:
        rows = [(entry.cause, f"{entry.count:,}", f"{len(entry.servers):,}", f"{len(entry.clients):,}") for entry in causes[:_SHOWN]]
        parts.append(_table(("cause", "handshakes", "servers", "clients"), rows))
    failed = [handshake for handshake in result if handshake.outcome == "failed"]
    if failed:
        rows = [
            (str(h.flow.stream), _server(h), h.finding.cause if h.finding else "unknown", h.finding.summary if h.finding else "")
            for h in failed[:_SHOWN]
        ]
        parts.append(_table(("stream", "server", "cause", "what happened"), rows))
    if len(failed) > _SHOWN:
        parts.append(f"<p>... and {len(failed) - _SHOWN:,} more in <code>result.failed</code></p>")
    if result.warnings:
        parts.append(_listed(result.warnings[:_SHOWN]))
    return _frame(*parts)


def draw_totals(totals: Totals) -> str:
    """One line of counts."""
    counts = [f"{totals.completed:,} completed", f"{totals.failed:,} failed"]
    if totals.unfinished:
        counts.append(f"{totals.unfinished:,} unfinished")
    if totals.no_handshake:
        counts.append(f"{totals.no_handshake:,} without a handshake")
    size = f"{count_text(totals.frames, 'frame')}, {count_text(totals.flows, 'connection')}"
    return f"<p><strong>{count_text(totals.handshakes, 'TLS attempt')}</strong>: {for_html(', '.join(counts))} <small>({size})</small></p>"


def draw_sniffer(watch: Sniffer) -> str:
    """The interface, and one line of counts so far."""
    lost = f"{count_text(watch.drops, 'frame')} lost"
    return _frame(f"<p>Watching <strong>{for_html(watch.interface)}</strong>, {lost}</p>", draw_totals(watch.totals))


def draw_handshake(h: Handshake) -> str:
    """Who, when, what was chosen, and the verdict."""
    flow = h.flow
    facts = [
        ("client", f"{flow.client_address} port {flow.client_port}"),
        ("server", f"{flow.server_address} port {flow.server_port}"),
        ("began", f"{iso_time(flow.first_seen)}, frames {flow.first_frame} to {flow.last_frame}"),
    ]
    if h.client_hello is not None and h.client_hello.server_name is not None:
        facts.append(("asked for", h.client_hello.server_name))
    if h.selected_version is not None:
        facts.append(("version", registries.name_of_version(h.selected_version)))
    if h.server_hello is not None:
        facts.append(("suite", registries.name_of_cipher_suite(h.server_hello.cipher_suite)))
    facts.append(("messages", ", ".join(f"{'client' if m.from_client else 'server'}: {m.kind}" for m in h.messages[:_SHOWN])))
    verdict = f"<p><strong>{for_html(h.outcome)}</strong> at the stage {for_html(h.stage)}</p>" if h.finding is None else ""
    shown = draw_finding(h.finding, h.outcome) if h.finding is not None else verdict
    return _frame(f"<p><strong>Stream {flow.stream}</strong></p>", _table((), facts), shown)


def draw_finding(finding: Finding, outcome: str = "") -> str:
    """Cause, summary, evidence, remedy, commands."""
    before = f"{for_html(outcome)}: " if outcome else ""
    parts = [f"<p><strong>{before}{for_html(finding.cause)}</strong> ({for_html(finding.confidence)})<br>{for_html(finding.summary)}</p>"]
    if finding.evidence:
        parts.append(_listed([says if frame is None else f"frame {frame}: {says}" for frame, says in finding.evidence]))
    if finding.remedy:
        parts += [f"<p>{for_html(text)}</p>" for text in paragraphs(finding.remedy) if text.strip()]
    if finding.confirm:
        parts.append("".join(f"<pre>{for_html(command)}</pre>" for command in finding.confirm))
    return _frame(*parts)


def draw_comparison(c: Comparison) -> str:
    """The sentence, then what differs, what explains best first."""
    rows = [(f"{d.name} ({d.part})", d.good, d.bad) for d in c.differences]
    parts = [f"<p><strong>{for_html(c.sentence)}</strong></p>", _table(("", "good", "bad"), rows)]
    if c.same:
        parts.append(f"<p><small>The same: {for_html(', '.join(c.same))}</small></p>")
    return _frame(*parts)


def _server(h: Handshake) -> str:
    name = h.client_hello.server_name if h.client_hello is not None else None
    return name or f"{h.flow.server_address} port {h.flow.server_port}"


def _frame(*parts: str) -> str:
    return f'<div class="handshake">{"".join(parts)}</div>'


def _listed(texts: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{for_html(text)}</li>" for text in texts) + "</ul>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    if not heads:
        body = "".join(f"<tr><th>{for_html(row[0])}</th><td>{for_html(row[1])}</td></tr>" for row in rows)
        return f"<table>{body}</table>"
    head = "".join(f"<th>{for_html(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{for_html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


DRAWINGS.update({Totals: draw_totals, Handshake: draw_handshake, Finding: draw_finding, Comparison: draw_comparison})
