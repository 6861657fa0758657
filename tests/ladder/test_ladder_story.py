"""The story that a ladder tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from ladder_stories import flow, hello, message, recorded_failure, refused, segment

from analyzer.export.ladder import Step, build_ladder
from analyzer.export.ladder.fold import fold
from analyzer.model.batches import IcmpError, TcpFlag
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert
from analyzer.pipeline.run import Run


def titles(handshake: Handshake) -> list[str]:
    return [step.title for step in build_ladder(handshake, ["a.pcap"]).steps]


def test_an_expired_certificate_is_drawn_with_what_was_said() -> None:
    handshake, captures = recorded_failure("cert-expired")
    ladder = build_ladder(handshake, captures)
    shown = {step.title: step for step in ladder.steps}
    assert ladder.steps[0].title == "SYN"
    said = " ".join(shown["ClientHello"].details)
    assert "server.test" in said
    assert "TLS 1.2" in said
    assert "suites TLS_" in said
    assert any(step.title == "ServerHello" and "TLS_" in step.details[0] for step in ladder.steps)
    assert sum(bool(step.broke) for step in ladder.steps) == 1
    assert ladder.verdict.cause == "cert-expired"
    assert ladder.verdict.remedy
    assert ladder.verdict.filter == f"tcp.stream == {handshake.flow.stream}"


def test_frames_that_the_evidence_names_are_marked_and_no_others() -> None:
    handshake, captures = recorded_failure("cert-expired")
    named = {frame for frame, _ in handshake.finding.evidence if frame}
    for step in build_ladder(handshake, captures, most=None).steps:
        assert step.evidence == bool(named & set(range(step.first_frame or step.frame, step.frame + 1)))


def test_steps_come_in_the_order_of_the_capture() -> None:
    for cause in ("cert-expired", "no-common-cipher", "cert-unknown-ca"):
        handshake, captures = recorded_failure(cause)
        frames = [step.frame for step in build_ladder(handshake, captures).steps if step.frame]
        assert frames == sorted(frames)


def test_the_alert_that_decided_is_where_it_broke() -> None:
    handshake, captures = recorded_failure("no-common-cipher")
    broken = [step for step in build_ladder(handshake, captures).steps if step.broke]
    assert [step.title for step in broken] == ["Alert: fatal handshake_failure (40)"]
    assert broken[0].broke == "the server gave up with an alert"


def test_a_close_is_where_it_broke_when_there_is_no_alert() -> None:
    ladder = build_ladder(refused(), ["a.pcap"])
    assert [(step.title, step.broke) for step in ladder.steps if step.broke] == [("FIN", "the server closed the connection")]


def test_silence_is_where_it_broke_when_nobody_closed() -> None:
    handshake = Handshake(flow(), stage="client-hello-unacked", outcome="failed", aborted_by="unknown")
    handshake.client_hello = hello()
    handshake.messages = [message(3, True, "client_hello")]
    handshake.segments = (
        segment(1, True, TcpFlag.SYN, 0),
        segment(2, False, TcpFlag.SYN, 0, ack=1),
        segment(3, True, TcpFlag.PSH, 1, 104, ack=1),
        segment(4, True, TcpFlag.PSH, 1, 104, ack=1, retransmission=True, timestamp=1_700_000_002_000_000_000),
    )
    ladder = build_ladder(handshake, ["a.pcap"])
    assert ladder.steps[-1].broke == "the server never answered"
    again = next(step for step in ladder.steps if "sent again" in step.marks)
    assert (again.title, again.marks) == ("ClientHello", ("sent again", "lost"))
    assert "frame 3" in again.details[0]
    first = next(step for step in ladder.steps if step.frame == 3)
    assert first.marks == ("lost",)
    assert [step.title for step in ladder.steps if step.kind == "silence"] == ["silence for 2 s"]


def test_what_was_sent_again_and_acknowledged_is_not_lost() -> None:
    handshake = Handshake(flow(), stage="client-hello")
    handshake.client_hello = hello()
    handshake.messages = [message(3, True, "client_hello")]
    handshake.segments = (
        segment(3, True, TcpFlag.PSH, 1, 104, ack=1),
        segment(4, True, TcpFlag.PSH, 1, 104, ack=1, retransmission=True),
        segment(5, False, 0, 1, ack=105),
    )
    steps = build_ladder(handshake, ["a.pcap"]).steps
    assert [step.marks for step in steps if step.title == "ClientHello"] == [(), ("sent again",)]


def test_bytes_in_no_frame_are_missing_until_they_come() -> None:
    handshake = Handshake(flow(), stage="server-hello")
    late = segment(6, False, 0, 1, 1000, ack=1)
    handshake.segments = (segment(2, False, TcpFlag.SYN, 0, ack=1), segment(5, False, TcpFlag.PSH, 1001, 500, ack=1))
    assert "1,000 bytes missing before this frame" in titles(handshake)
    handshake.segments = (*handshake.segments, late)
    assert not any("missing" in title for title in titles(handshake))


def test_a_reset_made_on_the_way_is_drawn_as_forged() -> None:
    handshake = Handshake(flow(client_ttl=64, server_ttl=52), stage="client-hello", outcome="failed", aborted_by="middlebox")
    handshake.client_hello = hello()
    handshake.messages = [message(3, True, "client_hello")]
    handshake.segments = (segment(3, True, TcpFlag.PSH, 1, 104, ack=1), segment(4, False, TcpFlag.RST, 1, ttl=200))
    handshake.finding = Finding("middlebox-rst-injection", "likely", "", [Evidence(4, "a reset with another TTL")])
    reset = next(step for step in build_ladder(handshake, ["a.pcap"]).steps if step.title == "RST")
    assert reset.marks == ("forged",)
    assert reset.broke == "a device on the way reset the connection"
    assert reset.details == ("TTL 200, others of the server have 52",)


def test_an_inferred_alert_says_so() -> None:
    handshake = Handshake(flow(), stage="server-hello", outcome="failed", aborted_by="client")
    handshake.messages = [message(3, True, "client_hello"), message(7, True, "application_data", 19, encrypted=True)]
    alert = Alert(7, handshake.messages[1].timestamp, True, None, None, encrypted=True, how="inferred", position=1)
    handshake.alerts, handshake.closing_alert = [alert], alert
    step = build_ladder(handshake, ["a.pcap"]).steps[-1]
    assert (step.title, step.marks) == ("Alert", ("inferred",))
    assert step.broke == "the client gave up with an alert"


def test_devices_on_the_way_speak_without_an_arrow() -> None:
    handshake = Handshake(flow(), stage="client-hello")
    zero = (0, 0)
    handshake.icmp = [IcmpError(5, 1_700_000_000_005_000_000, "192.0.2.1", 4, 3, 4, 1400, zero, zero, 1, 2, 0)]
    step = build_ladder(handshake, ["a.pcap"]).steps[0]
    assert (step.kind, step.from_client) == ("icmp", None)
    assert step.title == "ICMP from 192.0.2.1: fragmentation needed, no more than 1,400 bytes"


def test_a_dialogue_is_told_line_by_line_up_to_the_refusal() -> None:
    handshake, captures = recorded_failure("starttls-refused")
    ladder = build_ladder(handshake, captures)
    lines = [step for step in ladder.steps if step.kind == "dialogue"]
    assert len(lines) >= 2
    assert any(step.broke == "the server's answer: no TLS" for step in lines)


def test_an_unfinished_attempt_says_that_the_capture_ends() -> None:
    handshake = Handshake(flow(), stage="client-hello", outcome="unfinished")
    handshake.messages = [message(3, True, "client_hello")]
    assert build_ladder(handshake, []).steps[-1].title == "the capture does not show how it went on"
    assert not any(step.broke for step in build_ladder(handshake, []).steps)


def test_a_long_story_is_folded_with_a_word_and_keeps_what_matters() -> None:
    handshake = refused()
    handshake.messages += [message(10 + 2 * n, bool(n % 2), "application_data", 50, encrypted=True) for n in range(300)]
    handshake.flow.server_fin_frame = 5000
    handshake.closing_evidence = [Evidence(5000, "closed")]
    ladder = build_ladder(handshake, ["a.pcap"], most=20)
    assert len(ladder.steps) <= 2 * 20 + 1
    assert ladder.folded > 250
    assert sum(step.times for step in ladder.steps if step.kind == "fold") == ladder.folded
    assert any(step.kind == "fold" and "folded" in step.title for step in ladder.steps)
    assert any(step.title == "ClientHello" for step in ladder.steps)
    assert sum(bool(step.broke) for step in ladder.steps) == 1
    whole = build_ladder(handshake, ["a.pcap"], most=None)
    assert whole.folded == 0
    assert len(whole.steps) == 302


@pytest.mark.parametrize("repeats", [1, 3, 4, 50])
def test_what_repeats_is_drawn_once_with_a_count(repeats: int) -> None:
    steps = [Step(n, n * 10**6, True, "tcp", "SYN", marks=("sent again",)) for n in range(1, repeats + 1)]
    shown, folded = fold(steps)
    assert folded == (repeats - 2 if repeats > 3 else 0)
    assert len(shown) == (min(repeats, 3))
    if repeats > 3:
        assert shown[1].title == f"{repeats - 2} more like this"


def test_of_an_attempt_without_segments_the_flow_tells_what_it_knows() -> None:
    handshake = Handshake(
        flow(syn_frame=1, syn_time=1_700_000_000_000_000_000, client_rst_frame=9, client_rst_time=1_700_000_000_500_000_000)
    )
    handshake.outcome = "no-handshake"
    assert titles(handshake) == ["SYN", "RST"]
    assert build_ladder(handshake, []).steps[1].at == 500_000_000


def test_what_was_overtaken_is_said_and_is_not_sent_again() -> None:
    recorded = Path(__file__).parents[2] / "captures" / "completed--openssl-nginx-tls12-reordered" / "capture.pcapng"
    run = Run(str(recorded))
    (handshake,) = run.handshakes()
    ladder = build_ladder(handshake, run.captures)
    facts = dict(ladder.facts)
    assert facts["overtaken"] == "1 segment came after a later one"
    assert "sent again" not in facts
    assert not any("sent again" in step.marks for step in ladder.steps)
