"""Clients that leave right after a whole handshake without a byte of data.

Some clients judge the certificate in their own code once TLS is done, and then just leave. So do health checks,
monitors and probes, whose handshakes are complete in every sense, with and without goodbye (close_notify). What tells
them apart: who offers HTTP and then sends no request found something wrong, and so did a stack known to judge afterwards
(Node, programs on GnuTLS such as wget) that breaks off without goodbye. OpenSSL judges inside the handshake, whatever its
program offers: of its programs only those count that are known to look again (curl at the name, the pin and the stapled
answer).
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import quiet_before_close
from analyzer.diagnosis.losses import has_holes
from analyzer.diagnosis.record_lengths import is_alert_sized
from analyzer.diagnosis.refusals import Refusal, is_gnutls, is_openssl
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.hello import ClientHello

__all__ = ["AT_ONCE", "Departure", "departure_of", "find_departure", "is_node", "may_refuse", "scans", "silent_refusal"]

AT_ONCE = 2_000_000_000
"""ns: who closes later than this was hardly judging a certificate."""

_TICKETS = 4
"""Server records after the client's Finished that may be tickets and a goodbye (TLS 1.3)."""
_PREFACE = 2
"""Records in which a server of HTTP/2 speaks first (RFC 9113 section 3.4): its settings, and a larger window."""
_OFFERS = 8
"""Different lists of suites, groups and signature schemes: no program has so many of by itself."""
_SCAN = 60_000_000_000
_RACE = 10_000_000_000
_TLS13_SUITES = 0x13
_SESSION_TICKET = 35
_NODE_SUITES = (0xC02F, 0xC02B, 0xC030, 0xC02C, 0x009E, 0xC027)
"""How Node's ``tls.DEFAULT_CIPHERS`` begins below TLS 1.3, another order than that of OpenSSL itself."""


class Departure(NamedTuple):
    """How the client left."""

    frame: int
    goodbye: bool
    """It sent close_notify."""
    judges_late: bool
    """It is known to: it offered HTTP and asked for nothing, or is of a stack that verifies after the handshake."""


def scans(handshake: Handshake, context: Context) -> bool:
    """Whether the client tries one offer after the other on this server, as those do who list what it takes: it leaves when it has
    seen the answer, whatever the certificate."""
    flow = handshake.flow
    offers = {
        (attempt.hello.cipher_suites, attempt.hello.named_groups, attempt.hello.signature_schemes)
        for attempt in context.attempts(handshake, _SCAN)
        if attempt.hello is not None and (attempt.server_address, attempt.server_port) == (flow.server_address, flow.server_port)
    }
    return len(offers) >= _OFFERS


def find_departure(handshake: Handshake) -> Departure | None:
    """The client's leaving at once after a whole, full handshake without data; None where it did not."""
    flow, hello = handshake.flow, handshake.client_hello
    if hello is None or handshake.resumption is not None or handshake.early_data_bytes or handshake.dialogue is not None:
        return None
    mine = ((flow.client_fin_time, flow.client_fin_frame), (flow.client_rst_time, flow.client_rst_frame))
    other = ((flow.server_fin_time, flow.server_fin_frame), (flow.server_rst_time, flow.server_rst_frame))
    first = min((end for end in mine if end[1]), default=(0, 0))
    server_first = min((end for end in other if end[1]), default=(0, 0))
    left = first[1]
    if not left or quiet_before_close(handshake) > AT_ONCE:
        return None
    if flow.truncated or has_holes(handshake):
        return None  # what it said may be among what the capture lacks
    if handshake.server_application_records > (_TICKETS if handshake.is_tls13 else _PREFACE if handshake.alpn == "h2" else 0):
        return None
    done = handshake.client_finished_frame
    if not done:
        return None  # it cannot be told from the data: a certificate and its Finished in one record, padded ones
    if server_first[1] and server_first < first:
        left = _said_goodbye(handshake, done)
        if not 0 < left < server_first[1]:
            return None  # else the server's close is the answer to a goodbye, quicker than the client's own
    goodbye = past = False
    for message in handshake.messages:
        if message.kind == "heartbeat":
            return None  # it stayed for something else
        if not message.from_client:
            if done < message.frame < left and (message.kind == "alert" or is_alert_sized(message, handshake)):
                return None  # the server took leave first
            continue
        past = past or message.frame == done  # what comes after it in the stream may have overtaken it on the way
        if message.frame < done and not past:
            continue
        if message.kind == "alert" or is_alert_sized(message, handshake):
            goodbye = True
        elif message.kind == "application_data" and goodbye:
            return None
        elif message.kind == "encrypted_handshake" and message.frame > done:
            return None  # it began another handshake
    if handshake.client_application_records > (goodbye and handshake.is_tls13):
        return None
    return Departure(left, goodbye, _judges_late(hello, goodbye=goodbye))


