"""The index of what is recorded: `captures/README.md` and `captures/labels.csv`, made from the folders."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

COLUMNS = ("folder", "cause", "cause_without_keys", "outcome", "aborted_by", "tls_version", "alert", "alert_from", "alert_encrypted",
           "client", "client_version", "server", "server_version", "via", "stream", "keylog", "also")  # fmt: skip

HEAD = """# Recorded handshakes, labelled

Each folder holds one recording between real TLS stacks: `capture.pcapng`, `expected.json` (the label), `README.md`
(what was arranged, what is seen, what to notice) and, where a stack gave one, `keys.log`.  Labels are what was
arranged, checked against what both ends reported and against tshark's reading of the capture; `cause` is the one a
reader of the key log can name, `cause_without_keys` the one that can honestly be named without it.  `trust.pem` holds
the roots the clients trusted, save where a case says otherwise.  The addresses are documentation addresses, the certificates are the laboratory's own, and no packet here crossed a real network.

`python -m captures.lab record [CASE...]` (as root, on Debian, with the packages of `lab/packages.txt`) records them
again; `lab/README.md` says how to add a case.  This page and `labels.csv` are made by `python -m captures.lab index`.
"""


def folders(captures: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(p.parent.name, json.loads(p.read_text())) for p in sorted(captures.glob("*/expected.json"))]


def labels(captures: Path) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for name, e in folders(captures):
        alert = e["alert"] or {}
        table.writerow([
            name, e["cause"], e["cause_without_keys"], e["outcome"], e["aborted_by"], e["tls_version"], alert.get("description"), alert.get("from"),
            alert.get("encrypted"), e["client"]["stack"], e["client"]["version"], e["server"]["stack"], e["server"]["version"],
            e["facts"].get("via"), e["stream"], e["keylog"], ";".join(e["also"]),
        ])  # fmt: skip
    return out.getvalue()


def page(captures: Path) -> str:
    found = folders(captures)
    outcomes = Counter(e["outcome"] for _, e in found)
    causes = {e["cause"] for _, e in found if e["cause"]}
    size = sum(f.stat().st_size for f in captures.glob("*/capture.pcapng"))
    lines = [HEAD]
    lines.append(f"{len(found)} captures, {len(causes)} causes, {size / 1e6:.1f} MB; "
                 + ", ".join(f"{n} {o}" for o, n in sorted(outcomes.items())) + ".\n")  # fmt: skip
    lines += ["| folder | outcome | ended by | version | alert | keys |", "|---|---|---|---|---|---|"]
    for name, e in found:
        alert = e["alert"]
        said = f"{alert['from']}: {alert['description']}{' (encrypted)' if alert['encrypted'] else ''}" if alert else ""
        lines.append(
            f"| [{name}]({name}/) | {e['outcome']} | {e['aborted_by']} | {e['tls_version'] or ''} | {said} | {'yes' if e['keylog'] else ''} |"
        )
    return "\n".join(lines) + "\n"


def write(captures: Path) -> None:
    (captures / "README.md").write_text(page(captures))
    (captures / "labels.csv").write_text(labels(captures))
