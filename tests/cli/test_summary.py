from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.cli.style import Style, display_width
from analyzer.cli.summary import Summary, explain_command, server_of
from analyzer.model.finding import Finding
from analyzer.model.handshake import Dialogue, Handshake
from analyzer.pipeline.run import Run


@pytest.fixture(scope="module")
def failures(captures: Path) -> Run:
    """Some thirty handshakes that failed because of certificates, from as many captures."""
    run = Run([str(path) for path in sorted(captures.glob("cert-expired--*/capture.pcapng"))])
    run.judged = list(run.handshakes())
    return run


def summarize(run: Run, handshakes: list[Handshake], next_to_fail: list[Finding] | None = None, *, filtered: bool = False) -> list[str]:
    summary = Summary(run.captures, Style(file=True), filtered=filtered)
    for handshake in handshakes:
        summary.add(handshake)
    return list(summary.lines(run.totals, next_to_fail or []))


def test_every_failure_has_a_line_however_many(failures: Run) -> None:
    judged: list[Handshake] = failures.judged
    failed = [handshake for handshake in judged if handshake.outcome == "failed"]
    assert len(failed) > 20
    many = summarize(failures, judged)
    few = summarize(failures, failed[:5])
    listed = many[many.index("Failed handshakes") :]
    named = ("server.test", "198.51.100.20:")  # some clients of databases name nobody
    rows = [
        line for line in listed if any(map(line.__contains__, named)) and any(f" {h.finding.cause}" in line for h in failed if h.finding)
    ]
    assert len(rows) == len(failed)
    assert sum(line.startswith("  stream ") for line in few) == 5
    for lines in (many, few):
        assert any(line.strip() == explain_command(failures.captures[failed[0].flow.capture], 0) for line in lines) or any(
            line.strip() == explain_command(failures.captures[failed[0].flow.capture], "STREAM") for line in lines
        )
        assert all(display_width(line) <= 80 for line in lines if "handshake explain" not in line)


def test_causes_are_counted_with_servers_and_clients(failures: Run) -> None:
    judged: list[Handshake] = failures.judged
    failed = [handshake for handshake in judged if handshake.finding is not None and handshake.finding.cause == "cert-expired"]
    (line,) = [line for line in summarize(failures, judged) if line.split()[1:2] == ["cert-expired"] and "20" in line.split()[-2]][:1]
    count, cause, servers, clients, *_ = line.split()
    assert (int(count), cause) == (len(failed), "cert-expired")
    assert int(servers) == len({(handshake.flow.server_address, handshake.flow.server_port) for handshake in failed})
    assert int(clients) == len({handshake.flow.client_address for handshake in failed})


def test_filters_and_what_comes_next_are_said(failures: Run) -> None:
    judged: list[Handshake] = failures.judged
    warnings = [Finding("certificate-ends-soon", "certain", f"The certificate of host{number}.test ends soon.") for number in range(12)]
    lines = summarize(failures, judged[:3], warnings + warnings, filtered=True)
    assert f"Shown: 3 of {failures.totals.handshakes}." in lines
    told = lines[lines.index("What will fail next") + 1 :]
    assert len(told) == 11
    assert told[-1] == "  ... and 2 more (table 'findings')"


def test_a_proxy_s_target_is_the_server(failures: Run) -> None:
    judged: list[Handshake] = failures.judged
    handshake = judged[0]
    try:
        handshake.dialogue = Dialogue("http-connect", target="example.com:8443")
        assert server_of(handshake) == "server.test:8443"
        handshake.dialogue = Dialogue("http-connect", target="evil\x1b[2J:99999999")
        assert server_of(handshake) == "server.test:9999…"
        handshake.dialogue = Dialogue("http-connect", target="no port")
        assert server_of(handshake) == "server.test"
    finally:
        handshake.dialogue = None


def test_commands_are_quoted_and_standard_input_has_none() -> None:
    assert explain_command("my trace;rm -rf.pcap", 3) == "handshake explain 'my trace;rm -rf.pcap' 3"
    assert explain_command("-", 3) is None


def test_where_nothing_failed_it_says_how_to_see_what_there_is(captures: Path) -> None:
    run = Run([str(captures / "cap-ended-early--openssl-nginx-after-client-hello" / "capture.pcapng")])
    judged = list(run.handshakes())
    assert summarize(run, judged)[-1].strip() == explain_command(run.captures[0], 0)
    failed = Handshake(judged[0].flow, outcome="failed", finding=Finding("cert-expired", "likely", "It ended."))
    assert [line for line in summarize(run, [*judged, failed]) if "handshake explain" in line] == [
        f"      {explain_command(run.captures[0], 0)}"
    ]
