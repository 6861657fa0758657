"""What the capture lacks of a connection, as the rules of this family need it."""

from __future__ import annotations

from analyzer.diagnosis import doubts
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.losses import deliveries
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake

__all__ = ["EVERYTHING_GENERAL", "as_note", "is_proved", "unseen_bytes"]

EVERYTHING_GENERAL = (
    "server-rst-after-hello", "server-fin-after-hello", "server-closed-mid-handshake", "client-closed-mid-handshake",
    "client-hello-no-answer", "client-timeout", "server-slow", "lb-no-backend", "client-silent-reject", "client-hello-unacked",
    "tcp-syn-unanswered", "tcp-synack-unacked", "client-never-speaks", "connect-close-probe", "non-tls-client-bytes", "unclean-close",
    "refused-encrypted", "cert-rejected", "client-cert-rejected", "sni-unrecognized", "version-intolerance", "tls-on-plaintext-port",
    "loss-slow-handshake", "tcp-syn-refused", "port-scan", "cert-pinning", "happy-eyeballs-loser", "rate-limit-close",
    "large-client-hello-intolerance", "tcp-accept-queue-full", "pmtu-blackhole-client-hello", "proxy-protocol-mismatch",
    "implicit-vs-starttls", "server-restart-mid-handshake", "large-cert-flight-rejected", "zero-window-stall",
)  # fmt: skip
"""Causes that rest on something not having been there."""


def is_proved(handshake: Handshake) -> bool:
    """A fatal alert was read: what ended it is known, whatever is missing."""
    return doubts.is_proved(handshake)


def unseen_bytes(handshake: Handshake, context: Context) -> tuple[int, int]:
    """Bytes of the client and of the server that the other side acknowledged and the capture does not hold."""
    if handshake.is_whole:
        return 0, 0
    flow = handshake.flow
    if handshake.segments:
        client, server = deliveries(handshake, context)
        return client.unseen, server.unseen
    return flow.client_gaps, flow.server_gaps


def as_note(finding: Finding) -> Finding:
    """A fact about the capture that stands beside the cause and is none."""
    finding.kind = "also"
    finding.outcome = None
    return finding
