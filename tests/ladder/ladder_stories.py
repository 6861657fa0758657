"""Handshakes for the drawings: from recorded captures, and put together where no capture shows it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import analyzer
from analyzer.model.batches import TcpFlag
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Flow, Handshake, Message, Segment
from analyzer.model.hello import ClientHello

CAPTURES = Path(__file__).parents[2] / "captures"
HOSTILE = "<script>alert(1)</script>\x1b]0;owned\x07\u202e&\"'`{{7*7}}.test"


@cache
def recorded(cause: str) -> tuple[tuple[Handshake, ...], list[str]]:
    """The handshakes of the first capture recorded for a cause, with the capture's names."""
    found = sorted(CAPTURES.glob(f"{cause}--*/capture.pcapng"))
    if not found:
        pytest.skip(f"no capture of {cause} is recorded here")
    result = analyzer.analyze(str(found[0]))
    return tuple(result), result.captures


def recorded_failure(cause: str) -> tuple[Handshake, list[str]]:
    """The handshake of that capture that failed of the cause."""
    handshakes, captures = recorded(cause)
    for handshake in handshakes:
        if handshake.finding is not None and handshake.finding.cause == cause:
            return handshake, captures
    raise AssertionError(f"no handshake in {captures} failed of {cause}")


def flow(stream: int = 0, **facts: object) -> Flow:
    """A connection from 192.0.2.10 to 198.51.100.20:443."""
    known: dict[str, object] = {
        "number": stream,
        "stream": stream,
        "capture": 0,
        "client_address": "192.0.2.10",
        "client_port": 40000 + stream % 20000,
        "server_address": "198.51.100.20",
        "server_port": 443,
        "first_frame": 1,
        "last_frame": 9,
        "first_seen": 1_700_000_000_000_000_000 + stream * 1_000_000_000,
        "last_seen": 1_700_000_001_000_000_000 + stream * 1_000_000_000,
        "client_known_by": "syn",
        "client_frames": 4,
        "server_frames": 4,
        **facts,
    }
    return Flow(**known)


def hello(server_name: str | None = "server.test", alpn: tuple[str, ...] = ("h2",)) -> ClientHello:
    return ClientHello(
        length=200,
        legacy_version=0x0303,
        random=bytes(32),
        session_id=b"",
        cipher_suites=(0x1301, 0xC02F),
        server_name=server_name,
        alpn=alpn,
        supported_versions=(0x0304, 0x0303),
        named_groups=(29, 23),
    )


def message(frame: int, from_client: bool, kind: str, length: int = 100, at: int | None = None, **facts: object) -> Message:
    timestamp = 1_700_000_000_000_000_000 + (frame * 1_000_000 if at is None else at)
    return Message(frame, timestamp, from_client, kind, length, frame, **facts)


def segment(frame: int, from_client: bool, flags: int, sequence: int, length: int = 0, ack: int = -1, **facts: object) -> Segment:
    known: dict[str, object] = {
        "frame": frame,
        "timestamp": 1_700_000_000_000_000_000 + frame * 1_000_000,
        "from_client": from_client,
        "flags": flags | (TcpFlag.ACK if ack >= 0 else 0),
        "sequence": sequence,
        "acknowledgment": ack,
        "length": length,
        "captured": length,
        "window": 64,
        "ttl": 64,
        "ip_id": frame,
        "dont_fragment": True,
        "options": 0,
        "timestamp_value": 0,
        "retransmission": False,
        "duplicate": False,
        **facts,
    }
    return Segment(**known)


def refused(server_name: str | None = "server.test", **facts: object) -> Handshake:
    """A hello that the server answered with a FIN."""
    handshake = Handshake(flow(server_fin_frame=4, server_fin_time=1_700_000_000_004_000_000, **facts), stage="client-hello")
    handshake.client_hello = hello(server_name)
    handshake.messages = [message(3, True, "client_hello", 196)]
    handshake.outcome, handshake.aborted_by = "failed", "server"
    handshake.closing_evidence = [Evidence(4, "the server closed the connection")]
    handshake.finding = Finding(
        "server-fin-after-hello",
        "likely",
        f"The server closed after the hello for {server_name}.",
        [Evidence(4, f"closed, {server_name}")],
        remedy=f"Ask who runs {server_name}.",
        confirm=["openssl s_client -connect 198.51.100.20:443 </dev/null"],
    )
    return handshake
