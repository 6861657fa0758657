r"""The client offers only versions of TLS that are too old for the server.

Seen:
    The best version of the ClientHello is below the lowest the server takes, and the server refuses right away:
    protocol_version (70) from OpenSSL, nginx, HAProxy, Go, Java, NSS, Node and Python; handshake_failure (40) from GnuTLS and
    some appliances; internal_error (80) from OpenSSL 3 that still allows the version but no signature for it; a reset
    from Schannel (IIS).

Means:
    The client is old, or was told to use old versions only; the server has switched them off, as RFC 8996 asks for
    TLS 1.0 and 1.1.

Remedy:
    Update or reconfigure the client: Java 7 and before need -Djdk.tls.client.protocols=TLSv1.2 (Java 8 has it by default);
    .NET: SchUseStrongCrypto; OpenSSL: 1.0.1 or newer, and look for MaxProtocol in openssl.cnf; Windows 7: update KB3140245.
    Only when that is impossible, let the server take the old version, on an address of its own:
    nginx: ssl_protocols TLSv1 TLSv1.1 TLSv1.2; with ssl_ciphers DEFAULT@SECLEVEL=0. Apache: SSLProtocol all, SSLCipherSuite
    DEFAULT@SECLEVEL=0. HAProxy: ssl-min-ver TLSv1.0. Envoy: tls_minimum_protocol_version: TLSv1_0. IIS: the
    SCHANNEL\Protocols keys. Java: jdk.tls.disabledAlgorithms. Go: tls.Config.MinVersion.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} -cipher ALL:@SECLEVEL=0 </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | grep -E 'Protocol|Cipher'
    The first must fail as the client did; the second shows what the server speaks.
"""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.evidence import hello_evidence
from analyzer.diagnosis.rules.negotiation._neighbours import find_neighbours
from analyzer.diagnosis.rules.negotiation._offer import versions_of
from analyzer.diagnosis.rules.negotiation._offer_rule import OFFER_EXPLAINS, OfferRule
from analyzer.diagnosis.rules.negotiation._refused import refused_hello
from analyzer.model.finding import Evidence, Finding
from analyzer.model.handshake import Handshake

_SUPPORTED_VERSIONS = 43


class ClientVersionTooOld(OfferRule):
    """The server's lowest version is above the client's best."""

    cause = "client-version-too-old"
    proves = frozenset({70, 80})
    explains = (*OFFER_EXPLAINS, "decode-error", "illegal-parameter")

    def proved(self, handshake: Handshake, context: Context) -> Finding | None:
        refused, hello = refused_hello(handshake), handshake.client_hello
        if refused is None or hello is None or refused.description not in (70, 80):
            return None
        if handshake.client_hello_incomplete and (not hello.supported_versions or hello.extension_types[-1] == _SUPPORTED_VERSIONS):
            return None  # the list of versions, or some of it, may be in the rest
        offered = versions_of(hello)
        high = max(offered)
        if high >= 0x0304:
            return None
        neighbours = find_neighbours(handshake, context)
        newer = [version for version in neighbours.versions if version > high]
        evidence = [hello_evidence(handshake, f"offers {words.offered_versions_text(hello)}"), *refused.evidence]
        if newer:
            seen = words.version_text(min(newer))
            evidence.insert(1, Evidence(None, f"{neighbours.count_text} got {seen}{' or newer' if len(newer) > 1 else ''}"))
        offers = words.offered_versions_text(hello)
        summary = f"{words.server_text(handshake)} takes no version as old as the client has: the hello offers {offers}."
        if refused.description == 70:
            # a list that names TLS 1.2 alone may also meet a server that ends below it
            below = bool(hello.supported_versions) and min(offered) >= 0x0303 and not newer
            if neighbours.here and neighbours.versions & offered:
                return self.found("likely", summary, evidence)  # for others, or under other names, it took what is offered here
            return self.found("likely" if below else "certain", summary, evidence)
        if refused.description == 80 and high <= 0x0302:
            return self.found("possible", summary, evidence)
        return None
