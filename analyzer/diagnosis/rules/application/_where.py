"""Where a handshake stopped, in words."""

from __future__ import annotations

from analyzer.diagnosis.completion import left_before_the_last
from analyzer.diagnosis.losses import read_delivery
from analyzer.model.handshake import Handshake, Stage

__all__ = ["stage_text", "stopped_within_hello"]

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
    if stopped_within_hello(handshake) or (handshake.client_hello_incomplete and handshake.client_hello is None):
        return "in the middle of the ClientHello"
    if handshake.stage == Stage.SERVER_HELLO:
        if handshake.server_hello is None:
            return "after the HelloRetryRequest"
        done = handshake.server_finished_frame or any(m.kind == "server_hello_done" for m in handshake.messages)
        return "after the server's flight" if done else "in the middle of the server's flight"
    if left_before_the_last(handshake):
        late = handshake.server_finished_frame > handshake.client_finished_frame
        return f"before the {'server' if late else 'client'}'s Finished had come"
    return _TEXTS.get(handshake.stage, "at its beginning")


def stopped_within_hello(handshake: Handshake) -> bool:
    """Whether the client began a ClientHello and did not go on, though all it sent was captured and arrived."""
    flow = handshake.flow
    if not handshake.client_hello_incomplete or handshake.stage != Stage.CLIENT_HELLO or flow.truncated or flow.client_gaps:
        return False
    sent = read_delivery(handshake.segments, True)
    return not sent.outstanding and not sent.vanished and not sent.unseen
