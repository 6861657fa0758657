"""A real Dask scheduler and real worker processes: the rows are those of each capture read here."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.errors import SourceError, UsageError
from analyzer.model.options import Options
from analyzer.pipeline import open_run
from analyzer.pipeline.run import Run
from analyzer.tables import handshake_row

pytest.importorskip("distributed", reason="the cluster extra is not installed")

ROOT = Path(__file__).resolve().parents[2]
PATHS = [str(p) for p in sorted((ROOT / "captures").glob("cert-*/capture.pcapng"))[::12]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    processes = [subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet)]
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
    processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(15)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_rows_of_each_capture(cluster: str) -> None:
    run = open_run(PATHS, Options(cluster=cluster))
    rows = [handshake_row(h, run.captures) for h in run.handshakes()]
    expected = []
    base = 0
    for path in PATHS:
        alone = Run([path])
        for h in alone.handshakes():
            row = handshake_row(h, alone.captures)
            row["flow_id"] += base
            expected.append(row)
        base += alone.totals.flows
    assert rows == expected
    assert run.totals.handshakes == len(expected)
    assert run.totals.flows == base
    assert len(list(run.flow_rows(set()))) == base


@pytest.mark.filterwarnings("ignore")
def test_a_capture_that_cannot_be_read_costs_only_itself(cluster: str, tmp_path: Path) -> None:
    bad = tmp_path / "notes.pcap"
    bad.write_text("not a capture at all, but a text of some length to be sure of it\n")
    run = open_run([PATHS[0], str(bad)], Options(cluster=cluster))
    assert len(list(run.handshakes())) >= 1
    assert any("notes.pcap" in line for line in run.warnings)
    with pytest.raises(SourceError, match=r"notes\.pcap"):
        list(open_run([str(bad)], Options(cluster=cluster)).handshakes())


@pytest.mark.filterwarnings("ignore")
def test_a_report_is_made_by_a_cluster_too(cluster: str, tmp_path: Path) -> None:
    from analyzer.cli.report import report

    report(PATHS[:3], output=str(tmp_path / "report.html"), cluster=cluster, quiet=True)
    assert "TLS handshakes" in (tmp_path / "report.html").read_text()


def test_what_a_worker_cannot_open_is_refused() -> None:
    with pytest.raises(UsageError):
        open_run("-", Options(cluster="tcp://127.0.0.1:1"))


@pytest.mark.filterwarnings("ignore")
def test_no_cluster_is_one_line() -> None:
    with pytest.raises(SourceError) as error:
        open_run(PATHS[:1], Options(cluster="tcp://127.0.0.1:1"))
    assert "\n" not in str(error.value)
