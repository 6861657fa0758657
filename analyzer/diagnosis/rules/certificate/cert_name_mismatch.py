r"""The server's certificate is not for the name the client asked for.

Seen:
    No entry of the leaf's subjectAltName covers the server_name of the ClientHello (a wildcard stands for one left-most
    label); the client refused: bad_certificate (42) from most, certificate_unknown (46) from Java and Chrome. curl with
    OpenSSL completes the handshake and closes in good order; Node and curl with BoringSSL just close. A client that asks by
    address sends no server_name: then it is the server's address that the leaf lacks, and no more than likely.

Means:
    The certificate was issued for other names, or the server answered with the certificate of another site (its
    default one), or the client uses an alias or an address instead of the name.

Remedy:
    Reissue the certificate with this name in subjectAltName, or let the client use a name it has.
    Make the right certificate answer to the name: nginx: server_name of the server block; Apache: ServerName and ServerAlias;
    HAProxy: the pem of that name in the crt folder; Envoy: filter_chain_match server_names; IIS: a binding with host name
    and "Require Server Name Indication"; Java: an alias per name; Go: GetCertificate.
    If the name is right and the certificate is the default one, see also sni-default-cert.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} -verify_hostname {name} </dev/null
    $ openssl s_client -connect {connect} {servername} {starttls} </dev/null 2>/dev/null \
        | openssl x509 -noout -ext subjectAltName
    Of a client that asks by address:
    $ openssl s_client -connect {connect} -noservername {starttls} -verify_ip {address} </dev/null
"""

from __future__ import annotations

from analyzer.diagnosis.chain_rule import ChainRule


class CertNameMismatch(ChainRule):
    """subjectAltName does not cover the name asked for."""

    cause = "cert-name-mismatch"
