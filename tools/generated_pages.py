"""The pages that are derived: from the schema, the command line, the table of message order, and real output.

``make_pages`` gives every one by path; ``make_docs`` writes them, ``check_generated`` compares them with what is checked in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import demo  # noqa: E402 - run from a checkout
import draw_order  # noqa: E402 - found beside this folder

from analyzer.schema.columns import TABLES, Column  # noqa: E402 - found beside this folder

DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
NOTE = "<!-- Made by tools/make_docs.py from {source}: edit that. -->"
BEGIN, END = "<!-- begin: {name}, made by tools/make_docs.py -->", "<!-- end: {name} -->"

COMMANDS = ("analyze", "sniff", "explain", "compare", "report", "causes", "verify", "interfaces")
EXAMPLE = ("cert-missing-intermediate--curl-nginx-tls12", "client-version-too-old--openssl-nginx-tls11", "sni-filter-rst--")
"""Captures of the example in README.md and on the first page."""


def make_pages() -> dict[Path, str]:
    """Every derived page (and README.md with its example) by path."""
    example = make_example()
    pages = {
        DOCS / "tables.md": make_tables(),
        DOCS / "cli.md": make_cli(),
        DOCS / "message-order.md": make_order(),
        PICTURES / "ladder.svg": make_ladder(),
    }
    for begin, picture in draw_order.draw_all().items():
        pages[PICTURES / f"order-{begin}.svg"] = picture
    for path in (ROOT / "README.md", DOCS / "index.md"):
        pages[path] = put_in(path.read_text(), "example", example)
    return pages


def run(*arguments: str) -> str:
    """What ``handshake ARGUMENTS`` prints, 80 columns wide. Raises CalledProcessError."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "TERM")}
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", *arguments],
        cwd=ROOT,
        env=environment | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def make_example() -> str:
    """The command and its output, fenced."""
    captures = [demo.find(begin) for begin in EXAMPLE]
    command = " \\\n    ".join(["$ handshake analyze", *captures])
    return f"```console\n{command}\n{run('analyze', *captures).rstrip()}\n```"


def make_tables() -> str:
    """docs/tables.md."""
    lines = [NOTE.format(source="analyzer/schema/columns.py"), "", "# Tables", ""]
    lines += [
        "Every table has the same columns in every format and from Python. Null where it is not known; a list is a list in JSON and",
        "Parquet and joined with `;` in CSV. Times are ISO 8601 in UTC with nanoseconds. Columns marked * can hold text that came off",
        "the wire: it is escaped for the place where it is shown, never trusted.",
        "",
    ]
    for name, columns in TABLES.items():
        lines += [f"## {name}", "", "| column | type | meaning |", "|---|---|---|", *map(_row, columns), ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    meaning = column.meaning.replace("|", "\\|").replace("<", "&lt;")
    return f"| `{column.name}`{'*' if column.wire else ''} | {column.dtype} | {meaning}{unit} |"


def make_cli() -> str:
    """docs/cli.md."""
    lines = [NOTE.format(source="the help of each command"), "", "# Command line", ""]
    lines += ["```text", run("--help").rstrip(), "```", ""]
    for command in COMMANDS:
        lines += [f"## handshake {command}", "", "```text", run(command, "--help").rstrip(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def make_order() -> str:
    """docs/message-order.md."""
    from analyzer.tls import order

    about = (order.__doc__ or "").strip().split("\n\n", 1)[1]
    lines = [NOTE.format(source="analyzer/tls/order.py"), "", "# Legal order of messages", "", about, ""]
    for (tls13, from_client), after in order.AFTER.items():
        side = "client" if from_client else "server"
        version = "TLS 1.3" if tls13 else "TLS 1.0 to 1.2"
        lines += [f"## {version}, {side}", "", f"![{version}, {side}](pictures/order-{draw_order.name(tls13, from_client)}.svg)", ""]
        lines += ["| message | may stand directly after |", "|---|---|"]
        lines += [f"| `{kind}` | {', '.join(f'`{before}`' for before in sorted(allowed))} |" for kind, allowed in after.items()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def make_ladder() -> str:
    """The ladder of the example's first failure."""
    import analyzer

    picture = analyzer.analyze(demo.find(demo.EXPLAINED), options=None).explain(0).svg()
    return picture.replace(str(ROOT) + "/", "") + "\n"


def put_in(page: str, name: str, text: str) -> str:
    """``page`` with ``text`` between the markers of ``name``. Raises ValueError where they are not."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no markers of {name!r} in this page")
    return f"{before}{begin}\n{text}\n{end}{after}"
