"""The client-auth family: asked and not sent, sent and refused, read in TLS 1.2 and told from lengths in TLS 1.3."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from analyzer.diagnosis.engine import Diagnosis
from analyzer.model.handshake import Stage
from analyzer.model.hello import CertificateRequest

CLIENT = [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.fixture
def judge():
    def judge(handshake, *neighbours):
        diagnosis = Diagnosis()
        diagnosis.judge_all([handshake, *neighbours])
        assert not diagnosis.bugs, diagnosis.bugs[0].traceback
        return handshake.finding

    return judge


def _asked(make_handshake, certificates, **fields):
    sent = None if certificates is None else bool(certificates)
    return make_handshake(
        Stage.CLIENT_FLIGHT, client_certificate_requested=True, client_certificate_sent=sent,
        **{"client_certificates": tuple(certificates) if certificates is not None else None, **fields},
    )  # fmt: skip


@pytest.mark.parametrize("alert", [40, 42, 50, 116])
def test_none_sent_and_refused(alert, judge, make_handshake):
    finding = judge(_asked(make_handshake, (), server_alert=alert))
    assert (finding.cause, finding.confidence) == ("client-cert-missing", "certain")


@pytest.mark.parametrize("alert", [40, 42, 116])
@pytest.mark.parametrize("openssl", [False, True])
def test_none_sent_to_a_server_that_lists_authorities(openssl, alert, judge, make_handshake):
    """Go, Java and NSS send none when theirs is of another authority; OpenSSL sends what it was given."""
    request = CertificateRequest(certificate_authorities=(b"0\x00",))
    handshake = _asked(make_handshake, (), server_alert=alert, certificate_request=request)
    if openssl:
        handshake.client_hello.ec_point_formats, handshake.client_hello.encrypt_then_mac = (0, 1, 2), True
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("client-cert-missing", "certain" if openssl else "likely")


def test_no_certificate_of_ssl3_is_the_clients_own(judge, make_handshake):
    """A client of SSL 3.0 says with a warning that it has none; the server refuses it for that."""
    handshake = _asked(make_handshake, None, client_alert=41)
    handshake.alerts[0] = replace(handshake.alerts[0], level=1)
    handshake.alerts.append(replace(handshake.alerts[0], frame=11, from_client=False, level=2, description=40, position=9))
    finding = judge(handshake)
    assert (finding.cause, finding.confidence, handshake.aborted_by) == ("client-cert-missing", "certain", "server")


def test_none_sent_and_an_alert_about_something_else(judge, make_handshake):
    finding = judge(_asked(make_handshake, (), server_alert=20))
    assert finding is None or finding.cause != "client-cert-missing"


def test_none_sent_told_from_lengths_is_likely(judge, make_handshake):
    handshake = _asked(make_handshake, (), version=0x0304, server_alert=None, client_certificates=None, client_certificate_inferred=True)
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("client-cert-missing", "likely")


def test_not_asked_is_not_missing(judge, make_handshake):
    handshake = make_handshake(Stage.CLIENT_FLIGHT, client_certificate_requested=False, client_certificate_sent=False, server_alert=40)
    finding = judge(handshake)
    assert finding is None or finding.cause != "client-cert-missing"


@pytest.mark.parametrize(
    ("made", "alert", "cause"),
    [
        ({"uses": CLIENT, "ends": -1}, 45, "client-cert-expired"),
        ({"uses": CLIENT, "ends": -1}, 42, "client-cert-expired"),
        ({"uses": CLIENT, "begins": 2}, 46, "client-cert-expired"),
        ({}, 43, "client-cert-bad-purpose"),
        ({"uses": CLIENT}, 44, "client-cert-revoked"),
    ],
)
def test_sent_and_refused_for_what_it_shows(made, alert, cause, judge, authority, make_handshake):
    certificate = authority.make("client", **made)
    request = CertificateRequest(certificate_authorities=(certificate.issuer_der,))
    finding = judge(_asked(make_handshake, [certificate], server_alert=alert, certificate_request=request))
    assert (finding.cause, finding.confidence) == (cause, "certain")


@pytest.mark.parametrize(
    ("made", "alert", "cause"),
    [
        ({"uses": CLIENT, "ends": -1}, 42, "client-cert-expired"),
        ({"uses": CLIENT, "begins": 2}, 46, "client-cert-expired"),
        ({}, 42, "client-cert-bad-purpose"),
    ],
)
@pytest.mark.parametrize("listed", [(), (b"0\x00",)])
def test_general_alert_proves_no_fault_of_one_whose_issuer_may_be_unknown(listed, made, alert, cause, judge, authority, make_handshake):
    """Go says bad_certificate and Java certificate_unknown of both, and look for the issuer first."""
    request = CertificateRequest(certificate_authorities=listed)
    finding = judge(_asked(make_handshake, [authority.make("client", **made)], server_alert=alert, certificate_request=request))
    assert (finding.cause, finding.confidence) == (cause, "likely")


def test_expired_authority_of_a_client_may_be_passed_by(judge, make_authority, make_handshake):
    old = make_authority("Old", make_authority("Above"), ends=-1)
    leaf = old.make("client", uses=CLIENT)
    request = CertificateRequest(certificate_authorities=(leaf.issuer_der,))
    finding = judge(_asked(make_handshake, [leaf, old.certificate], server_alert=46, certificate_request=request))
    assert (finding.cause, finding.confidence) == ("client-cert-expired", "likely")


def test_clock_of_the_capture_that_was_never_set_dates_no_clients_certificate(judge, authority, make_handshake):
    handshake = _asked(make_handshake, [authority.make("client", uses=CLIENT)], server_alert=42, server_hello_time=1_000_000_000)
    assert judge(handshake).cause != "client-cert-expired"


@pytest.mark.parametrize("asked", [True, False, None])
def test_unknown_ca_is_proved_by_the_servers_own_list(asked, judge, authority, make_handshake):
    """OpenSSL also says unknown_ca where it has no revocation list of a known authority, or may not look so deep."""
    certificate = authority.make("client", uses=CLIENT)
    listed = {True: (certificate.issuer_der,), False: (b"0\x00",), None: ()}[asked]
    request = CertificateRequest(certificate_authorities=listed)
    finding = judge(_asked(make_handshake, [certificate], server_alert=48, certificate_request=request))
    assert (finding.cause, finding.confidence) == ("client-cert-unknown-ca", "certain" if asked is False else "likely")


def test_expired_may_be_the_servers_revocation_list(judge, make_handshake):
    """OpenSSL says certificate_expired of a list that has expired: of a hidden certificate nothing tells the two apart."""
    handshake = _asked(make_handshake, None, version=0x0304, server_alert=45)
    handshake.client_certificate_sent = True
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("client-cert-expired", "likely")
    assert any("revocation list" in item.says for item in finding.evidence)


def test_certificate_required_of_a_client_that_sent_one_is_not_missing(judge, authority, make_handshake):
    finding = judge(_asked(make_handshake, [authority.make("client", uses=CLIENT)], server_alert=116))
    assert finding is None or (finding.cause, finding.confidence) != ("client-cert-missing", "certain")


def test_access_denied_in_answer_to_the_hello(judge, make_handshake):
    """rustls says so when it has no certificate for the name."""
    finding = judge(make_handshake(Stage.CLIENT_HELLO, server_alert=49))
    assert (finding.cause, finding.confidence) == ("access-denied", "likely")


@pytest.mark.parametrize(
    ("made", "alert", "cause"),
    [
        ({"uses": CLIENT}, 49, "access-denied"),  # lighttpd says so of what does not verify
        ({"uses": CLIENT, "ends": -1}, 49, "client-cert-expired"),
        ({"uses": CLIENT, "ends": -1}, 40, "client-cert-expired"),
        ({}, 40, "client-cert-bad-purpose"),  # Erlang
    ],
)
def test_an_alert_that_says_little_of_a_certificate_is_never_certain(made, alert, cause, judge, authority, make_handshake):
    finding = judge(_asked(make_handshake, [authority.make("client", **made)], server_alert=alert))
    assert (finding.cause, finding.confidence) == (cause, "likely")


def test_close_without_alert_over_an_expired_one_is_likely(judge, authority, make_handshake):
    finding = judge(_asked(make_handshake, [authority.make("client", uses=CLIENT, ends=-1)], server_fin_frame=11))
    assert (finding.cause, finding.confidence) == ("client-cert-expired", "likely")


def test_general_alert_over_a_faultless_one_is_not_sure_of_the_issuer(judge, authority, make_handshake):
    finding = judge(_asked(make_handshake, [authority.make("client", uses=CLIENT)], server_alert=42))
    assert finding.cause in ("client-cert-unknown-ca", "client-cert-rejected")
    assert finding.cause != "client-cert-unknown-ca" or finding.confidence != "certain"


def test_issuer_that_was_not_asked_for_is_likely_unknown(judge, authority, make_handshake):
    request = CertificateRequest(certificate_authorities=(b"0\x00",))
    finding = judge(_asked(make_handshake, [authority.make("client", uses=CLIENT)], server_alert=46, certificate_request=request))
    assert (finding.cause, finding.confidence) == ("client-cert-unknown-ca", "likely")


def test_encrypted_refusal_stays_general(judge, make_handshake):
    handshake = _asked(make_handshake, None, version=0x0304, server_alert=None, client_certificate_inferred=True)
    handshake.client_certificate_sent = True
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("client-cert-rejected", "likely")


def test_client_with_a_certificate_of_another_issuer_sends_none(judge, authority, make_handshake):
    elsewhere = _asked(make_handshake, [authority.make("client", uses=CLIENT)], stream=1)
    elsewhere.stage = Stage.ESTABLISHED
    request = CertificateRequest(certificate_authorities=(b"0\x00",))
    finding = judge(_asked(make_handshake, (), server_alert=40, certificate_request=request), elsewhere)
    assert (finding.cause, finding.confidence) == ("client-cert-not-in-ca-list", "likely")


def test_openssl_sends_its_certificate_whatever_the_list(judge, authority, make_handshake):
    elsewhere = _asked(make_handshake, [authority.make("client", uses=CLIENT)], stream=1)
    elsewhere.stage = Stage.ESTABLISHED
    request = CertificateRequest(certificate_authorities=(b"0\x00",))
    handshake = _asked(make_handshake, (), server_alert=40, certificate_request=request)
    handshake.client_hello.ec_point_formats, handshake.client_hello.encrypt_then_mac = (0, 1, 2), True
    assert judge(handshake, elsewhere).cause == "client-cert-missing"


def test_proof_that_does_not_fit(judge, authority, make_handshake):
    handshake = _asked(make_handshake, [authority.make("client", uses=CLIENT)], server_alert=51)
    handshake.messages.insert(-1, handshake.messages[0]._replace(kind="certificate_verify", frame=9))
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("client-cert-key-mismatch", "likely")
    assert any("another key" in item.says for item in finding.evidence)  # OpenSSL says so too of an authority that was made anew


def test_alert_of_the_client_is_no_refusal_by_the_server(judge, authority, make_handshake):
    finding = judge(_asked(make_handshake, [authority.make("client", ends=-1)], client_alert=48))
    assert finding is None or not finding.cause.startswith("client-cert")
