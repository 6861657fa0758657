"""Stacks and habits of which there is no recording, as flights of bytes: the verdict must be sane and never surely wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from flights import (
    Conversation,
    Wire,
    alert,
    application,
    ccs,
    certificate_message,
    extension,
    finish12,
    hello,
    hidden,
    key_exchange,
    message,
    numbers,
    record,
    retry_request,
    server_flight12,
    server_hello,
    vector,
)

FLIGHT = (hidden(40), hidden(1200), hidden(281), hidden(53))  # EncryptedExtensions, Certificate, CertificateVerify, Finished
TALK = (application(120), application(600))


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    return Wire(tmp_path / "flights.pcap")


def judged(wire: Wire, **options):
    (handshake,) = wire.read(**options)
    return handshake


def said(handshake) -> tuple[str, str | None, str | None]:
    finding = handshake.finding
    return handshake.outcome, finding.cause if finding else None, finding.confidence if finding else None


def went_on(talk: Conversation) -> Conversation:
    """Data both ways, and a close in good order."""
    return talk.client(application(120)).server(application(600)).client(hidden(19)).close(True)


# -- handshakes that are complete, each in its own way ---------------------------------------------


def plain13(talk):
    talk.client(hello()).server(server_hello() + ccs() + b"".join(FLIGHT)).client(ccs() + hidden(53))


def padded13(talk):
    """Records padded to whole kilobytes (RFC 8446 section 5.4)."""
    talk.client(hello()).server(server_hello() + ccs() + hidden(2048 + 17)).client(ccs() + hidden(256 + 17))


def padded_to_512(talk):
    talk.client(hello()).server(server_hello() + ccs() + b"".join(hidden(size) for size in (529, 1553, 529, 529))).client(hidden(529))


def coalesced13(talk):
    talk.client(hello()).server(server_hello() + hidden(40 + 1200 + 281 + 53 - 3 * 17)).client(ccs() + hidden(53) + application(99))


def half_rtt13(talk):
    """Tickets and data before the client's Finished (RFC 8446 section 4.4.4, rustls and BoringSSL)."""
    flight = b"".join(FLIGHT)
    talk.client(hello()).server(server_hello() + ccs() + flight + hidden(250) + hidden(250)).client(ccs() + hidden(53))


def without_ccs(talk):
    """No compatibility mode: an empty session id and no ChangeCipherSpec (RFC 8446 appendix D.4)."""
    empty = {"session_id": b""}
    talk.client(hello(**empty)).server(server_hello(**empty) + b"".join(FLIGHT)).client(hidden(53))


def psk_only(talk):
    ticket = extension(41, vector(2, vector(2, b"I" * 100) + b"AGE!") + vector(2, vector(1, b"B" * 32)))
    talk.client(hello(extra=ticket)).server(server_hello(psk=True) + ccs() + hidden(23) + hidden(53)).client(ccs() + hidden(53))


def ech_accepted(talk):
    outer = extension(0xFE0D, b"\0\0\x01\0\x01\x05" + vector(2, b"E" * 32) + vector(2, b"P" * 200))
    talk.client(hello("cloudflare-ech.com", extra=outer)).server(server_hello() + ccs() + b"".join(FLIGHT)).client(ccs() + hidden(53))


def retried13(talk):
    talk.client(hello()).server(retry_request() + ccs()).client(ccs() + hello())
    talk.server(server_hello() + b"".join(FLIGHT)).client(hidden(53))


def split_hello(talk):
    """A post-quantum hello of two segments."""
    whole = hello(extra=extension(0x6399, b"Q" * 1300))
    talk.client(whole[:1400], acknowledged=False).client(whole[1400:]).server(server_hello() + ccs() + b"".join(FLIGHT))
    talk.client(ccs() + hidden(53))


def hello_in_many_records(talk):
    body = hello()[5:]
    talk.client(b"".join(record(22, body[at : at + 50]) for at in range(0, len(body), 50)))
    talk.server(server_hello() + ccs() + b"".join(FLIGHT)).client(ccs() + hidden(53))


