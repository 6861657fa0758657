"""The server chose a cipher suite that is no longer safe.

Seen:
    The handshake completed with a suite that is broken or was made weak on purpose: NULL, anonymous, export, RC4, DES, 3DES, MD5.

Means:
    Whoever records or touches the traffic may read or change it. Modern clients do not offer such suites, and will fail where
    a server has nothing better.

Remedy:
    Leave the choice of suites to the library's defaults, or to Mozilla's intermediate profile. nginx: ssl_ciphers; Apache:
    SSLCipherSuite; HAProxy: ssl-default-bind-ciphers; Envoy: cipher_suites; IIS: Get-TlsCipherSuite and Disable-TlsCipherSuite; Java:
    jdk.tls.disabledAlgorithms; Go: leave CipherSuites empty.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_alone} -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0 </dev/null
    $ nmap {family_flag} -Pn -p {port} --script ssl-enum-ciphers {nmap_name} {address}
"""

from __future__ import annotations

from analyzer import registries
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.registries.suite_facts import suite_facts


class WeakCipherSuite(Rule):
    """What the registry of suites calls weak."""

    cause = "weak-cipher-suite"
    kind = "posture"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        answer = handshake.server_hello
        facts = suite_facts(answer.cipher_suite) if answer is not None else None
        if facts is None or facts.weakness is None:
            return None
        name = registries.name_of_cipher_suite(facts.code)
        return self.found("certain", f"The server chose {name}: {facts.weakness}.")
