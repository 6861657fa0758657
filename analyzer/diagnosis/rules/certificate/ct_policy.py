r"""The server's certificate lacks certificate transparency stamps.

Seen:
    A public certificate with fewer than two embedded SCTs; the client, Chrome or Safari, refused with
    certificate_unknown (46) or by closing.

Means:
    Browsers require proof that a public certificate was logged.

Remedy:
    Have the certificate reissued; every public authority embeds the stamps by default. Ask for no redaction.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -ext ct_precert_scts
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CtPolicy(ChainRule):
    """Too few SCTs in a public certificate."""

    cause = "ct-policy"
