"""Where it stopped: the stage ladder, computed from facts alone and always certain."""

from __future__ import annotations

from collections.abc import Callable

from analyzer.model.handshake import Handshake, Stage

__all__ = ["stage_of"]


def stage_of(h: Handshake, client_went_on: bool, hello_acknowledged: Callable[[], bool | None]) -> str:
    """The stage of an assembled handshake.

    ``client_went_on``: the client's second flight began. ``hello_acknowledged``: tells whether an acknowledgment of
    the server covers the hello (asked only where it counts); None where the server's segments were not captured.
    """
    if h.client_finished_frame and h.server_finished_frame:
        both = h.client_application_records and h.server_application_records
        return Stage.ESTABLISHED if both else Stage.FINISHED
    if h.server_hello is not None or h.hello_retry is not None:
        return Stage.CLIENT_FLIGHT if client_went_on else Stage.SERVER_HELLO
    server_alert = any(not a.from_client for a in h.alerts)
    if h.client_hello is not None:
        if server_alert:
            return Stage.SERVER_ALERT
        if h.server_bytes:
            return Stage.SERVER_NOT_TLS
        return Stage.CLIENT_HELLO_UNACKED if hello_acknowledged() is False else Stage.CLIENT_HELLO
    if h.dialogue is not None:
        return Stage.DIALOGUE
    if h.client_bytes:
        return Stage.CLIENT_NOT_TLS
    if h.client_hello_incomplete:
        if server_alert:
            return Stage.SERVER_ALERT
        return Stage.CLIENT_HELLO_UNACKED if hello_acknowledged() is False else Stage.CLIENT_HELLO
    flow = h.flow
    if flow.syn_ack_frame:
        connected = flow.ack_frame or flow.client_bytes or flow.server_bytes or flow.client_fin_frame
        return Stage.CONNECTED if connected else Stage.SYN
    if flow.client_bytes or flow.server_bytes or not flow.syn_frame:
        return Stage.CONNECTED
    if flow.server_rst_frame or h.icmp:
        return Stage.REFUSED
    return Stage.SYN
