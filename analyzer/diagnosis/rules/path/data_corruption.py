r"""Bytes were changed on the way.

Seen:
    The same bytes of a stream came twice and differ, and the receiver then refused what it had read (bad_record_mac, decrypt_error,
    decode_error, a certificate that does not parse) though both copies had good checksums.

Means:
    A device on the path rewrites or damages packets and repairs the checksum: an address translator with a helper for another
    protocol, broken memory in a router or network card, a faulty offload engine, or somebody who injects data.

Remedy:
    Find the hop: compare captures from both ends of each device. Turn off helpers (SIP ALG and the like) and offloads one by one
    (ethtool -K DEVICE rx off tx off gro off tso off); replace what is broken.

Confirm:
    Counters of damaged frames, and both copies side by side:
    $ ethtool -S eth0
    $ nstat -az TcpInCsumErrors IpInHdrErrors
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream} && tcp.len > 0' \
        -T fields -e tcp.srcport -e tcp.seq_raw -e frame.number -e tcp.payload | sort -k1,1n -k2,2n
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis import words
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.refusals import CERTIFICATE_ALERTS
from analyzer.diagnosis.rule import NO_ALERT, Rule, stages_from
from analyzer.diagnosis.rules.path._path import CLOSES, GUESSES
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage

_FAILURE = 40
_BROKEN = frozenset({10, 20, 21, 22, 47, 50, 51, 80}) | CERTIFICATE_ALERTS


class DataCorruption(Rule):
    """Two copies that differ, and a receiver that could not read its own."""

    cause = "data-corruption"
    stages = stages_from(Stage.CLIENT_HELLO_UNACKED, Stage.FINISHED)
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed"})
    alerts = frozenset({NO_ALERT, None, _FAILURE, *_BROKEN})
    signs = Oddity.FAULTY
    explains = (
        "bad-record-mac", "decrypt-error", "decode-error", "unexpected-message", "illegal-parameter", "internal-error", "record-overflow",
        "refused-encrypted", "cert-rejected", "cert-malformed", "cert-private-key-mismatch", "cert-unknown-ca", "cert-weak-signature",
        "cert-chain-constraint", "client-cert-rejected", "client-cert-key-mismatch", "server-params-illegal", "cert-self-signed",
        "cert-missing-intermediate", "cert-expired", "cert-not-yet-valid", "cert-name-mismatch", "cert-no-san", "cert-revoked",
        "cert-weak-key", "cert-bad-purpose", "cert-critical-extension", "cert-pinning", "clock-skew", "tls-interception",
        "cert-chain-disorder", "client-silent-reject", "loss-slow-handshake", *CLOSES, *GUESSES,
    )  # fmt: skip

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        probes = {s.frame for s in handshake.segments if s.length == 1}  # a keep-alive carries a byte of garbage where it has to carry one
        overlaps = [fault for fault in handshake.faults if fault.kind == "overlap" and fault.frame not in probes]
        if not overlaps:
            return None
        alert = handshake.closing_alert
        if alert is not None and alert.description is not None and alert.description not in _BROKEN:
            if not alert.from_client or alert.description != _FAILURE:
                return None  # of a server it is the answer to an offer; Java says it of a signature that does not verify
        for fault in overlaps:
            receiver = "server" if fault.from_client else "client"
            if handshake.aborted_by != receiver:
                continue
            who = words.side(fault.from_client)
            evidence = [Evidence(fault.frame, f"the same bytes of {who}'s stream came twice and differ"), *handshake.closing_evidence]
            summary = f"Bytes of {words.server_text(handshake)} were changed on the way to the client, which refused what it read."
            if receiver == "server":
                summary = f"Bytes from the client were changed on the way to {words.server_text(handshake)}, which refused what it read."
            return self.found("likely" if alert is not None else "possible", summary, evidence, outcome="failed")
        return None