def tiny_segments(talk):
    """lwIP on a microcontroller."""
    whole = hello()
    for at in range(0, len(whole), 48):
        talk.client(whole[at : at + 48], acknowledged=at % 96 == 0)
    flight = server_hello() + ccs() + b"".join(FLIGHT)
    for at in range(0, len(flight), 128):
        talk.server(flight[at : at + 128])
    talk.client(ccs() + hidden(53))


def plain12(talk):
    talk.client(hello(tls13=False)).server(server_flight12()).client(key_exchange() + finish12()).server(finish12())


def one_record12(talk):
    """Schannel: the whole flight in one record."""
    talk.client(hello(tls13=False)).server(server_flight12(one_record=True)).client(key_exchange() + finish12()).server(finish12())


def false_start(talk):
    """Data of the client before the server's Finished (RFC 7918), and a ticket."""
    talk.client(hello(tls13=False)).server(server_flight12()).client(key_exchange() + finish12() + application(300))
    talk.server(record(22, message(4, bytes(4) + vector(2, b"T" * 180))) + finish12())


def next_protocol(talk):
    """NPN: an encrypted NextProtocol before the Finished."""
    talk.client(hello(tls13=False, extra=extension(13172, b""))).server(server_flight12())
    talk.client(key_exchange() + ccs() + record(22, b"n" * 56) + record(22, b"f" * 40)).server(finish12())


def resumed12(talk):
    talk.client(hello(tls13=False, extra=extension(35, b"T" * 180))).server(server_hello(tls13=False) + finish12()).client(finish12())


def warned12(talk):
    """unrecognized_name as a warning (RFC 6066), and on it goes."""
    talk.client(hello(tls13=False)).server(alert(112, 1) + server_flight12()).client(key_exchange() + finish12()).server(finish12())


COMPLETE = [
    plain13, padded13, padded_to_512, coalesced13, half_rtt13, without_ccs, psk_only, ech_accepted, retried13, split_hello,
    hello_in_many_records, tiny_segments, plain12, one_record12, false_start, next_protocol, resumed12, warned12,
]  # fmt: skip


@pytest.mark.parametrize("shake", COMPLETE, ids=lambda shake: shake.__name__)
def test_a_whole_handshake_is_completed(wire, shake):
    talk = wire.connect()
    shake(talk)
    went_on(talk)
    handshake = judged(wire)
    assert (handshake.outcome, handshake.aborted_by, handshake.finding) == ("completed", "none", None), said(handshake)


@pytest.mark.parametrize("shake", COMPLETE, ids=lambda shake: shake.__name__)
@pytest.mark.parametrize("end", ["reset by the client", "reset by the server", "idle close of the server", "nothing more"])
def test_how_it_ends_after_data_does_not_matter(wire, shake, end):
    talk = wire.connect()
    shake(talk)
    talk.client(application(120)).server(application(600))
    if end == "idle close of the server":
        talk.packet(False, 24, hidden(19), wait=60_000).close(False, wait=0.1)
    elif end != "nothing more":
        talk.reset(end.endswith("client"), wait=3_000)
    assert said(judged(wire)) == ("completed", None, None)


@pytest.mark.parametrize("shake", [plain13, half_rtt13, without_ccs, psk_only, padded13], ids=lambda shake: shake.__name__)
def test_a_server_that_tires_of_a_silent_client_refused_nothing(wire, shake):
    talk = wire.connect()
    shake(talk)
    talk.server(hidden(250)).packet(False, 24, hidden(19), wait=60_000).close(False, wait=0.1)
    assert said(judged(wire))[0] == "completed"


@pytest.mark.parametrize("ticket", [False, True])
def test_a_client_of_two_byte_messages_says_no_goodbye(wire, ticket):
    talk = wire.connect()
    plain13(talk)
    if ticket:
        talk.server(hidden(250))
    talk.client(hidden(19)).server(hidden(19)).client(hidden(19)).server(hidden(19)).close(True)
    assert said(judged(wire))[0] == "completed"


# -- refusals of stacks that were not recorded -----------------------------------------------------


def sane(handshake, by: str, causes: set[str | None], certain: set[str] = frozenset()) -> None:
    outcome, cause, confidence = said(handshake)
    assert (outcome, handshake.aborted_by) == ("failed", by), (outcome, cause, confidence, handshake.aborted_by)
    assert cause in causes, (cause, confidence, handshake.finding.summary)
    assert confidence != "certain" or cause in certain, (cause, handshake.finding.summary)