def _said_goodbye(handshake: Handshake, done: int) -> int:
    """Frame of the client's alert after its Finished; 0 without one."""
    for message in handshake.messages:
        if message.from_client and message.frame >= done and (message.kind == "alert" or is_alert_sized(message, handshake)):
            return message.frame
    return 0


def _judges_late(hello: ClientHello, *, goodbye: bool) -> bool:
    if not goodbye and (is_node(hello) or (is_gnutls(hello) and bool(hello.server_name))):
        return True
    if not any(name.startswith(("h2", "http/")) for name in hello.alpn):
        return False
    return (goodbye and _is_curl(hello)) if is_openssl(hello) else True


def may_refuse(handshake: Handshake) -> bool:
    """Whether its client, had it left at once, may have refused: whatever it said then."""
    hello = handshake.client_hello
    return hello is None or _judges_late(hello, goodbye=False) or _judges_late(hello, goodbye=True)


def _is_curl(hello: ClientHello) -> bool:
    """Of OpenSSL's hellos that offer HTTP, curl's has no session ticket, and HTTP/2 beside post-handshake authentication."""
    return _SESSION_TICKET not in hello.extension_types or (hello.post_handshake_auth and "h2" in hello.alpn)


def is_node(hello: ClientHello) -> bool:
    """Node's own list of suites, with the host's name: it completes TLS 1.2 and then looks at what OpenSSL made of the chain."""
    older = tuple(suite for suite in hello.cipher_suites if suite >> 8 != _TLS13_SUITES)
    return bool(hello.server_name) and older[: len(_NODE_SUITES)] == _NODE_SUITES


def departure_of(handshake: Handshake, context: Context) -> Departure | None:
    """``find_departure``, looked for once for all rules of the handshake at hand."""
    return context.once(_find_departure, handshake)


def silent_refusal(handshake: Handshake, context: Context) -> Refusal | None:
    """A departure that looks like a refusal; None for probes, and for the losers of a race between connections."""
    return context.once(_find_refusal, handshake)


def _find_departure(handshake: Handshake, context: Context) -> Departure | None:
    known = handshake.alike and context.is_so(_takes_leave_second, handshake)
    if known and not handshake.flow.client_rst_frame and handshake.is_whole:
        return None  # the server took leave first: told without looking at the messages of each
    return find_departure(handshake)


def _takes_leave_second(handshake: Handshake) -> bool:
    """Whether the client spoke again after the server had taken leave, and so closed after that, if all came in order."""
    done = handshake.client_finished_frame
    left = 0
    for message in handshake.messages:
        if message.from_client:
            if 0 < left < message.frame:
                return True
        elif 0 < done < message.frame and (message.kind == "alert" or is_alert_sized(message, handshake)):
            left = left or message.frame
    return False


def _find_refusal(handshake: Handshake, context: Context) -> Refusal | None:
    departure = departure_of(handshake, context)
    if departure is None or not departure.judges_late:
        return None
    name = handshake.client_hello.server_name if handshake.client_hello is not None else None
    for attempt in context.attempts(handshake, _RACE):
        if attempt.outcome == "completed" and not attempt.left_at_once and attempt.server_name == name:
            return None  # it lost a race; one for another name of the same server ran in none
    how = "with close_notify" if departure.goodbye else "without close_notify"
    return Refusal(
        "goodbye" if departure.goodbye else "close",
        None,
        [Evidence(departure.frame, f"the client closed {how} and without a byte of data")],
    )
