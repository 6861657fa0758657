"""Attempts to negotiate, built by hand: hellos of today's clients, what servers answer, and neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analyzer.diagnosis.engine import Diagnosis
from analyzer.model.finding import Finding
from analyzer.model.handshake import Flow, Handshake, Message, Stage
from analyzer.model.hello import Alert, Certificate, ClientHello, ServerHello, ServerKeyExchange

START = 1_770_000_000_000_000_000
SUITES_13 = (0x1301, 0x1302, 0x1303)
SUITES_12 = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035)
SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
GROUPS = (0x001D, 0x0017, 0x0018)
EXTENSIONS_12 = (0, 10, 11, 13, 16, 23, 35, 0xFF01)
EXTENSIONS_13 = (*EXTENSIONS_12, 43, 45, 51)


def hello(version: int = 0x0304, **fields: Any) -> ClientHello:
    """The hello of a client of today whose best version is ``version``: nothing narrow about it."""
    new = version >= 0x0304
    made = ClientHello(
        300,
        min(version, 0x0303),
        b"\1" * 32,
        b"",
        SUITES_13 + SUITES_12 if new else SUITES_12,
        extension_types=EXTENSIONS_13 if new else EXTENSIONS_12,
        has_extensions=True,
        server_name="server.example",
        alpn=("h2", "http/1.1"),
        supported_versions=(0x0304, 0x0303) if new else (),
        named_groups=GROUPS,
        signature_schemes=SCHEMES if version >= 0x0303 else (),
        key_shares=((0x001D, 32),) if new else (),
        extended_master_secret=True,
        renegotiation_info=True,
        psk_modes=(1,) if new else (),
    )
    return replace(made, **fields)


def only_tls13(**fields: Any) -> ClientHello:
    """A hello that takes nothing below TLS 1.3."""
    return hello(**{"supported_versions": (0x0304,), "cipher_suites": SUITES_13, **fields})


def answer(version: int = 0x0303, suite: int = 0xC02F, **fields: Any) -> ServerHello:
    """A ServerHello in order."""
    if version >= 0x0304:
        fields = {"key_share_group": 0x001D, "key_share_length": 32, "extension_types": (43, 51), **fields}
        suite = suite if suite >> 8 == 0x13 else 0x1301
    else:
        fields = {"extension_types": (0xFF01, 23), "renegotiation_info": True, "extended_master_secret": True, **fields}
    return replace(ServerHello(80, 0x0303, b"\2" * 32, b"", suite, selected_version=version), **fields)


def attempt(
    offer: ClientHello | None = None,
    reply: ServerHello | None = None,
    *,
    stage: str | None = None,
    alert: int | None = None,
    by: str = "server",
    level: int = 2,
    close: str = "",
    encrypted: tuple[int, ...] = (),
    exchange: ServerKeyExchange | None = None,
    chain: tuple[Certificate, ...] = (),
    stream: int = 0,
    client: str = "192.0.2.1",
    after: float = 0.0,
    **fields: Any,
) -> Handshake:
    """An attempt: ClientHello in frame 4, ServerHello in 6, what follows from 7 on, ``alert`` of ``by`` in 20, a close in 21.

    ``close``: 'fin' or 'rst' of ``by``. ``encrypted``: lengths of the server's encrypted records; ``after``: seconds later.
    """
    start = START + int(after * 1e9)
    flow = Flow(stream, stream, 0, client, 40000 + stream, "198.51.100.2", 443, 1, 30, start, start + 10**9, "syn")
    flow.syn_frame, flow.syn_ack_frame, flow.ack_frame, flow.client_frames, flow.server_frames = 1, 2, 3, 6, 5
    if stage is None:
        stage = Stage.SERVER_HELLO if reply is not None else Stage.SERVER_ALERT if alert is not None else Stage.CLIENT_HELLO
    made = Handshake(flow, stage=stage)
    if offer is not None:
        made.client_hello, made.client_hello_frame, made.client_hello_time, made.client_hello_segments = offer, 4, start, 1
        made.messages.append(Message(4, start, True, "client_hello", 300, 4))
    if reply is not None:
        made.server_hello, made.server_hello_frame, made.server_hello_time = reply, 6, start
        made.messages.append(Message(6, start, False, "server_hello", 80, 6))
        made.named_group = reply.key_share_group or (exchange.named_group if exchange is not None else None)
    if chain:
        made.server_certificates, made.server_certificates_complete = chain, True
        made.messages.append(Message(7, start, False, "certificate", 1000, 7))
    if exchange is not None:
        made.server_key_exchange = exchange
        made.messages.append(Message(8, start, False, "server_key_exchange", 300, 8))
    for place, length in enumerate(encrypted):
        made.messages.append(Message(9 + place, start, False, "application_data", length, 9 + place, True))
    if alert is not None:
        hidden = alert < 0
        description = None if hidden else alert
        made.alerts.append(
            Alert(20, start, by == "client", None if hidden else level, description, hidden, "inferred" if hidden else "plaintext",
                  len(made.messages))
        )  # fmt: skip
        made.messages.append(Message(20, start, by == "client", "alert", 2, 20))
    if close:
        setattr(flow, f"{by}_{close}_frame", 21)
        setattr(flow, f"{by}_{close}_time", start + 10**8)
    for key, value in fields.items():
        setattr(flow if hasattr(flow, key) else made, key, value)
    return made


def served(offer: ClientHello | None = None, reply: ServerHello | None = None, **fields: Any) -> Handshake:
    """A neighbour that completed."""
    fields = {"stream": 90, "client": "192.0.2.90", **fields}
    reply = reply or answer()
    made = attempt(offer or hello(reply.selected_version), reply, stage=Stage.ESTABLISHED, **fields)
    made.client_finished_frame, made.server_finished_frame = 15, 16
    made.client_application_records = made.server_application_records = 5
    return made


def judge(judged: Handshake, *neighbours: Handshake) -> Finding | None:
    """The cause found for an attempt, with its neighbours known."""
    diagnosis = Diagnosis()
    diagnosis.judge_all([judged, *neighbours])
    assert not diagnosis.bugs, diagnosis.bugs[0].traceback
    return judged.finding


def verdict(judged: Handshake, *neighbours: Handshake) -> tuple[str, str] | None:
    """(cause, confidence) of an attempt."""
    finding = judge(judged, *neighbours)
    return (finding.cause, finding.confidence) if finding is not None else None
