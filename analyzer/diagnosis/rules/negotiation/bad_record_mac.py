"""An encrypted record did not verify.

Seen:
    bad_record_mac (20) after ChangeCipherSpec or in TLS 1.3 after ServerHello (there encrypted). Old servers say decryption_failed (21).

Means:
    The two ends have different keys, or a record was changed: broken hardware or offload (kTLS, NIC), a middlebox that rewrites, wrong
    pre-shared keys, or a probe that sends bad padding on purpose.

Remedy:
    Try without the offload and without the middlebox: ethtool -K DEVICE tls-hw-tx-offload off tls-hw-rx-offload off; OpenSSL without
    Options KTLS; nginx: ssl_conf_command Options -KTLS. Update both stacks. HAProxy, Apache, Envoy, IIS, Java and Go have no switch
    for it: change the path or the machine. Many from one address, with RSA key exchange: someone tests for Bleichenbacher's attack.

Confirm:
    $ openssl s_client -connect {connect} {servername} {starttls} {version_flag} -msg </dev/null
    $ ip -s link
    Look for errors that grow on either host while it fails.
"""

from __future__ import annotations

from analyzer.diagnosis.rules.negotiation._alert_rule import AlertRule


class BadRecordMac(AlertRule):
    """Alert 20 (or the old 21)."""

    cause = "bad-record-mac"
    alerts = frozenset({20, 21})
    meaning = "an encrypted record did not verify"
