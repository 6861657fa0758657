"""The offer of STARTTLS was removed or overwritten on the way.

Seen:
    The server's list of capabilities holds a word of X's in the place of STARTTLS (250-XXXXXXXA), or the client's command arrives
    garbled and is refused as unknown; or the same server offered TLS to others in this capture and not here.

Means:
    A firewall that "inspects" mail (Cisco PIX and ASA fixup, ESMTP inspection) overwrites what it does not allow, or somebody on the path
    wants to read the mail. Without STARTTLS the client goes on in clear or gives up.

Remedy:
    Cisco ASA: no inspect esmtp, or a policy map with allow-tls; other gateways: turn off SMTP inspection.
    Clients: require TLS (postfix: smtp_tls_security_level = verify or dane); domains: publish MTA-STS (RFC 8461) or DANE (RFC 7672).

Confirm:
    The list of capabilities from here and from another network:
    $ curl -v -m 20 --ssl-reqd {resolve} {starttls_url}
    $ timeout 20 openssl s_client -connect {connect} {starttls} </dev/null
"""

from __future__ import annotations

import re
from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule, stages_from
from analyzer.diagnosis.rules.application._dialogue import lists_tls
from analyzer.model.finding import Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_MASKED = re.compile(r"(?:\d{3}[- ])?\s*(X{5,}[A-Z]?)\s*")
_LENGTH = len("STARTTLS")
"""A mask is as long as what it covers, and other words are masked too (CHUNKING, PIPELINING)."""


class StarttlsStripped(Rule):
    """X's where STARTTLS should be."""

    cause = "starttls-stripped"
    stages = stages_from(Stage.CONNECTED, Stage.SERVER_ALERT)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake"})
    signs = Oddity.DIALOGUE
    explains = ("starttls-not-offered", "starttls-refused", "client-closed-mid-handshake", "server-closed-mid-handshake", "client-timeout",
                "non-tls-client-bytes", "tls-on-plaintext-port", "implicit-vs-starttls")  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None or dialogue.state == "agreed":
            return None
        listed = lists_tls(dialogue)
        for frame, from_client, text in dialogue.lines:
            found = _MASKED.fullmatch(text)  # what people mask stands behind a command: names and passwords
            if found is not None and (from_client or not listed):
                sure: Confidence = "certain" if len(found[1]) == _LENGTH else "likely"
                place = "the client's command" if from_client else "the server's list of capabilities"
                evidence = [Evidence(frame, f"{place} holds {found[1]!r}: {words.shown(text.strip())}")]
                evidence += handshake.closing_evidence[:1]
                summary = f"A device on the path overwrote STARTTLS in the dialogue with {words.server_text(handshake)}."
                return self.found(sure, summary, evidence, outcome="failed", aborted_by="middlebox")
        if dialogue.state == "not-offered" and dialogue.via.endswith(("starttls", "stls", "auth-tls")):
            profile = context.server(handshake)
            if profile.completed and profile.clients - {handshake.flow.client_address}:
                evidence = [
                    Evidence(dialogue.answer_frame or None, "the server's list holds no offer of TLS"),
                    Evidence(None, f"the same server did TLS with {words.count_text(profile.completed, 'other connection')} on this port"),
                ]
                summary = f"{words.server_text(handshake)} offers TLS to others and not here: the offer may have been removed on the way."
                return self.found("possible", summary, evidence, outcome="failed")
        return None
