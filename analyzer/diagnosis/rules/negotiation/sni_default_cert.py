r"""The server has nothing for the name and sent the certificate of another site, its default one.

Seen:
    The leaf covers other names than the one asked for, and it is known for a default: its subject says so (Kubernetes Ingress
    Controller Fake Certificate, TRAEFIK DEFAULT CERT, localhost ...), or the same server gave it to clients that asked for
    a name it does cover, or for none. The client refuses it.

Means:
    The name's virtual host, ingress or certificate is missing, misspelt or not loaded yet on this server.

Remedy:
    nginx: server_name must match and the block must listen on this address and port with ssl. Apache: ServerAlias; apachectl -S
    shows the default. HAProxy: the pem of that name in crt; strict-sni refuses instead. Kubernetes: the secret of the Ingress must
    exist in its namespace and hold tls.crt for this host; wait for cert-manager. Traefik: a router rule and certResolver for the
    host. Envoy: filter_chain_match server_names. IIS: a binding with host name. Go: GetCertificate. Java: the alias chosen by SNI.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -subject -ext subjectAltName
    $ openssl s_client -connect {connect} -noservername {starttls} </dev/null 2>/dev/null | openssl x509 -noout -subject
"""

from __future__ import annotations

import re

from analyzer.diagnosis import words
from analyzer.diagnosis.chain_rule import RefusalRule
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence, message_evidence
from analyzer.diagnosis.host_names import covers_name, wildcard_beside
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS, Refusal
from analyzer.diagnosis.rule import AFTER_SERVER_HELLO, NO_ALERT
from analyzer.diagnosis.rules.negotiation._neighbours import names_a_host
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_DEFAULTS = re.compile(
    r"ingress controller fake certificate|traefik default cert|default[ _-]?(ssl |tls )?(cert|server|host)|parallels panel|plesk"
    r"|\blocalhost\b|snakeoil|\binvalid[0-9]?\.invalid\b|cpanel|fake certificate|openwrt|synology",
    re.IGNORECASE,
)
_TRUSTED_REASONS = frozenset({44, 45})


class SniDefaultCert(RefusalRule):
    """A leaf for other names that is known to be the default."""

    cause = "sni-default-cert"
    stages = AFTER_SERVER_HELLO
    alerts = frozenset({NO_ALERT, 0, None, *(CERTIFICATE_ALERTS - _TRUSTED_REASONS)})
    alert_from_client = True
    explains = (
        "cert-name-mismatch", "cert-no-san", "cert-rejected", "client-silent-reject", "client-closed-mid-handshake",
        "cert-self-signed", "cert-unknown-ca", "cert-missing-intermediate",
    )  # fmt: skip

    def examine_refusal(self, handshake: Handshake, context: Context, refusal: Refusal | None) -> Finding | None:
        hello = handshake.client_hello
        if hello is None or not names_a_host(hello) or refusal is None or not handshake.server_certificates:
            return None
        if refusal.how == "alert" and refusal.description not in CERTIFICATE_ALERTS - _TRUSTED_REASONS:
            return None
        leaf = handshake.server_certificates[0]
        wanted = hello.server_name or ""
        if leaf.fault or covers_name(leaf, wanted):
            return None
        why = _why_default(handshake, context)
        if not why and wildcard_beside(leaf, wanted):
            return None
        holds = words.list_text(leaf.names, 3) or words.shown(leaf.common_name or leaf.subject)
        evidence = [
            hello_evidence(handshake, f"asks for {words.shown(wanted)}"),
            message_evidence(handshake, "certificate", False, f"the certificate is for {holds}"),
            *([Evidence(None, why)] if why else []),
            *refusal.evidence,
        ]
        if not why:
            if not leaf.names:
                return None
            summary = f"{words.server_text(handshake)} may have no certificate for the name: the one it sent is for {holds}."
            finding = self.found("possible", summary, evidence)
            finding.kind = "also"
            return finding
        summary = f"{words.server_text(handshake)} has no certificate for the name and sent its default one, for {holds}."
        return self.found("likely", summary, evidence)


def _why_default(handshake: Handshake, context: Context) -> str:
    """What shows that the leaf is the default of this server; empty when nothing does."""
    leaf = handshake.server_certificates[0]
    for text in (leaf.subject, leaf.common_name, *leaf.names[:8]):
        if _DEFAULTS.search(text):
            return f"{words.shown(text)} is what a server says before it is configured"
    profile = context.server(handshake)
    answer = handshake.server_hello
    if answer is not None and not answer.server_name_acknowledged and not handshake.is_tls13:
        taken = [a for a in profile.accepted if a.server_hello is not None and a.server_hello.server_name_acknowledged]
        if taken:
            return f"the server acknowledged the name {words.shown(taken[-1].server_name or '')} and did not acknowledge this one"
    if wildcard_beside(leaf, handshake.client_hello.server_name or "" if handshake.client_hello is not None else ""):
        return ""  # it is the site's own, and its wildcard does not reach so far
    served = [name for name in profile.names_served if covers_name(leaf, name)]
    if served and profile.leaves[leaf.sha256] > 1:
        return f"the same server gives this certificate to those who ask for {words.list_text(served, 2)}"
    return ""
