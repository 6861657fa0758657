"""The SOCKS proxy did not open the connection.

Seen:
    SOCKS 5: method FF (none of the client's ways to authenticate), a failed login, or a reply other than 0 (2 not allowed, 3 and 4
    unreachable, 5 refused, 6 TTL expired). SOCKS 4: a reply 5B to 5D. TLS never begins.

Means:
    The proxy is reachable and says itself what is wrong: its rules, its login, or its way to the server.

Remedy:
    5: nobody listens at the destination as the proxy resolves it; 3, 4: routes or DNS of the proxy (let it resolve: socks5h);
    2: its rules; FF: the client must log in.
    ssh -D: AllowTcpForwarding and PermitOpen of sshd; Dante: client pass and socks pass rules; Tor: the log (exit policy, name not
    found); curl: --socks5-hostname, user in the URL; Java: socksProxyHost, java.net.socks.username; Go: proxy.SOCKS5 with Auth; nginx,
    Apache, HAProxy (socks4 on the server line), Envoy, IIS and OpenSSL (s_client has none) seldom use one.

Confirm:
    $ curl -v {resolve} https://{target}/
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._closes import close_text, first_close, left_early
from analyzer.diagnosis.rules.application._dialogue import AFTER_A_REFUSAL, DIALOGUE_STAGES, asked_line
from analyzer.diagnosis.rules.application._plain import first_line
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Dialogue, Handshake
from analyzer.registries.ports import STARTTLS_PORTS, TLS_PORTS

_NOT_SOCKS = "not SOCKS"
"""How the dialogue says that the server's first bytes are none (``dialogues.socks``)."""


class SocksFailure(Rule):
    """The reply proves it; without one, silence or a close."""

    cause = "socks-failure"
    stages = DIALOGUE_STAGES
    outcomes = frozenset({"failed", "unfinished"})
    signs = Oddity.DIALOGUE
    explains = AFTER_A_REFUSAL

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None or dialogue.via not in ("socks5", "socks4"):
            return None
        proxy = f"The SOCKS proxy {words.address_text(handshake)}"
        target = f" to {words.shown(dialogue.target, 60)}" if dialogue.target else ""
        evidence = [e for e in (asked_line(dialogue),) if e is not None]
        if dialogue.state == "refused":
            reply = next((line for line in reversed(dialogue.lines) if not line[1]), None)
            if reply is not None:
                evidence.append(Evidence(reply[0], f'the proxy answered: "{words.shown(reply[2])}"'))
            why = _reason(dialogue.code)
            summary = f"{proxy} did not open the connection{target}: {why}."
            return self.found("certain", summary, evidence, outcome="failed", aborted_by="server")
        foreign = _foreign_answer(handshake, dialogue) if handshake.client_hello is None else None
        if foreign is not None:
            evidence.append(foreign)
            summary = f"{words.server_text(handshake)} is no SOCKS proxy: it answered in another protocol."
            return self.found("certain", summary, evidence, outcome="failed", aborted_by="server")
        close = first_close(handshake)
        if dialogue.state not in ("asked", "broken") or handshake.outcome != "failed" or handshake.client_hello is not None:
            return None
        port = handshake.flow.server_port
        if port in TLS_PORTS and port not in STARTTLS_PORTS:
            return None  # it is the wrong port
        if handshake.flow.one_way or handshake.flow.server_gaps:
            return None
        if close is not None:
            evidence.append(close_text(close))
        sure: Confidence = "possible" if close is not None and left_early(handshake, close) else "likely"
        return self.found(sure, f"{proxy} did not answer the request for a connection{target}.", evidence)


def _foreign_answer(handshake: Handshake, dialogue: Dialogue) -> Evidence | None:
    """What the server said instead of speaking SOCKS."""
    said = next((line for line in dialogue.lines if not line[1]), None)
    if said is None:
        alert = next((alert for alert in handshake.alerts if not alert.from_client and not alert.encrypted), None)
        return Evidence(alert.frame, f"the server sent {words.alert_text(alert)}") if alert is not None else None
    if not said[2].startswith(_NOT_SOCKS):
        return None
    answer = first_line(handshake.server_bytes) if handshake.server_bytes else words.shown(said[2], 60)
    return Evidence(said[0], f"the server answered: {answer}")


def _reason(code: str) -> str:
    if code == "FF":
        return "it takes none of the client's ways to log in"
    if code.startswith("AUTH"):
        return "the login failed"
    replies = {
        "REP 1": "general failure", "REP 2": "its rules forbid it", "REP 3": "network unreachable", "REP 4": "host unreachable",
        "REP 5": "connection refused", "REP 6": "TTL expired", "REP 7": "it does not know the command",
        "REP 8": "it does not know the type of address", "5B": "rejected or failed", "5C": "no identd at the client",
        "5D": "identd names another user",
    }  # fmt: skip
    return replies.get(code, words.shown(code, 20))
