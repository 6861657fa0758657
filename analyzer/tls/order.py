"""The legal order of messages, as one table.

Each side's messages follow from what that side sent before: a ServerKeyExchange may come after a
Certificate, never after a ServerHelloDone. ``AFTER`` says, for TLS up to 1.2 and for TLS 1.3 and for
each side, which of its own messages may stand directly before a message; ``BEGIN`` is the begin of
the handshake. Only a side's own messages are compared, because two streams that cross on the wire
have no order between them that both ends would agree on (0-RTT data beside the server's flight,
application data before the other's Finished).

Alerts and heartbeats may stand anywhere and change nothing; so may ChangeCipherSpec in TLS 1.3, where
it means nothing (RFC 8446 appendix D.4). ``encrypted_handshake`` is what cannot be read: after
ChangeCipherSpec it stands for Finished, later for anything.

Sources: RFC 5246 section 7.3 and 7.4, RFC 5077 section 3.3, RFC 6066 section 8, RFC 4680, RFC 8446
sections 2 and 4. An observer records disorder; it never stops at it.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["AFTER", "BEGIN", "find_disorder"]

BEGIN = "begin"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


AFTER: dict[tuple[bool, bool], dict[str, frozenset[str]]] = {
    # (TLS 1.3, from the client)
    (False, True): {
        "client_hello": _words("begin finished encrypted_handshake application_data"),
        "supplemental_data": _words("client_hello"),
        "certificate": _words("client_hello supplemental_data"),
        "client_key_exchange": _words("client_hello supplemental_data certificate"),
        "certificate_verify": _words("client_key_exchange"),
        "change_cipher_spec": _words("client_hello client_key_exchange certificate_verify encrypted_handshake"),
        "next_protocol": _words("change_cipher_spec"),
        "finished": _words("change_cipher_spec next_protocol"),
        "encrypted_handshake": _words("change_cipher_spec finished encrypted_handshake application_data"),
        "application_data": _words("finished encrypted_handshake application_data"),
    },
    (False, False): {
        "hello_request": _words("begin hello_request finished encrypted_handshake application_data"),
        "server_hello": _words("begin hello_request finished encrypted_handshake application_data"),
        "supplemental_data": _words("server_hello"),
        "certificate": _words("server_hello supplemental_data"),
        "certificate_status": _words("server_hello certificate"),
        "server_key_exchange": _words("server_hello certificate certificate_status"),
        "certificate_request": _words("server_hello certificate certificate_status server_key_exchange"),
        "server_hello_done": _words("server_hello certificate certificate_status server_key_exchange certificate_request"),
        "new_session_ticket": _words("server_hello server_hello_done"),
        "change_cipher_spec": _words("server_hello server_hello_done new_session_ticket encrypted_handshake"),
        "finished": _words("change_cipher_spec"),
        "encrypted_handshake": _words("change_cipher_spec finished encrypted_handshake application_data"),
        "application_data": _words("finished encrypted_handshake application_data"),
    },
    (True, True): {
        "client_hello": _words("begin client_hello application_data"),
        "end_of_early_data": _words("client_hello application_data"),
        "certificate": _words("client_hello end_of_early_data application_data finished key_update"),
        "compressed_certificate": _words("client_hello end_of_early_data application_data finished key_update"),
        "certificate_verify": _words("certificate compressed_certificate"),
        "finished": _words("client_hello end_of_early_data certificate certificate_verify application_data key_update"),
        "key_update": _words("finished key_update application_data"),
        "application_data": _words("client_hello finished key_update application_data end_of_early_data"),
    },
    (True, False): {
        "hello_retry_request": _words("begin"),
        "server_hello": _words("begin hello_retry_request"),
        "encrypted_extensions": _words("server_hello application_data"),
        "certificate_request": _words("encrypted_extensions finished new_session_ticket key_update application_data"),
        "certificate": _words("encrypted_extensions certificate_request application_data"),
        "compressed_certificate": _words("encrypted_extensions certificate_request application_data"),
        "certificate_verify": _words("certificate compressed_certificate"),
        "finished": _words("encrypted_extensions certificate_verify application_data"),
        "new_session_ticket": _words("finished new_session_ticket key_update application_data certificate_request"),
        "key_update": _words("finished new_session_ticket key_update application_data certificate_request"),
        "application_data": _words("server_hello finished new_session_ticket key_update application_data certificate_request"),
    },
}

_ANYWHERE = frozenset({"alert", "heartbeat", "not_tls"})


def find_disorder(kinds: Iterable[tuple[bool, str]], *, tls13: bool, from_begin: bool = True) -> list[tuple[int, str]]:
    """Find the messages that stand where they may not: (index, what is wrong), in order.

    ``kinds`` is (from_client, kind) with the names of ``Message.kind``. ``from_begin`` false: the begin
    was not captured, so whatever a side says first is taken as it is. After a message out of order its
    side goes on from there: one slip is one entry.
    """
    before: dict[bool, str | None] = dict.fromkeys((True, False), BEGIN if from_begin else None)
    found: list[tuple[int, str]] = []
    for index, (from_client, kind) in enumerate(kinds):
        if kind in _ANYWHERE or (tls13 and kind == "change_cipher_spec"):
            continue
        previous = before[from_client]
        before[from_client] = kind
        allowed = AFTER[tls13, from_client].get(kind)
        side = "client" if from_client else "server"
        if allowed is None:
            found.append((index, f"{kind} from the {side}, which sends no such message in this version"))
        elif previous is not None and previous not in allowed:
            where = "as the first message" if previous == BEGIN else f"after {previous}"
            found.append((index, f"{kind} from the {side} {where}"))
    return found
