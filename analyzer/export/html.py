"""A report as one HTML file: no network, no script but its own, every text off the wire escaped.

The page's Content-Security-Policy allows exactly one style sheet and one script, by their hashes, and nothing else; the script
only sets text. Data stands in the page as JSON in which nothing can end the element that holds it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from analyzer.diagnosis import registry, words
from analyzer.errors import MissingExtra, UsageError
from analyzer.export.escape import for_terminal
from analyzer.export.files import StagedFile
from analyzer.export.ladder import draw_svg
from analyzer.export.lines import cut, paragraphs
from analyzer.export.report.census import CauseCount
from analyzer.export.report.gather import Line, Report
from analyzer.export.values import iso_time, package_version
from analyzer.tables.rows import Row

if TYPE_CHECKING:
    from analyzer.model.finding import Finding
    from analyzer.schema.columns import Column

__all__ = ["check_parts", "draw_page", "write_report"]

_FIRST = 50
_SERVERS = 200
_CERTIFICATES = 100
_PREVENTION = 30
_COLUMNS = (
    ("stream", "Stream", "number"),
    ("began", "Began (UTC)", "wide"),
    ("client", "Client", "wide"),
    ("server", "Server", ""),
    ("version", "Version", "wide"),
    ("outcome", "Outcome", ""),
    ("cause", "Cause", "why"),
    ("milliseconds", "ms", "number wide"),
)
_NUMBERS = ("number", "stream", "began", "milliseconds")
_ALWAYS = ("number", "stream", "outcome", "cause")
"""What the page's script goes by, whichever columns are shown."""


class Totals(Protocol):
    """Counts of a run."""

    frames: int
    bytes: int
    flows: int


def check_parts() -> None:
    """Raise MissingExtra when what a report is made with is not installed."""
    from importlib.util import find_spec

    if not all(map(find_spec, ("jinja2", "altair", "vl_convert"))):
        raise MissingExtra("the report", "report")


def write_report(
    target: str | Path,
    report: Report,
    totals: Totals,
    *,
    prevention: Iterable[Finding] = (),
    warnings: Sequence[str] = (),
    filtered: bool = False,
) -> None:
    """Write the page to a path, or to standard output for ``-``.

    Raises MissingExtra without Jinja2 and Altair, AnalyzerError when the file cannot be written.
    """
    page = draw_page(report, totals, prevention=prevention, warnings=warnings, filtered=filtered).encode("utf-8", "backslashreplace")
    if str(target) == "-":
        import sys

        sys.stdout.flush()
        sys.stdout.buffer.write(page)
        return
    staged = StagedFile(target)
    done = False
    try:
        with staged.open() as file:
            file.write(page)
        done = True
    finally:
        staged.commit() if done else staged.discard()


