"""Where a handshake stopped, in words."""

from __future__ import annotations

from analyzer.model.handshake import Handshake, Stage

__all__ = ["stage_text"]

_TEXTS = {
    Stage.DIALOGUE: "after TLS was agreed upon and before the ClientHello",
    Stage.CLIENT_HELLO_UNACKED: "after the ClientHello",
    Stage.CLIENT_HELLO: "after the ClientHello",
    Stage.SERVER_ALERT: "after the server's alert",
    Stage.CLIENT_FLIGHT: "after the client's second flight",
    Stage.FINISHED: "when both sides could be finished",
}


def stage_text(handshake: Handshake) -> str:
    """'after the ClientHello', 'in the middle of the server's flight' ..."""
    if handshake.client_hello_incomplete and handshake.client_hello is None:
        return "in the middle of the ClientHello"
    if handshake.stage == Stage.SERVER_HELLO:
        if handshake.server_hello is None:
            return "after the HelloRetryRequest"
        done = handshake.server_finished_frame or any(m.kind == "server_hello_done" for m in handshake.messages)
        return "after the server's flight" if done else "in the middle of the server's flight"
    return _TEXTS.get(handshake.stage, "at its beginning")
