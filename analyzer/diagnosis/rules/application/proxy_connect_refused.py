"""The proxy refused to open a tunnel (HTTP CONNECT).

Seen:
    CONNECT host:port, answered by 403, 405, 407, 502, 503, 504 or another code that is no success. TLS never begins.

Means:
    403: a rule of the proxy forbids the host or the port; 405: it does not do CONNECT; 407: it wants credentials (the schemes are in
    the evidence; the first 407 of Negotiate and NTLM is part of the game); 502, 503, 504: it could not reach the host.

Remedy:
    403: Squid: SSL_ports and http_access; Zscaler and the like: URL policy; Envoy: RBAC, upgrade_configs CONNECT; Apache: AllowCONNECT
    and ProxyRequests; HAProxy and nginx: they do not forward CONNECT by themselves; IIS ARR: reverse proxy only.
    407: curl: --proxy-user, --proxy-negotiate; Java: jdk.http.auth.tunneling.disabledSchemes="" (Basic is off by default); Go:
    user:password in HTTPS_PROXY; OpenSSL: s_client -proxy_user; git: http.proxyAuthMethod.
    5xx: name resolution and routes of the proxy; or reach the host directly (NO_PROXY).

Confirm:
    $ curl -v -m 60 -x http://{proxy} https://{target}/
    $ openssl s_client -proxy {proxy} -connect {target} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Attempt, Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.application._dialogue import AFTER_A_REFUSAL, DIALOGUE_STAGES, asked_line
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_RETRY = 10_000_000_000
"""ns in which a client that was asked for credentials comes back with those it has."""


class ProxyConnectRefused(Rule):
    """The status line proves it."""

    cause = "proxy-connect-refused"
    stages = DIALOGUE_STAGES
    outcomes = frozenset({"failed", "unfinished"})
    signs = Oddity.DIALOGUE
    explains = (*AFTER_A_REFUSAL, "proxy-connect-timeout")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        dialogue = handshake.dialogue
        if dialogue is None or dialogue.via != "http-connect" or dialogue.state != "refused":
            return None
        asked = asked_line(dialogue)
        evidence = [asked] if asked is not None else []
        status = next((line for line in reversed(dialogue.lines) if not line[1] and line[2].startswith("HTTP/")), None)
        if status is not None:
            evidence.append(Evidence(status[0], f'the proxy answered: "{words.shown(status[2])}"'))
        if dialogue.offered:
            evidence.append(Evidence(dialogue.answer_frame or None, f"it accepts {words.list_text(list(dialogue.offered), 4)}"))
        target = words.shown(dialogue.target or "the server", 60)
        reason = {"407": "wants credentials", "403": "forbids it", "405": "does not do CONNECT"}.get(dialogue.code, "")
        if not reason:
            reason = "could not reach it" if dialogue.code in ("502", "503", "504") else _phrase(status[2] if status is not None else "")
        proxy = f"The proxy {words.address_text(handshake)}"
        summary = f"{proxy} refused the tunnel to {target} with {words.shown(dialogue.code, 10)}: it {reason}."
        again = _came_back(handshake, context) if dialogue.code == "407" else None
        if again is not None:
            evidence.append(Evidence(None, f"in stream {again.stream} the client came back, and had its tunnel"))
            summary = f"{proxy} asked for credentials for {target} (407), and the client came back with them."
            return self.found("certain", summary, evidence, outcome="no-handshake", aborted_by="none")
        return self.found("certain", summary, evidence, outcome="failed", aborted_by="server")


def _came_back(handshake: Handshake, context: Context) -> Attempt | None:
    """The tunnel that the same client got afterwards: to be asked for credentials first is how it is meant to be (RFC 9110 section
    11.7)."""
    begun = handshake.flow.first_seen
    later = (attempt for attempt in context.attempts(handshake, _RETRY) if attempt.time >= begun)
    return next((attempt for attempt in later if attempt.via == "http-connect" and attempt.hello is not None), None)


def _phrase(line: str) -> str:
    """What a status line gives as the reason, where its number says little: 'says "Unable to connect"'."""
    phrase = line.split(" ", 2)[2].strip() if line.count(" ") > 1 else ""
    return f'says "{words.shown(phrase, 40)}"' if phrase else "said no"
