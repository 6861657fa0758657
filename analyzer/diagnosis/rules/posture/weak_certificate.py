"""A certificate of the server has a weak signature or a short key.

Seen:
    A certificate below the root is signed with SHA-1 or MD5, or holds an RSA key below 2048 bits or a curve below 224.

Means:
    This client accepts it; OpenSSL at security level 2, Go, browsers and rustls do not.

Remedy:
    Have it reissued with SHA-256 and a key of 2048 bits, or P-256, and load it on every node.
    nginx: nginx -s reload; Apache: apachectl graceful; HAProxy: reload; IIS: bind the new one; Java and Go: restart.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null | openssl x509 -noout -text
"""

from __future__ import annotations

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.rule import Rule
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake


class WeakCertificate(Rule):
    """What the judgement of the chain calls weak."""

    cause = "weak-certificate"
    kind = "posture"

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if not any(_may_be_weak(c.signature_hash, c.key_type, c.key_bits) for c in handshake.server_certificates):
            return None
        judged = context.chain(handshake)
        weak = (judged.of("cert-weak-signature") or judged.of("cert-weak-key")) if judged is not None else None
        return self.found("certain", f"{weak.says}.") if weak is not None else None


def _may_be_weak(signature_hash: str, key_type: str, key_bits: int) -> bool:
    return signature_hash in ("sha1", "md5", "md4", "md2") or 0 < key_bits < (224 if key_type == "ECDSA" else 2048)