def draw_page(
    report: Report, totals: Totals, *, prevention: Iterable[Finding] = (), warnings: Sequence[str] = (), filtered: bool = False
) -> str:
    """The page of a finished report as text. Raises MissingExtra."""
    check_parts()
    environment, markup = _environment()
    style, script = (_part(name) for name in ("page.css", "page.js"))
    lines = report.lines
    ladders = report.ladders
    facts = _facts(report, totals, list(prevention), warnings)
    page: str = environment.get_template("page.html").render(
        **facts,
        policy=markup(
            f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; base-uri 'none'; "
            "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        style=markup(style),
        script=markup(script),
        data=markup(_json(_table(report, lines, [drawn.number for drawn in ladders]))),
        charts={name: markup(svg) for name, svg in _charts(report).items()},
        columns=_columns(report),
        chosen=bool(report.columns),
        first_rows=[{**line._asdict(), "time": _moment(line.began, 23)} for line in lines[:_FIRST]],
        rows_total=len(lines),
        rows_left=len(report.census) - len(lines),
        ladders=[
            {
                "number": drawn.number,
                "cause": drawn.cause,
                "ladder": drawn.ladder,
                "svg": markup(draw_svg(drawn.ladder, identity=f"s{drawn.number}")),
            }
            for drawn in ladders
        ],
        drawn={drawn.number for drawn in ladders},
        ladders_left=report.census.outcomes["failed"] - len(ladders),
        filtered=filtered,
        version=package_version(),
    )
    return page


def _environment() -> tuple[Any, Any]:
    import jinja2
    from markupsafe import Markup

    def printable(value: object) -> object:
        """Control characters, bidirectional marks and the like are made visible before markup is escaped."""
        return value if isinstance(value, Markup) else for_terminal(str(value))

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("analyzer.export", "report"),
        autoescape=True,
        finalize=printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = _counted
    return environment, Markup


def _counted(value: float | str) -> str:
    """Numbers with separators; other text as it is."""
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _part(name: str) -> str:
    return resources.files("analyzer.export.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _columns(report: Report) -> list[dict[str, str]]:
    """The columns of the table of handshakes: ``key`` in the page's data, ``name`` above it, ``look`` of its cells."""
    if not report.columns:
        return [{"key": key, "name": name, "look": look} for key, name, look in _COLUMNS]
    return [
        {"key": f"chosen{place}", "name": column.name, "look": _look(column)} for place, column in enumerate(report.columns)
    ]  # fmt: skip


def _look(column: Column) -> str:
    if column.dtype in ("int64", "float64"):
        return "number"
    return "long" if column.dtype == "evidence" or column.name in ("summary", "remedy", "confirm", "messages") else "text"


def _table(report: Report, lines: Sequence[Line], drawn: list[int]) -> dict[str, object]:
    """The rows column by column; each text once, columns hold its place in ``texts``. ``several``: there are several captures.

    ``chosen``: the columns that were asked for, in place of the usual ones.
    """
    places: dict[str, int] = {}
    columns: dict[str, list[object]] = {}
    chosen = _columns(report) if report.columns else []
    for place, column in enumerate(chosen):
        values: list[Any] = [line.chosen[place] for line in lines]
        is_number = column["look"] == "number"
        columns[column["key"]] = values if is_number else [places.setdefault(value, len(places)) for value in values]
    for field in _ALWAYS if chosen else (field for field in Line._fields if field != "chosen"):
        values = [getattr(line, field) for line in lines]
        if field == "began":
            columns[field] = [value // 1_000_000 for value in values]
        elif field in _NUMBERS:
            columns[field] = values
        else:
            columns[field] = [places.setdefault(value, len(places)) for value in values]
    return {"texts": list(places), "columns": columns, "drawn": drawn, "several": len(report.captures) > 1, "chosen": chosen}


def _charts(report: Report) -> dict[str, str]:
    from analyzer.export import charts

    census = report.census
    drawn = {}
    if census.causes():
        drawn["causes"] = charts.draw_chart(charts.chart_causes(census))
    if len(census.timeline()) > 1:
        drawn["timeline"] = charts.draw_chart(charts.chart_timeline(census))
    if census.versions:
        drawn["versions"] = charts.draw_chart(charts.chart_versions(census))
        drawn["cipher_suites"] = charts.draw_chart(charts.chart_cipher_suites(census))
    return drawn


def _facts(report: Report, totals: Totals, prevention: list[Finding], warnings: Sequence[str]) -> dict[str, Any]:
    """Everything the template shows besides the table, the charts and the ladders."""
    census = report.census
    failed, total = census.outcomes["failed"], len(census)
    servers = [_server(row) for row in report.servers()]
    ending = report.ending_certificates()
    bars = census.timeline()
    causes = [_cause(entry, failed) for entry in census.causes()]
    timeline = [(_moment(bar.begin, 19), *bar.counts) for bar in bars if any(bar.counts)] if len(bars) > 1 else []
    versions = [
        (name, count) for counter in (census.versions, census.cipher_suites, census.named_groups) for name, count in counter.most_common()
    ]
    facts: dict[str, Any] = {
        "title": f"TLS handshakes: {failed:,} of {total:,} failed",
        "lead": _lead(report),
        "captures": [cut(name, 120) for name in report.captures],
        "period": f"{_moment(census.first_seen, 19)} to {_moment(census.last_seen, 19)} UTC" if total else "No attempt at TLS was seen",
        "seen": f"{words.count_text(totals.frames, 'frame')}, {words.count_text(totals.flows, 'connection')}",
        "tiles": [
            {"name": "attempts", "count": total, "look": ""},
            *({"name": name, "count": census.outcomes[name], "look": name if census.outcomes[name] else ""}
              for name in ("failed", "completed")),
            *({"name": f"{name.replace('-', ' ')}", "count": census.outcomes[name], "look": name}
              for name in ("unfinished", "no-handshake") if census.outcomes[name]),
        ],
        "causes": causes,
        "beside": [_cause(entry, 0) for entry in census.causes("unfinished", "no-handshake")],
        "timeline": timeline,
        "timeline_width": words.span_text(bars[0].seconds * 10**9) if bars else "",
        "prevention": [
            {"cause": finding.cause, "summary": cut(" ".join(finding.summary.split()), 400), "remedy": _texts(finding.remedy)}
            for finding in prevention[:_PREVENTION]
        ],
        "prevention_left": max(len(prevention) - _PREVENTION, 0),
        "servers": servers[:_SERVERS],
        "servers_left": max(len(servers) - _SERVERS, 0),
        "versions": versions,
        "certificates": [_certificate(row) for row in ending[:_CERTIFICATES]],
        "certificates_left": max(len(ending) - _CERTIFICATES, 0),
        "warnings": [cut(warning, 400) for warning in warnings],
    }  # fmt: skip
    facts["sections"] = [
        (anchor, name)
        for anchor, name, there in (
            ("causes", "Why they failed", causes),
            ("beside", "Not counted as failures", facts["beside"]),
            ("timeline", "When", timeline),
            ("prevention", "What will fail next", prevention),
            ("servers", "Servers", servers),
            ("versions", "Versions and suites", versions),
            ("certificates", "Certificates", ending),
            ("handshakes", "Handshakes", True),
            ("ladders", "Ladders", report.ladders),
            ("limits", "Limits", warnings),
        )
        if there
    ]
    return facts


_ALONE = {
    "completed": "completed",
    "unfinished": "does not end in what was read",
    "no-handshake": "was a connection without a handshake",
}


def _lead(report: Report) -> str:
    census = report.census
    failed, total = census.outcomes["failed"], len(census)
    if not total:
        return "No TLS handshake was attempted in what was read."
    causes = census.causes()
    if not failed:
        if total == 1:
            return f"The only attempt {_ALONE[next(iter(+census.outcomes))]}."
        open_ends = census.outcomes["unfinished"]
        return f"None of {total:,} attempts failed" + (f"; of {open_ends:,} the end was not seen." if open_ends else ".")
    most = causes[0]
    if failed == 1:
        return f"{'The only attempt' if total == 1 else f'1 of {total:,} attempts'} failed: {most.cause}."
    servers = words.count_text(len(most.servers), "server")
    begin = f"{failed:,} of {words.count_text(total, 'attempt')} failed"
    if most.count == 1:
        return f"{begin}, each of another cause."
    if most.count == failed:
        return f"{begin}, all of one cause: {most.cause} ({servers})."
    return f"{begin}; the most frequent cause is {most.cause} ({most.count:,} of them, {servers})."


def _moment(ns: int, signs: int) -> str:
    return iso_time(ns)[:signs].replace("T", " ")


def _texts(text: str) -> list[str]:
    return [part for part in paragraphs(text) if part.strip()]


def _cause(entry: CauseCount, failed: int) -> dict[str, Any]:
    try:
        page = registry.read_page(entry.cause)
        title, means, remedy = page.title, _texts(page.means), _texts(page.remedy)
    except (UsageError, ValueError):  # nothing was found, or the page is still to be written
        title, means, remedy = "", [], []
    return {
        "id": entry.cause,
        "title": title,
        "means": means,
        "remedy": remedy,
        "outcome": entry.outcome,
        "count": entry.count,
        "share": f"{entry.count / failed:.0%}" if failed else "",
        "servers": len(entry.servers),
        "clients": len(entry.clients),
        "first_seen": _moment(entry.first_seen, 19),
    }


def _shown(values: Iterable[str]) -> list[str]:
    return [cut(value, 120) for value in values]


def _server(row: Row) -> dict[str, Any]:
    address = f"[{row['server_address']}]" if ":" in row["server_address"] else row["server_address"]
    return {
        "address": f"{address}:{row['server_port']}",
        "names": _shown(dict.fromkeys([*row["names_served"], *row["names_failed"]])),
        "completed": row["completed"],
        "failed": row["failed"],
        "versions": row["versions_accepted"],
        "suites": row["cipher_suites_accepted"],
        "more": [*row["named_groups_accepted"], *_shown(row["alpn_accepted"])],
        "refused": row["versions_refused"],
        "names_failed": _shown(name for name in row["names_failed"] if name not in row["names_served"]),
        "causes": row["causes"],
    }


def _certificate(row: Row) -> dict[str, Any]:
    return {
        "subject": cut(row["subject"] or "empty subject", 200),
        "names": _shown(row["names"] or ()),
        "days": round(row["days_left"]),
        "until": _moment(row["not_after"], 16),
        "issuer": cut(row["issuer"] or "", 200),
        "key": row["key"] or "",
        "role": row["role"],
        "servers": row["servers"],
    }
