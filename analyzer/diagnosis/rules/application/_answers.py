"""What the server did with bytes that are no ClientHello."""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.rules.application._closes import first_close
from analyzer.diagnosis.rules.application._plain import first_line, spoken_by
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake

__all__ = ["answer_of", "first_words", "speaks_in_clear"]


def answer_of(handshake: Handshake) -> list[Evidence]:
    """The server's answer as evidence: its alert, its words, its close; nothing when it kept silent."""
    evidence = [
        Evidence(alert.frame, f"the server answered with {words.alert_text(alert)}") for alert in handshake.alerts if not alert.from_client
    ][:1]
    if handshake.server_bytes and not evidence:
        evidence.append(Evidence(handshake.server_bytes_frame, f"the server answered in clear: {first_line(handshake.server_bytes)}"))
    close = first_close(handshake)
    if close is not None and not close.from_client:
        evidence.append(Evidence(close.frame, f"the server {'reset' if close.kind == 'rst' else 'closed'} the connection"))
    return evidence


def first_words(handshake: Handshake) -> Evidence:
    """What the client sent first, as bytes or as the first line of its dialogue."""
    dialogue = handshake.dialogue
    if handshake.client_bytes or dialogue is None:
        return Evidence(handshake.client_bytes_frame or None, f"the client's first bytes: {first_line(handshake.client_bytes)}")
    line = next((line for line in dialogue.lines if line[1]), None)
    said = words.shown(line[2], 60) if line is not None else dialogue.via
    return Evidence(line[0] if line is not None else None, f'the client\'s first line: "{said}"')


def speaks_in_clear(handshake: Handshake, protocol: str | None) -> bool:
    """Whether the server answered in clear, in the client's own protocol."""
    return protocol is not None and bool(handshake.server_bytes) and spoken_by(handshake.server_bytes, False) == protocol
