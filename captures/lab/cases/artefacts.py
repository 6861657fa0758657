"""Captures that fall short, cut from good ones: the connection was as the source says, the recording is not."""

from __future__ import annotations

from typing import Any

from ..case import Case

GOOD12, GOOD13 = "completed--openssl-nginx-tls12", "completed--curl-nginx-tls13"
BAD12, BAD13 = "cert-expired--curl-nginx-tls12", "cert-expired--openssl-nginx-tls13"
REFUSED = "no-common-cipher--openssl-nginx-tls12"


def cut(cause: str | None, source: str, variant: str, how: dict[str, Any], arranged: str, **more: Any) -> Case:
    parties = source.split("--")[1].split("-")
    more.setdefault("outcome", "unfinished")
    more.setdefault("by", "unknown")
    more.setdefault("alert", None)
    return Case(cause, parties[0], parties[1], variant, made_from=source, cut=how, arranged=f"{arranged} (Cut from {source}.)", **more)


SNAP = "The recording keeps the first 96 octets of each frame."
ONE_WAY = "The recording holds one direction only."
CASES = [
    cut(None, GOOD12, "snaplen-completed-tls12", {"do": "snaplen", "size": 96}, SNAP, outcome="completed", by="none", also=("cap-snaplen",), notice="Notice record headers, and application data both ways, which survive the cut."),
    cut(None, GOOD13, "snaplen-completed-tls13", {"do": "snaplen", "size": 96}, SNAP, outcome="completed", by="none", also=("cap-snaplen",), notice="Notice record headers, and application data both ways, which survive the cut."),
    cut("cert-rejected", "cert-expired--gnutls-nginx-tls12", "snaplen-refused-tls12", {"do": "snaplen", "size": 96}, SNAP, outcome="failed", by="client", also=("cap-snaplen",), alert={"description": "bad_certificate", "from": "client", "encrypted": False},
        notice="Notice that the alert can be read and the certificate cannot."),
    cut("cap-snaplen", GOOD12, "headers-only", {"do": "snaplen", "size": 60}, "The recording keeps the first 60 octets of each frame, not even all of the TCP header.", notice="Notice that no payload is left at all."),
    cut("cap-one-way", GOOD12, "client-only-tls12", {"do": "one-way", "keep": "client"}, ONE_WAY, notice="Notice the client's acknowledgements growing: the server did answer."),
    cut("cap-one-way", GOOD12, "server-only-tls12", {"do": "one-way", "keep": "server"}, ONE_WAY, notice="Notice a ServerHello without a ClientHello."),
    cut("cap-one-way", GOOD13, "client-only-tls13", {"do": "one-way", "keep": "client"}, ONE_WAY, notice="Notice the client's acknowledgements growing: the server did answer."),
    cut("cert-expired", BAD12, "one-way-client-only-failed", {"do": "one-way", "keep": "client"}, ONE_WAY, outcome="failed", by="client", also=("cap-one-way",), alert={"description": "certificate_expired", "from": "client", "encrypted": False}, notice="Notice the client's alert, which says enough although the server's side is missing."),
    cut("cap-one-way", REFUSED, "client-only-refused", {"do": "one-way", "keep": "client"}, ONE_WAY, notice="Notice that the server's alert is on the side that is missing."),
    cut("cap-mid-stream", GOOD12, "after-handshake", {"do": "late", "start": 14}, "The recording begins after the handshake.", notice="Notice the absence of a SYN, and records of application data."),
    cut(None, GOOD13, "mid-stream-after-client-hello", {"do": "late", "start": 5}, "The recording begins after the ClientHello.", outcome="completed", by="none", also=("cap-mid-stream",), notice="Notice the absence of a SYN and of a ClientHello."),
    cut("cert-expired", BAD12, "mid-stream-after-server-hello", {"do": "late", "start": 8}, "The recording begins in the middle of the server's flight.", notice="Notice the absence of a SYN and of both hellos; the alert remains.", outcome="failed", by="client", also=("cap-mid-stream",), alert={"description": "certificate_expired", "from": "client", "encrypted": False}),
    cut("cap-ended-early", GOOD12, "after-client-hello", {"do": "early", "stop": 5}, "The recording ends after the ClientHello.", notice="Notice that the file ends a few milliseconds after the last packet: nobody waited for long."),
    cut("cap-ended-early", GOOD12, "after-server-hello", {"do": "early", "stop": 7}, "The recording ends in the middle of the server's flight.", notice="Notice that the file ends a few milliseconds after the last packet: nobody waited for long."),
    cut("cap-ended-early", GOOD13, "after-server-flight", {"do": "early", "stop": 9}, "The recording ends after the server's flight.", notice="Notice that the file ends a few milliseconds after the last packet: nobody waited for long."),
    cut("cap-ended-early", GOOD13, "after-syn", {"do": "early", "stop": 1}, "The recording ends after the SYN.", notice="Notice that a single SYN at the end of a file says nothing."),
    cut(None, GOOD12, "drops-server-flight", {"do": "missing", "numbers": [8, 10]}, "The recorder missed two frames of the server's flight.", notice="Notice acknowledgements for bytes that were never recorded.", outcome="completed", by="none", also=("cap-drops",)),
    cut(None, GOOD12, "drops-client-hello", {"do": "missing", "numbers": [4]}, "The recorder missed the ClientHello.", notice="Notice acknowledgements for bytes that were never recorded.", outcome="completed", by="none", also=("cap-drops",)),
    cut("cert-expired", BAD13, "drops-server-flight-failed", {"do": "missing", "numbers": [8]}, "The recorder missed a frame of the server's flight.", notice="Notice acknowledgements for bytes that were never recorded; the alert remains.", outcome="failed", by="client", also=("cap-drops",), alert={"description": "certificate_expired", "from": "client", "encrypted": False}),
    cut("cap-drops", REFUSED, "alert", {"do": "missing", "numbers": [6]}, "The recorder missed the server's alert.", notice="Notice a close whose sequence number says that seven octets came before it."),
    cut(None, GOOD12, "tls12-each-frame-twice", {"do": "twice"}, "A mirror port delivered each frame twice.", outcome="completed", by="none", also=("cap-duplicates",), notice="Notice that nothing was retransmitted: the copies come within a millisecond, with the same IP-ID."),
    cut(None, GOOD13, "tls13-each-frame-twice-routed", {"do": "twice", "ttl": 1, "gap": 80_000}, "A mirror of two ports delivered each frame before and after a router.", outcome="completed", by="none", also=("cap-duplicates",), notice="Notice copies whose TTL is smaller by one."),
    cut("no-common-cipher", REFUSED, "each-frame-twice", {"do": "twice"}, "A mirror port delivered each frame twice.", outcome="failed", by="server", alert={"description": "handshake_failure", "from": "server", "encrypted": False}, also=("cap-duplicates",), notice="Notice one alert, recorded twice."),
    cut("sni-filter-rst", "sni-filter-rst--go-nginx-both-ends", "each-frame-twice", {"do": "twice"}, "A mirror port delivered each frame twice.", outcome="failed", by="middlebox", also=("cap-duplicates",), notice="Notice that the copies are not what makes the resets suspicious."),
    cut(None, GOOD12, "tls12-unsorted", {"do": "disorder"}, "Two recordings were merged without sorting, and the server's frames come too late in the file.", outcome="completed", by="none", also=("cap-reordered",), notice="Notice time stamps that go backwards; sequence numbers tell the order."),
    cut(None, GOOD13, "tls13-unsorted", {"do": "disorder", "shift": 40_000_000}, "Two recordings were merged without sorting, and the server's frames come too late in the file.", outcome="completed", by="none", also=("cap-reordered",), notice="Notice time stamps that go backwards; sequence numbers tell the order."),
    cut(None, GOOD12, "tls12-both-sides-of-nat", {"do": "nat"}, "The recording holds both sides of an address translator.", outcome="completed", by="none", also=("cap-nat-double",), notice="Notice two flows with the same sequence numbers and the same random: one handshake."),
    cut("cert-expired", BAD12, "both-sides-of-nat", {"do": "nat"}, "The recording holds both sides of an address translator.", outcome="failed", by="client", alert={"description": "certificate_expired", "from": "client", "encrypted": False}, also=("cap-nat-double",), notice="Notice two flows with the same sequence numbers and the same random: one failure, not two."),
    cut(None, GOOD12, "tls12-vxlan", {"do": "vxlan"}, "The recording was made on a VXLAN underlay.", outcome="completed", by="none", also=("cap-encapsulation",), notice="Notice the handshake inside UDP port 4789."),
    cut(None, GOOD13, "tls13-gre", {"do": "gre"}, "The recording was made on a GRE tunnel.", outcome="completed", by="none", also=("cap-encapsulation",), notice="Notice the handshake inside IP protocol 47."),
    cut(None, GOOD12, "tls12-vlan", {"do": "vlan", "tags": 1}, "The recording was made on a trunk port.", outcome="completed", by="none", notice="Notice the VLAN tag."),
    cut("cert-expired", BAD12, "double-vlan", {"do": "vlan", "tags": 2}, "The recording was made on a provider's trunk with two tags.", outcome="failed", by="client", alert={"description": "certificate_expired", "from": "client", "encrypted": False}, also=("cap-encapsulation",), notice="Notice the two VLAN tags."),
    cut(None, GOOD13, "tls13-foreign-key-log", {"do": "keys-of", "other": "completed--go-nginx-tls13", "keep_foreign_keys": True}, "The key log beside the capture belongs to another connection.", outcome="completed", by="none", also=("cap-keylog-mismatch",), notice="Notice that no line of the key log has this connection's random."),
    cut("cert-rejected", "cert-expired--go-nginx-tls13", "foreign-key-log", {"do": "keys-of", "other": "completed--go-nginx-tls13", "keep_foreign_keys": True}, "The key log beside the capture belongs to another connection.", outcome="failed", by="client",
        alert={"description": "bad_certificate", "from": "client", "encrypted": True}, also=("cap-keylog-mismatch",), notice="Notice that no line of the key log has this connection's random, so that the reason stays hidden."),
    # recorded, not cut
    Case(None, "curl", "nginx", "tls13-offload", c={}, s={"cert": "large"}, network={"offload": True, "forward": "kernel"}, also=("cap-offload",), arranged="Segmentation offload is on, as on most hosts, and the recording is made at the client.", notice="Notice frames larger than any link carries, and checksums that are not yet computed."),
    Case(None, "node24", "nginx", "tls13-offload-large-hello", c={}, network={"offload": True, "forward": "kernel"}, also=("cap-offload",), arranged="Segmentation offload is on, and the client's hello is larger than a packet.", notice="Notice a ClientHello in one frame that no link carries as one."),
    Case("cert-expired", "curl", "nginx", "tls12-offload", c={"max": "1.2"}, s={"cert": "expired", "max": "1.2"}, network={"offload": True, "forward": "kernel"}, by="client", also=("cap-offload",), at="server", arranged="Segmentation offload is on, and the recording is made at the server.", notice="Notice the server's flight in one frame."),
]  # fmt: skip

# The same failure recorded at both ends.
for at in ("client", "server"):
    CASES.append(Case("cert-unknown-ca", "curl", "nginx", f"recorded-at-{at}", c={"max": "1.2"}, s={"cert": "unknown-ca", "max": "1.2"}, at=at, by="client", arranged=f"The client does not trust the server's CA; recorded at the {at}.", notice="Notice the same bytes at other times in the recording of the other end."))
    CASES.append(Case("no-common-cipher", "openssl", "haproxy", f"recorded-at-{at}", c={"version": "1.2", "ciphers": "ECDHE-RSA-CHACHA20-POLY1305"}, s={"max": "1.2", "ciphers": "ECDHE-RSA-AES256-GCM-SHA384"}, at=at, by="server", arranged=f"The client offers ChaCha20 only, the server has AES only; recorded at the {at}.", notice="Notice the same bytes at other times in the recording of the other end."))
    CASES.append(Case(None, "openssl", "nginx", f"tls13-recorded-at-{at}", at=at, arranged=f"A sound handshake, recorded at the {at}.", notice="Notice the same bytes at other times in the recording of the other end."))
