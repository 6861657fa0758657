"""Captures that other projects recorded, frame by frame against tshark (where the corpus is at hand)."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from capture_building import rows

from analyzer.sources import open_source

CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
MANIFEST = CORPUS / "manifest.csv"

EXPLAINED = {
    "pcapng-example.pcapng": "100 of its times are negative: clamped here, wrapped by tshark",
    "clusterfuzz-testcase-minimized-FuzzTarget-5700358767902720": "its microseconds exceed a second, which tshark wraps",
    "clusterfuzz-testcase-minimized-FuzzTarget-5758569646653440": "its original length exceeds 31 bits, where tshark stops counting",
}


def listed() -> list[str]:
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize("name", listed())
def test_every_frame_is_the_one_tshark_sees(name: str) -> None:
    path = str(CORPUS / name)
    with open_source(path) as source:
        ours = [(row.number, row.frame.timestamp, len(row.frame.data), row.frame.original_length) for row in rows(source)]
    fields = ["-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len"]
    done = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *fields], capture_output=True, text=True)
    theirs = []
    for line in done.stdout.splitlines():
        number, moment, captured, original = line.split("\t")
        seconds, _, fraction = moment.partition(".")
        theirs.append((int(number), int(seconds) * 10**9 + int(fraction.ljust(9, "0")), int(captured), int(original)))
    if Path(name).name in EXPLAINED:
        assert [(row[0], row[2]) for row in ours] == [(row[0], row[2]) for row in theirs]
    else:
        assert ours == theirs
        assert bool(source.warnings) == bool(done.returncode)
