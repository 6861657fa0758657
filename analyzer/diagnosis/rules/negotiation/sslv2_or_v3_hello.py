r"""The client speaks SSL: a hello in SSLv2 format, or SSL 3.0 as its best version.

Seen:
    The first byte is 0x80 with a length and then 01 (SSLv2 format, even where it announces TLS), or the best version is SSL 3.0. Servers
    answer protocol_version (70) (nginx, HAProxy, Go, Node, Python), handshake_failure (40) (OpenSSL, GnuTLS, Java), decode_error (50),
    or nothing at all (NSS).

Means:
    A client of before 2010 (Java 6, OpenSSL 0.9.8, old appliances), or a scanner. SSL 2.0 and 3.0 are forbidden (RFC 6176, RFC 7568).

Remedy:
    Update or replace the client; no server of today can be talked into it.
    Java 6: -Dhttps.protocols=TLSv1 and SSLv2Hello out of the enabled protocols. OpenSSL 0.9.8: SSL_OP_NO_SSLv2. Otherwise put a proxy
    between that speaks to the old client: an old stunnel or nginx with OpenSSL 1.0.2 on a closed network. HAProxy, Apache, Envoy, IIS
    and Go of today: no switch is left.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -min_protocol TLSv1 -max_protocol TLSv1.1 \
        -cipher ALL:@SECLEVEL=0 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | grep -E 'Protocol|Cipher is'
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rule import BEFORE_SERVER_HELLO, NO_ALERT, Rule
from analyzer.diagnosis.rules.negotiation._refused import GENERAL_ALERTS, SILENT_ENDS
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake, Stage


class Sslv2OrV3Hello(Rule):
    """SSL offered, and not answered by a ServerHello."""

    cause = "sslv2-or-v3-hello"
    stages = BEFORE_SERVER_HELLO
    alerts = frozenset({NO_ALERT, 10, 40, 47, 50, 70, 71, 80})
    alert_from_client = False
    explains = (*GENERAL_ALERTS, *SILENT_ENDS, "client-version-too-old", "client-timeout", "no-common-cipher")

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or handshake.outcome != "failed" or not (hello.sslv2 or hello.max_version <= 0x0300):
            return None
        version = words.version_text(hello.legacy_version)
        what = f"a hello in SSLv2 format that announces {version}" if hello.sslv2 else f"a hello with {version} as its best version"
        evidence = [hello_evidence(handshake, what), *handshake.closing_evidence]
        who = words.server_text(handshake)
        alert = handshake.closing_alert
        if alert is not None and not alert.from_client and alert.description in (10, 40, 47, 50, 70, 71, 80):
            summary = f"{who} refuses SSL: the client sent {what}."
            # a hello in SSLv2 format may announce TLS, and be refused for that version
            sure = alert.description == 70 and hello.legacy_version <= 0x0300
            return self.found("certain" if sure else "likely", summary, evidence)
        went_on = any(m.from_client and m.kind == "not_tls" for m in handshake.messages)  # Skype and others only look like SSL
        if alert is None and handshake.stage != Stage.CLIENT_HELLO_UNACKED and not went_on:
            return self.found("likely", f"{who} gave no answer to SSL: the client sent {what}.", evidence)
        return None