OFFER = {
    "server-rst-after-hello",
    "no-common-cipher",
    "client-version-too-old",
    "cert-key-type-mismatch",
    "sni-unrecognized",
    "no-common-group",
}
SILENT = {"client-silent-reject", "client-closed-mid-handshake", "cert-malformed", "cert-self-signed", "cert-unknown-ca", "cert-rejected"}


def test_schannel_resets_what_it_has_nothing_in_common_with(wire):
    wire.connect().client(hello(tls13=False, suites=(0xC02B,))).reset(False)
    sane(judged(wire), "server", OFFER)


def test_schannel_client_resets_over_a_certificate(wire):
    wire.connect().client(hello(tls13=False)).server(server_flight12()).reset(True, wait=40)
    sane(judged(wire), "client", SILENT, {"cert-malformed"})


def test_dotnet_closes_over_a_hidden_certificate(wire):
    wire.connect().client(hello()).server(server_hello() + ccs() + b"".join(FLIGHT)).close(True, wait=30)
    sane(judged(wire), "client", SILENT)


def test_windows_tries_a_refused_port_three_times(wire):
    talk = Conversation(wire)
    for number in range(3):
        talk.number[True] = 1_000
        talk.packet(True, 2, wait=500 if number else 1)
        talk.packet(False, 20, wait=20)
    handshakes = wire.read()
    assert len(handshakes) == 1
    assert said(handshakes[0])[:2] == ("failed", "tcp-syn-refused")


def test_a_content_network_refuses_without_a_name(wire):
    wire.connect().client(hello(None)).server(alert(40)).close(False)
    sane(judged(wire), "server", {"sni-missing"})


@pytest.mark.parametrize("description", [40, 42, 116])
def test_go_wants_a_client_certificate_in_tls12(wire, description):
    talk = wire.connect().client(hello(tls13=False)).server(server_flight12(request=True))
    talk.client(record(22, certificate_message()) + key_exchange() + finish12()).server(alert(description)).close(False)
    sane(judged(wire), "server", {"client-cert-missing"}, {"client-cert-missing"})


def test_a_hidden_demand_for_a_client_certificate(wire):
    flight = (hidden(40), hidden(60), *FLIGHT[1:])
    talk = wire.connect().client(hello()).server(server_hello() + ccs() + b"".join(flight))
    talk.client(ccs() + hidden(25) + hidden(53)).packet(False, 24, hidden(19), wait=3).close(False, wait=0.1)
    sane(judged(wire), "server", {"client-cert-missing", "client-cert-rejected"})


def test_erlang_says_handshake_failure_about_a_certificate(wire):
    wire.connect().client(hello(tls13=False)).server(server_flight12(der=b"\x30\x82")).client(alert(40)).close(True)
    sane(judged(wire), "client", {"cert-malformed", "cert-rejected", "cert-weak-key", "dh-key-too-small", "refused-encrypted",
                                  "insufficient-security", "client-closed-mid-handshake", "server-params-illegal", None}, {"cert-malformed"})  # fmt: skip


def test_libressl_refuses_an_older_version(wire):
    answer = bytearray(server_flight12())
    answer[9:11] = b"\x03\x01"
    wire.connect().client(hello(tls13=False)).server(bytes(answer)).client(alert(70)).close(True)
    sane(judged(wire), "client", {"client-version-too-new"}, {"client-version-too-new"})


def test_mbedtls_closes_where_no_group_is_shared(wire):
    wire.connect().client(hello()).close(False, wait=25)
    sane(judged(wire), "server", {"server-fin-after-hello", "no-common-group"})


def test_a_balancer_in_tcp_mode_without_a_backend(wire):
    wire.connect().close(False, wait=1)
    outcome, cause, confidence = said(judged(wire))
    assert outcome in ("no-handshake", "failed") and cause in ("lb-no-backend", None) and confidence != "certain"


def test_a_balancer_resets_after_the_hello(wire):
    wire.connect().client(hello()).reset(False, wait=3_000)
    sane(judged(wire), "server", {"server-rst-after-hello", "lb-no-backend", "idle-timeout-reset", "sni-unrecognized"})


