from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from export_helpers import names_in

from analyzer.errors import AnalyzerError
from analyzer.export import open_writer
from analyzer.export.files import StagedFile
from analyzer.schema import ALERTS

WRITE_FOREVER = """
import sys
from analyzer.export import open_writer
from analyzer.schema import HANDSHAKES
writer = open_writer(sys.argv[1], sys.argv[2], HANDSHAKES)
row = {column.name: "x" if column.dtype == "string" else None for column in HANDSHAKES}
print("go", flush=True)
while True:
    writer.write(row)
"""


def put(path: Path, text: bytes, commit: bool = True) -> None:
    staged = StagedFile(path)
    with staged.open() as file:
        file.write(text)
    if commit:
        staged.commit()
    else:
        staged.discard()


def test_nothing_has_the_name_before_commit(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    staged = StagedFile(path)
    with staged.open() as file:
        file.write(b"half")
    assert not path.exists()
    assert staged.path.parent == tmp_path
    staged.commit()
    assert path.read_bytes() == b"half"
    assert names_in(tmp_path) == ["out.csv"]


def test_discard_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    put(path, b"new", commit=False)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out.csv"]


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    path.chmod(0o640)
    put(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "out.csv")
    put(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "out.csv").read_bytes() == b"new"


def test_a_device_is_written_through() -> None:
    put(Path("/dev/null"), b"gone")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("name", ["missing/out.csv", "."])
def test_a_place_that_cannot_be_written_is_one_plain_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(AnalyzerError, match=r"^cannot write .*") as caught:
        StagedFile(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_an_error_and_not_a_short_file() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    writer = open_writer("/dev/full", "csv", ALERTS)
    with pytest.raises(AnalyzerError, match="No space left"):
        writer.close()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sqlite", "zeek", "ecs"])
def test_a_killed_run_leaves_no_file_of_that_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"out.{kind}"
    process = subprocess.Popen([sys.executable, "-c", WRITE_FOREVER, str(path), kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"go\n"
    deadline = time.monotonic() + 10
    while not any(file.stat().st_size for file in tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    assert names_in(tmp_path), "it was killed before it wrote anything"
    assert not path.exists()
