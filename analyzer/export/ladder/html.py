"""The ladder with its verdict as a fragment of HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.export.escape import for_html
from analyzer.export.ladder.model import Ladder
from analyzer.export.ladder.svg import draw_svg

__all__ = ["draw_html"]


def draw_html(ladder: Ladder) -> str:
    """One ``div``: title, facts, picture, and beneath it cause, evidence, remedy, commands and display filter. Escaped."""
    verdict = ladder.verdict
    facts = "; ".join(f"{name} {value}" for name, value in ladder.facts)
    parts = [
        f"<p><strong>{for_html(ladder.title)}</strong><br><small>{for_html(f'{ladder.capture}; began {ladder.began}; {facts}')}</small></p>"
    ]
    parts.append(draw_svg(ladder, identity=f"ladder-{ladder.stream}-{abs(hash(ladder.began)) % 10**8}"))
    parts.append(f"<p><strong>{for_html(verdict.head)}</strong><br>{for_html(verdict.summary)}</p>")
    evidence = [says if frame is None else f"frame {frame}: {says}" for frame, says in verdict.evidence]
    parts += _listed("Evidence", map(for_html, evidence))
    parts += _listed("Remedy", map(for_html, verdict.remedy))
    parts += _listed("Confirm", (f"<code>{for_html(command)}</code>" for command in verdict.confirm))
    if verdict.also:
        parts.append(f"<p>Also: {for_html(', '.join(verdict.also))}</p>")
    parts.append(f"<p>Wireshark: <code>{for_html(verdict.filter)}</code></p>")
    return f'<div class="handshake-ladder">{"".join(parts)}</div>'


def _listed(title: str, items: Iterable[str]) -> list[str]:
    shown = "".join(f"<li>{item}</li>" for item in items)
    return [f"<p><strong>{title}</strong></p><ul>{shown}</ul>"] if shown else []
