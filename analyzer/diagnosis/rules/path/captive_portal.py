"""A captive portal holds the connection until somebody logs in.

Seen:
    A redirect in plain HTTP (30x, or status 511) in reply to a ClientHello, to another host, often a login page; the same for every
    server.

Means:
    The network (hotel, train, guest Wi-Fi) takes every connection and sends to its login page. No server that speaks HTTP could have read
    a redirect's reason out of a ClientHello: it did not look.

Remedy:
    Open the login page in a browser and accept; devices without a browser have to be admitted by address.
    For whoever runs the portal: offer it by DHCP option 114 (RFC 8910) and leave TLS ports alone.

Confirm:
    $ curl -sv http://neverssl.com/ -o /dev/null
    $ curl -sv http://{name_connect}/ -o /dev/null
"""

from __future__ import annotations

import re
from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.losses import answers_hello
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.path._pages import read_page
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REQUIRED = 511
_HOST = re.compile(r"(?:https?:)?//(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)", re.IGNORECASE)


class CaptivePortal(Rule):
    """A redirect in reply to TLS."""

    cause = "captive-portal"
    stages = frozenset({Stage.SERVER_NOT_TLS})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    explains = (
        "tls-on-plaintext-port",
        "unexpected-message",
        "decode-error",
        "record-overflow",
        "proxy-connect-refused",
        *CLOSES,
        *GUESSES,
    )

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or not answers_hello(handshake):
            return None
        page = read_page(handshake)
        if page is None or not (page.status == _REQUIRED or (page.status in _REDIRECTS and page.location)):
            return None
        others = {a.server_address for a in context.attempts(handshake, same_server=False) if a.stage == Stage.SERVER_NOT_TLS}
        others.discard(handshake.flow.server_address)
        if page.status != _REQUIRED and not others and _is_own(page.location, handshake):
            return None  # a server that speaks plain HTTP, and sends to its own login page or its own https address
        evidence = [hello_evidence(handshake, "the ClientHello")]
        where = f" to {words.shown(page.location)}" if page.location else ""
        evidence.append(Evidence(handshake.server_bytes_frame, f"answered by HTTP status {page.status}{where}, in plain text"))
        if others:
            evidence.append(Evidence(None, f"{words.count_text(len(others), 'other server')} answered the same client the same way"))
        summary = f"A captive portal answered in the place of {words.server_text(handshake)} with a redirect{where}."
        sure: Confidence = "likely" if page.status == _REQUIRED or page.portal or others else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="middlebox")


def _is_own(location: str, handshake: Handshake) -> bool:
    """Whether a redirect leads to the server itself, or to a neighbour of the name it was asked for: a portal sends elsewhere."""
    found = _HOST.match(location)
    host = found[1].strip("[]").lower().rstrip(".") if found is not None else ""
    hello = handshake.client_hello
    name = (hello.server_name or "").lower().rstrip(".") if hello is not None else ""
    if host in ("", name, handshake.flow.server_address):
        return True
    return bool(name) and host.split(".")[-2:] == name.split(".")[-2:] and not host.replace(".", "").isdigit()
