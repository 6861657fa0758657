"""The sieve of completed handshakes leaves out no rule that would have said something."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from packet_building import Talk, judge, noted

from analyzer.diagnosis import registry
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.engine import Diagnosis
from analyzer.diagnosis.oddities import Oddity, find_oddities
from analyzer.model.handshake import Handshake, Message, Stage
from analyzer.model.hello import Alert
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
FAMILIES = ("completed", "unclean-close", "client-silent-reject", "mtls-app-layer-rejection", "renegotiation-refused", "http2-*", "lb-*")
SECOND = 10**9


@cache
def completed() -> list[tuple[Handshake, Context]]:
    """Recorded handshakes that TLS completed, learned and not judged."""
    found = []
    for family in FAMILIES:
        for capture in sorted(CAPTURES.glob(f"{family}--*/capture.pcapng"))[:150]:
            run = Run([str(capture)])
            run.diagnosis.judge = lambda handshake: None
            found += [(h, run.diagnosis.context) for h in run.handshakes() if h.outcome == "completed"]
    return found


def sifted_out(handshake: Handshake, context: Context) -> list[str]:
    """Rules that the sieve keeps away and that had something to say."""
    odd = find_oddities(handshake, context)
    stage = Stage.FINISHED if odd & Oddity.LEFT else Stage.ESTABLISHED
    kept = registry.load_causes(stage, "completed", odd)
    rules = (rule for rule in registry.load_causes(stage, "completed") if rule not in kept)
    return [rule.cause for rule in rules if rule.examine(handshake, context) is not None]


def test_recorded() -> None:
    assert len(completed()) > 100
    assert [sifted_out(*pair) for pair in completed() if sifted_out(*pair)] == []


def altered(rng: random.Random) -> Iterator[tuple[Handshake, Context]]:
    """Copies of the recorded ones with one to three things changed that a rule might look at."""
    flow_values = {
        "client_gaps": (0, 9), "server_gaps": (0, 9), "duplicates": (0, 1, 2, 7), "truncated": (0, 3), "tunnel": (0, 1), "syn_frame": (0, 1),
        "syn_ack_frame": (0, 2), "client_mss": (0, 300, 1_460), "server_mss": (0, 300, 1_460), "client_frames": (0, 9),
        "server_frames": (0, 9), "client_fin_frame": (0, 900), "server_fin_frame": (0, 900), "retransmissions": (0, 3),
    }  # fmt: skip
    values = {
        "decryption": ("", "failed", "full"), "client_hello": (None,), "server_hello": (None,), "alpn": ("h2", None),
        "server_hello_time": (0, 2 * SECOND, 4_000_000_000 * SECOND), "server_application_records": (0, 1),
        "client_application_records": (0, 1, 2), "client_application_bytes": (0, 19, 400), "client_certificate_requested": (True, None),
        "client_hello_segments": (1, 2), "alerts": ([], [Alert(90, 0, True, 1, 100)], [Alert(90, 0, False, 2, 40, position=3)]),
    }  # fmt: skip
    for handshake, context in completed():
        for _ in range(12):
            copied = copy.copy(handshake)
            copied.alike = 0  # altered, it is like no other
            copied.flow, copied.messages = copy.copy(handshake.flow), list(handshake.messages)
            for _ in range(rng.randint(1, 3)):
                if rng.random() < 0.5:
                    name = rng.choice(list(flow_values))
                    setattr(copied.flow, name, rng.choice(flow_values[name]))
                elif rng.random() < 0.7:
                    name = rng.choice(list(values))
                    setattr(copied, name, rng.choice(values[name]))
                else:
                    _alter_messages(copied, rng)
            other = Context(context.options)
            other.__dict__.update(context.__dict__)
            other.remembered = {}
            other.in_order, other.longest_segment = rng.choice((True, False, None)), rng.choice((0, 300, 1_460, 9_000))
            yield copied, other


def _alter_messages(handshake: Handshake, rng: random.Random) -> None:
    messages = handshake.messages
    if not messages:
        return
    at = rng.randrange(len(messages))
    message = messages[at]
    last = max(m.frame for m in messages)
    messages[at] = rng.choice(
        (
            message._replace(length=5_000),
            message._replace(timestamp=message.timestamp - SECOND),
            message._replace(frame=max(1, message.frame - 3)),
        )
    )
    if rng.random() < 0.4:
        frame, time = last + 1, messages[-1].timestamp
        messages += [
            Message(frame, time, True, rng.choice(("encrypted_handshake", "client_hello", "heartbeat")), 60, frame, True),
            Message(frame + 1, time, False, "alert", 26, frame + 1, True),
        ]
        handshake.alerts = [Alert(frame + 1, time, False, 2, 40, position=len(messages) - 1)]


def test_altered() -> None:
    rng = random.Random(7)
    seen = 0
    for handshake, context in altered(rng):
        assert sifted_out(handshake, context) == []
        seen |= find_oddities(handshake, context)
    every = [bit for name, bit in vars(Oddity).items() if name.isupper() and bit < Oddity.ONE_WAY and name != "TWIN"]
    assert [bit for bit in every if not seen & bit] == []


def test_an_ordinary_handshake_meets_no_rule(make_handshake) -> None:
    diagnosis = Diagnosis()
    handshakes = [
        make_handshake(Stage.ESTABLISHED, stream=n, server_application_records=3, client_application_records=3, client_finished_frame=9)
        for n in range(3)
    ]
    for n, handshake in enumerate(handshakes):
        handshake.client_hello = replace(handshake.client_hello, random=bytes([n]) * 32)
    diagnosis.judge_all(handshakes)
    assert [odd for odd, _ in diagnosis._odd_sieve] == [0]
    assert diagnosis._odd_sieve[0, False].rules == ()


def test_no_segment_in_the_run_was_packed_where_none_is_longer_than_agreed() -> None:
    talk = Talk().connect().greet(length=2000)
    handshake = talk.handshake()
    assert "cap-offload" in noted(judge(handshake, seconds_more=0.1))
    diagnosis = Diagnosis()
    diagnosis.context.note_capture(0, longest_segment=1_460)
    handshake = talk.handshake()
    diagnosis.judge_all([handshake])
    assert "cap-offload" not in noted(handshake)