def test_goodbye_in_place_of_an_answer(wire):
    wire.connect().client(hello()).server(alert(0, 1)).close(False)
    sane(judged(wire), "server", {"server-closed-mid-handshake"})


def test_ssl3(wire):
    wire.connect().client(hello(tls13=False, legacy=0x0300, record_version=0x0300)).server(alert(40, version=0x0300)).close(False)
    sane(judged(wire), "server", {"sslv2-or-v3-hello"}, {"sslv2-or-v3-hello"})


def test_datagram_tls_over_tcp(wire):
    fragment = b"\x01\0\0\x50" + bytes(8) + b"\xfe\xfd" + bytes(60)
    wire.connect().client(b"\x16\xfe\xfd" + bytes(8) + vector(2, fragment)).close(False, wait=20)
    sane(judged(wire), "server", {"non-tls-client-bytes"}, {"non-tls-client-bytes"})


def test_ech_required(wire):
    outer = extension(0xFE0D, b"\0\0\x01\0\x01\x05" + vector(2, b"E" * 32) + vector(2, b"P" * 200))
    talk = wire.connect().client(hello("cloudflare-ech.com", extra=outer)).server(server_hello() + ccs() + b"".join(FLIGHT))
    talk.client(ccs() + hidden(53) + hidden(19)).close(True)
    outcome, cause, confidence = said(judged(wire))
    assert confidence != "certain" and cause in (None, "ech-failure", "client-silent-reject", "cert-rejected"), (outcome, cause)


def test_a_middle_box_behind_a_syn_proxy(wire):
    """The TTL of the SYN-ACK is the proxy's own: a reset with the server's is no forgery."""
    talk = Conversation(wire)
    talk.packet(True, 2)
    talk.packet(False, 18, wait=20, ttl=250)
    talk.packet(True, 16)
    talk.client(hello()).reset(False, wait=30)
    handshake = judged(wire)
    assert (handshake.aborted_by, said(handshake)[2]) in {("server", "likely"), ("server", "possible"), ("middlebox", "likely")}


def test_a_large_hello_refused_for_another_reason(wire):
    whole = hello(extra=extension(0x6399, b"Q" * 1300))
    wire.connect().client(whole[:1400], acknowledged=False).client(whole[1400:]).server(alert(47)).close(False)
    handshake = judged(wire)
    assert said(handshake)[0] == "failed" and said(handshake)[2] != "certain"


def test_an_illegal_answer_and_silence(wire):
    """A server stops in the middle of its flight, and the capture goes on."""
    talk = wire.connect().client(hello(tls13=False)).server(server_flight12()[:400])
    wire.pause(20)
    other = wire.connect(server="198.51.100.9")
    plain12(other)
    went_on(other)
    stuck = next(h for h in wire.read() if h.flow.client_port == talk.ends[True][1])
    assert said(stuck)[2] != "certain" and stuck.aborted_by != "client"


def test_numbers_of_other_worlds(wire):
    """Suites, groups, versions nobody knows."""
    strange = numbers(0x7A7A, 0xFE00, 0xFFFE)
    extra = extension(0xABCD, b"?" * 30)
    wire.connect().client(hello(suites=(0x7A7A, 0xFE00, 0xFFFE), extra=extra)).server(alert(40)).close(False)
    assert strange
    sane(judged(wire), "server", {"no-common-cipher", "cert-key-type-mismatch"})


@pytest.mark.parametrize("description", [1, 21, 30, 41, 60, 61, 99, 111, 114, 117, 122, 200, 255])
@pytest.mark.parametrize("from_client", [True, False])
def test_alerts_nobody_sends(wire, description, from_client):
    talk = wire.connect().client(hello(tls13=False))
    if from_client:
        talk.server(server_flight12()).client(alert(description)).close(True)
    else:
        talk.server(alert(description)).close(False)
    handshake = judged(wire)
    outcome, cause, confidence = said(handshake)
    assert outcome == "failed" and handshake.aborted_by == ("client" if from_client else "server")
    assert confidence != "certain" or (cause, description) in {("cert-rejected", 41), ("cert-rejected", 114), ("cert-malformed", 42)}, cause
