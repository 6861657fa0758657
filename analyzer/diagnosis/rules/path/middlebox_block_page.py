"""A device on the path answered in the server's place.

Seen:
    Plain HTTP in reply to a ClientHello (a page that says the site is blocked, or a redirect to one), with another TTL than the
    server's SYN-ACK, or with the words of a block page.

Means:
    A filter took the connection over and shows its page, which nobody sees: the client expects TLS and reports a bad record.

Remedy:
    Ask who runs the network to allow the name, or use the network's proxy. For whoever runs the filter: reset or let pass, a page in
    plain text cannot be shown on a TLS port.

Confirm:
    The page itself:
    $ curl -sv http://{name_connect}/
    From another network:
    $ openssl s_client -connect {connect} {servername} </dev/null
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.losses import answers_hello
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.path._pages import other_sender, read_page
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage


class MiddleboxBlockPage(Rule):
    """A page from somebody who is not the server."""

    cause = "middlebox-block-page"
    stages = frozenset({Stage.SERVER_NOT_TLS})
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished"})
    explains = ("tls-on-plaintext-port", "middlebox-rst-injection", "sni-filter-rst", "captive-portal", "unexpected-message",
                "decode-error", "record-overflow", "proxy-connect-refused", *CLOSES, *GUESSES)  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.client_hello is None or not answers_hello(handshake):
            return None
        page, other = read_page(handshake), other_sender(handshake)
        if page is None or (other is None and not (page.block and page.status != 400)):
            return None
        if other is None and page.portal and not page.block:
            return None
        line = words.shown(handshake.server_bytes.split(b"\r\n", 1)[0].decode("latin-1"))
        evidence = [
            hello_evidence(handshake, "the ClientHello"),
            Evidence(handshake.server_bytes_frame, f"answered by {line!r} in plain text"),
        ]
        if page.location:
            evidence.append(Evidence(handshake.server_bytes_frame, f"a redirect to {words.shown(page.location)}"))
        if other is not None:
            evidence.append(Evidence(other[0].frame, other[1]))
        if page.block:
            evidence.append(Evidence(handshake.server_bytes_frame, "the page speaks of blocking"))
        summary = f"A device on the path answered in the place of {words.server_text(handshake)} with a page in plain HTTP."
        sure: Confidence = "likely" if other is not None else "possible"
        return self.found(sure, summary, evidence, outcome="failed", aborted_by="middlebox")
