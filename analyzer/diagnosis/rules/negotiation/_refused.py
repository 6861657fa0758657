"""Who refused where, as the rules of this family need it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from analyzer.diagnosis.losses import closed_before_reading, closed_unheard
from analyzer.diagnosis.refusals import Refusal
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake, Stage

__all__ = [
    "AFTER_CLOSES",
    "GENERAL_ALERTS",
    "GOODBYE",
    "SILENT_ENDS",
    "Refused",
    "closing_description",
    "encrypted_records",
    "refused_answer",
    "refused_hello",
]

GENERAL_ALERTS = (
    "unexpected-message",
    "decode-error",
    "illegal-parameter",
    "internal-error",
    "insufficient-security",
    "bad-record-mac",
    "decrypt-error",
    "record-overflow",
    "unsupported-extension",
    "missing-extension",
)
"""Causes that only repeat what an alert says: they give way to whatever says why."""

SILENT_ENDS = ("server-rst-after-hello", "server-fin-after-hello", "server-closed-mid-handshake", "client-hello-no-answer")
"""General causes of a hello that was answered by nothing but a close or silence."""

AFTER_CLOSES = ("client-closed-mid-handshake", "server-closed-mid-handshake")
"""General causes of a close in the middle."""

GOODBYE = frozenset({0, 90})
"""close_notify and user_canceled: a close in good order, which says no more than any other."""

_BEFORE = frozenset({Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO, Stage.SERVER_ALERT})


class Refused(NamedTuple):
    """The server's answer to a ClientHello that it did not take."""

    how: Literal["alert", "close", "reset"]
    description: int | None
    evidence: list[Evidence]


def refused_hello(handshake: Handshake) -> Refused | None:
    """The server ended it in answer to the ClientHello, with no ServerHello or HelloRetryRequest before; else None."""
    if handshake.client_hello is None or handshake.server_hello is not None or handshake.hello_retry is not None:
        return None
    if handshake.aborted_by != "server" or handshake.stage not in _BEFORE or not handshake.client_hello.cipher_suites:
        return None  # a hello without suites is one that did not parse
    evidence = list(handshake.closing_evidence)
    alert = handshake.closing_alert
    if alert is not None and not alert.from_client and alert.description not in (None, *GOODBYE):
        return Refused("alert", alert.description, evidence)
    flow = handshake.flow
    closed = min((frame for frame in (flow.server_fin_frame, flow.server_rst_frame) if frame), default=0)
    if closed and closed_unheard(handshake, closed):
        return None  # it never had the hello
    reset = flow.server_rst_frame and not (flow.server_fin_frame and flow.server_fin_frame < flow.server_rst_frame)
    return Refused("reset" if reset else "close", None, evidence)


def refused_answer(handshake: Handshake) -> Refusal | None:
    """The client ended it after the ServerHello, at whatever of the server's flight; None when it did not.

    A client objects to a ServerHello without waiting for the certificate, which may cross its alert on the way.
    """
    if handshake.server_hello is None or handshake.aborted_by != "client":
        return None
    if handshake.stage not in (Stage.SERVER_HELLO, Stage.CLIENT_FLIGHT, Stage.FINISHED):
        return None
    evidence = list(handshake.closing_evidence)
    alert = handshake.closing_alert
    if alert is None or not alert.from_client or alert.description == 0:
        flow = handshake.flow
        left = min((frame for frame in (flow.client_fin_frame, flow.client_rst_frame) if frame), default=0)
        if left and closed_before_reading(handshake, left, handshake.server_hello_frame):
            return None  # it never had the answer
        return Refusal("close", None, evidence)
    return Refusal("encrypted" if alert.description is None else "alert", alert.description, evidence)


def closing_description(handshake: Handshake, *, from_client: bool) -> int | None:
    """Description of the closing alert when that side sent it and it can be read; else None."""
    alert = handshake.closing_alert
    return alert.description if alert is not None and alert.from_client == from_client else None


def encrypted_records(handshake: Handshake, *, from_client: bool) -> list[int]:
    """Lengths of one side's encrypted records, in order."""
    return [m.length for m in handshake.messages if m.from_client == from_client and m.encrypted and m.kind == "application_data"]
