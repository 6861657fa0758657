"""The certificate family on certificates made for the purpose: which fault, how sure, and what is no cause."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from analyzer.diagnosis.engine import Diagnosis
from analyzer.diagnosis.refusals import is_openssl
from analyzer.model.handshake import Dialogue, Segment, Stage
from analyzer.model.hello import ServerKeyExchange
from analyzer.model.options import Options


@pytest.fixture
def judge(ca_file):
    def judge(handshake, *neighbours):
        diagnosis = Diagnosis(Options(ca_file=ca_file))
        diagnosis.judge_all([handshake, *neighbours])
        assert not diagnosis.bugs, diagnosis.bugs[0].traceback
        return handshake.finding

    return judge


def _faulty_chains(authority, make_authority):
    other = make_authority("Somebody Else")
    middle = make_authority("Middle", authority)
    not_ca = authority.make("leaf-as-ca.example")
    stranger = type("Signer", (), {"key": None, "subject": None})()
    loaded = ec.generate_private_key(ec.SECP256R1())
    stranger.key = loaded
    stranger.subject = authority.subject
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    return {
        "cert-expired": [authority.make(ends=-1)],
        "cert-not-yet-valid": [authority.make(begins=1)],
        "cert-self-signed": [authority.make(self_signed=True)],
        "cert-unknown-ca": [other.make(), other.certificate],
        "cert-name-mismatch": [authority.make(names=["elsewhere.example"])],
        "cert-no-san": [authority.make(san=False)],
        "cert-weak-key": [authority.make(key=rsa.generate_private_key(65537, 1024))],
        "cert-bad-purpose": [authority.make(uses=[ExtendedKeyUsageOID.CLIENT_AUTH])],
        "cert-critical-extension": [authority.make(extra=[(unknown, True)])],
        "cert-missing-intermediate": [
            middle.make(
                extra=[(x509.AuthorityInformationAccess([x509.AccessDescription(
                    x509.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://a.example/m.crt"))]), False)]
            )
        ],
        "cert-chain-constraint": [make_authority("Deep", middle, path_length=0).make(authority=True, uses=[])],
    }, not_ca  # fmt: skip


ALERTS = {
    "cert-expired": 45, "cert-not-yet-valid": 42, "cert-self-signed": 48, "cert-unknown-ca": 48, "cert-name-mismatch": 42,
    "cert-bad-purpose": 43,
}  # fmt: skip


@pytest.mark.parametrize("cause", ALERTS)
def test_fault_with_the_alert_that_fits_is_certain(cause, judge, authority, make_authority, make_handshake):
    chains, _ = _faulty_chains(authority, make_authority)
    finding = judge(make_handshake(chain=chains[cause], client_alert=ALERTS[cause]))
    assert (finding.cause, finding.confidence) == (cause, "certain")
    assert 10 in [item.frame for item in finding.evidence]
    assert 7 in [item.frame for item in finding.evidence]
    assert finding.remedy
    assert any("198.51.100.2:443" in command for command in finding.confirm)


@pytest.mark.parametrize(
    ("cause", "alert"),
    [
        ("cert-no-san", 42), ("cert-weak-key", 46), ("cert-missing-intermediate", 48),
        ("cert-bad-purpose", 42), ("cert-critical-extension", 46), ("cert-expired", 46), ("cert-not-yet-valid", 46),
    ],
)  # fmt: skip
def test_fault_that_many_pass_by_is_no_more_than_likely(cause, alert, judge, authority, make_authority, make_handshake):
    """Java takes a common name and a short key, and a private root may have signed a leaf that says where its issuer is. Go and Java
    look for a path to a root of theirs before they look at purposes and extensions, and Java before it looks at dates."""
    chains, _ = _faulty_chains(authority, make_authority)
    finding = judge(make_handshake(chain=chains[cause], client_alert=alert))
    assert (finding.cause, finding.confidence) == (cause, "likely")


def test_client_that_asks_by_address(judge, authority, make_authority, make_handshake):
    """The store tells of the issuer; OpenSSL has another word for one it does not know, Go and Java have not."""
    unknown = make_authority("Somebody")
    own, others = [authority.make("leaf"), authority.certificate], [unknown.make("leaf"), unknown.certificate]
    for chain, alert, openssl, expected in (
        (own, 42, True, ("cert-name-mismatch", "likely")),
        (own, 46, False, ("cert-name-mismatch", "likely")),
        (others, 42, True, ("cert-name-mismatch", "likely")),
        (others, 42, False, ("cert-unknown-ca", "likely")),
        (others, 48, True, ("cert-unknown-ca", "certain")),
    ):
        handshake = make_handshake(chain=chain, name=None, client_alert=alert)
        finding = judge(_as_openssl(handshake) if openssl else handshake)
        assert (finding.cause, finding.confidence) == expected, (alert, openssl)
        assert ("198.51.100.2," in finding.summary) == (expected[0] == "cert-name-mismatch")


def test_client_that_asks_by_an_address_that_is_covered_or_after_a_dialogue(judge, make_authority, make_handshake):
    unknown = make_authority("Somebody")
    san = (x509.SubjectAlternativeName([x509.IPAddress(ip_address("198.51.100.2"))]), False)
    covered = make_handshake(chain=[unknown.make("leaf", san=False, extra=[san]), unknown.certificate], name=None, client_alert=42)
    assert judge(covered).cause == "cert-unknown-ca"
    mail = make_handshake(chain=[unknown.make("leaf"), unknown.certificate], name=None, client_alert=42)
    mail.dialogue = Dialogue("smtp-starttls", "agreed")
    assert judge(mail).cause == "cert-unknown-ca"


_OPENSSL_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B, 0x0804)
_OF_VERSION_4 = (0x0905, 0x0906, 0x0904, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x081A, 0x081B, 0x081C, 0x0809, 0x080A)


@pytest.mark.parametrize(
    ("formats", "schemes", "expected"),
    [
        ((0, 1, 2), (), True),
        ((0,), _OPENSSL_SCHEMES, True),
        ((), _OF_VERSION_4, True),
        ((0,), _OPENSSL_SCHEMES[:5] + (0x0804,), False),  # Java's order
        ((0,), (), False),
    ],
)
def test_openssl_is_known_without_its_point_formats_too(formats, schemes, expected, make_handshake):
    hello = make_handshake().client_hello
    hello.ec_point_formats, hello.signature_schemes, hello.encrypt_then_mac = formats, schemes, True
    assert is_openssl(hello) is expected
    hello.encrypt_then_mac = False
    assert not is_openssl(hello)


def _as_openssl(handshake):
    handshake.client_hello.ec_point_formats, handshake.client_hello.encrypt_then_mac = (0, 1, 2), True
    return handshake


@pytest.mark.parametrize(
    ("cause", "alert", "confidence"),
    [
        ("cert-weak-key", 42, "certain"),
        ("cert-weak-key", 46, "likely"),
        ("cert-expired", 45, "certain"),
        ("cert-expired", 42, "likely"),  # it says 45
        ("cert-bad-purpose", 42, "likely"),  # it says 43
        ("cert-critical-extension", 46, "certain"),
        ("cert-no-san", 42, "likely"),  # it takes the common name
        ("cert-name-mismatch", 42, "certain"),
    ],
)
def test_openssl_has_its_own_words(cause, alert, confidence, judge, authority, make_authority, make_handshake):
    chains, _ = _faulty_chains(authority, make_authority)
    finding = judge(_as_openssl(make_handshake(chain=chains[cause], client_alert=alert)))
    assert (finding.cause, finding.confidence) == (cause, confidence)


@pytest.mark.parametrize(
    ("made", "alert", "confidence"),
    [
        ({"names": ["elsewhere.example"]}, 46, "likely"),  # a Java program that compares no names says 46 of an unknown issuer
        ({"uses": [ExtendedKeyUsageOID.CLIENT_AUTH]}, 42, "likely"),
        ({"ends": -1}, 42, "certain"),  # whoever looks minds that, however little is known of the issuer
    ],
)
def test_general_alert_over_a_fault_and_an_unknown_issuer(made, alert, confidence, judge, make_authority, make_handshake):
    other = make_authority("Somebody Else")
    finding = judge(make_handshake(chain=[other.make(**made)], client_alert=alert))
    assert finding.confidence == confidence


@pytest.mark.parametrize(("lacks", "confidence"), [("", "likely"), ("hello", "possible"), ("clock", "possible")])
def test_unknown_issuer_is_a_guess_where_name_or_dates_cannot_be_judged(lacks, confidence, judge, make_authority, make_handshake):
    handshake = make_handshake(chain=[make_authority("Somebody Else").make()], client_alert=46)
    if lacks == "hello":
        handshake.client_hello = None
    elif lacks == "clock":
        handshake.server_hello_time = 1_000_000_000
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("cert-unknown-ca", confidence)


def test_openssl_says_otherwise_of_an_unknown_issuer(judge, make_authority, make_handshake):
    other = make_authority("Somebody Else")
    finding = judge(_as_openssl(make_handshake(chain=[other.make(names=["elsewhere.example"])], client_alert=42)))
    assert (finding.cause, finding.confidence) == ("cert-name-mismatch", "certain")


@pytest.mark.parametrize(("grease", "alert", "confidence"), [(False, 46, "likely"), (True, 46, "certain"), (False, 42, "certain")])
def test_java_compares_names_only_when_told_to(grease, alert, confidence, judge, authority, make_handshake):
    handshake = make_handshake(chain=[authority.make(names=["elsewhere.example"])], client_alert=alert)
    handshake.client_hello.grease = grease
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("cert-name-mismatch", confidence)


def test_mail_servers_may_look_for_a_key_and_not_for_a_name(judge, authority, make_handshake):
    leaf = authority.make(names=["elsewhere.example"])
    for via, confidence in (("smtp-starttls", "likely"), ("imap-starttls", "certain")):
        dialogue = Dialogue(via, "agreed")
        finding = judge(_as_openssl(make_handshake(chain=[leaf], client_alert=42, dialogue=dialogue)))
        assert (finding.cause, finding.confidence) == ("cert-name-mismatch", confidence)


def test_certificate_that_names_no_host_is_not_refused_for_its_names_for_certain(judge, authority, make_handshake):
    """SPIFFE: the client looks for an identity, whatever server_name says."""
    identity = (x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://example/ns/a")]), False)
    finding = judge(make_handshake(chain=[authority.make("workload", san=False, extra=[identity])], client_alert=42))
    assert (finding.cause, finding.confidence) == ("cert-name-mismatch", "likely")


def test_leaf_that_is_an_authority_does_not_stand_before_an_unknown_issuer(judge, make_authority, make_handshake):
    """OpenSSL takes such a leaf: its unknown_ca is for the issuer."""
    other = make_authority("Somebody Else")
    leaf = other.make(authority=True, extra=[(x509.SubjectAlternativeName([x509.DNSName("server.example")]), False)])
    finding = judge(_as_openssl(make_handshake(chain=[leaf], client_alert=48)))
    assert (finding.cause, finding.confidence) == ("cert-unknown-ca", "likely")


def test_broken_constraint_and_an_unknown_root_share_an_alert(judge, make_authority, make_handshake):
    root = make_authority("Somebody Else")
    narrow = make_authority("Narrow", root, path_length=0)
    deep = make_authority("Deep", narrow)
    finding = judge(make_handshake(chain=[deep.make(), deep.certificate, narrow.certificate], client_alert=48))
    assert (finding.cause, finding.confidence) == ("cert-chain-constraint", "likely")


def test_leaf_of_a_private_root_that_says_where_the_root_is(judge, make_authority, make_handshake):
    where = x509.AccessDescription(x509.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://a.example/r.crt"))
    leaf = make_authority("Private Root").make(extra=[(x509.AuthorityInformationAccess([where]), False)])
    assert judge(make_handshake(chain=[leaf], client_alert=48)).cause == "cert-unknown-ca"
    leaf.scts = 2  # no public root signs servers' certificates
    finding = judge(make_handshake(chain=[leaf], client_alert=48))
    assert (finding.cause, finding.confidence) == ("cert-missing-intermediate", "certain")


def test_expired_without_a_chain_to_see_may_be_a_revocation_list(judge, make_handshake):
    """OpenSSL says certificate_expired of the client's own list too."""
    finding = judge(_as_openssl(make_handshake(version=0x0304, client_alert=45)))
    assert (finding.cause, finding.confidence) == ("cert-expired", "likely")


def test_expired_root_that_was_sent(judge, make_authority, make_handshake):
    """OpenSSL and Go look at a root's dates; Java does not, and says unknown of one it has not got."""
    old = make_authority("Old Root", ends=-1)
    leaf = old.make()
    finding = judge(make_handshake(chain=[leaf, old.certificate], client_alert=45))
    assert (finding.cause, finding.confidence) == ("cert-expired", "likely")
    assert judge(make_handshake(chain=[leaf, old.certificate], client_alert=46)).cause == "cert-unknown-ca"


@pytest.mark.parametrize("sent", [False, True])
def test_authority_of_the_servers_own_name_does_not_make_its_certificate_self_signed(sent, judge, make_authority, make_handshake):
    home = make_authority("server.example")
    leaf = home.make()
    assert leaf.self_issued
    finding = judge(make_handshake(chain=[leaf, home.certificate] if sent else [leaf], client_alert=48))
    assert finding.cause == "cert-unknown-ca"


def test_root_of_the_first_version_is_no_broken_constraint(judge, make_authority, make_handshake):
    """It has no extensions to say that it is an authority; OpenSSL's unknown_ca over it is for something else."""
    root = make_authority("Home CA")
    root.certificate.is_ca = None
    finding = judge(_as_openssl(make_handshake(chain=[root.make(), root.certificate], client_alert=48)))
    assert (finding.cause, finding.confidence) == ("cert-unknown-ca", "certain")  # by the store that was given


def test_common_name_counts_beside_addresses_in_the_subject_alternative_name(judge, authority, make_handshake):
    """For OpenSSL and Java, that is: neither refuses such a certificate."""
    address = (x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.7"))]), False)
    finding = judge(make_handshake(chain=[authority.make(san=False, extra=[address])], client_alert=46))
    assert (finding.cause, finding.confidence) == ("cert-no-san", "likely")


@pytest.mark.parametrize("alert", [42, 45, 46])
def test_clock_of_the_capture_that_was_never_set(alert, judge, authority, make_handshake):
    """A capture of 1970, or of a box that lost its battery: every certificate is too young for it."""
    handshake = make_handshake(chain=[authority.make()], client_alert=alert)
    handshake.server_hello_time = 1_000_000_000
    finding = judge(handshake)
    assert finding.cause != "cert-not-yet-valid"
    handshake = make_handshake(chain=[authority.make()], client_alert=alert)
    handshake.server_hello_time -= 6 * 365 * 86_400 * 10**9
    assert judge(handshake).confidence != "certain" or handshake.finding.cause == "cert-rejected"


def test_expired_authority_that_a_root_of_the_store_stands_for(judge, authority, make_authority, make_handshake):
    old = make_authority("Old", authority, ends=-1)
    finding = judge(make_handshake(chain=[old.make(), old.certificate], client_alert=46))
    assert (finding.cause, finding.confidence) == ("cert-expired", "likely")


@pytest.mark.parametrize("cause", ["cert-expired", "cert-name-mismatch", "cert-self-signed", "cert-weak-key"])
def test_fault_beside_a_failure_of_another_kind_is_no_cause(cause, judge, authority, make_authority, make_handshake):
    chains, _ = _faulty_chains(authority, make_authority)
    handshake = make_handshake(Stage.CLIENT_FLIGHT, chain=chains[cause], server_alert=20)
    finding = judge(handshake)
    assert finding is None or finding.cause != cause
    assert cause in [item.cause for item in handshake.also]


def test_client_alert_about_something_else_leaves_the_date_aside(judge, authority, make_handshake):
    handshake = make_handshake(chain=[authority.make(ends=-1)], client_alert=47)
    judge(handshake)
    assert handshake.finding is None or handshake.finding.cause != "cert-expired"
    assert "cert-expired" in [item.cause for item in handshake.also]


def test_silent_close_over_an_expired_chain_is_likely(judge, authority, make_handshake):
    finding = judge(make_handshake(chain=[authority.make(ends=-1)], client_fin_frame=11, client_fin_time=0))
    assert (finding.cause, finding.confidence) == ("cert-expired", "likely")


@pytest.mark.parametrize(("came", "cause"), [(11, "client-closed-mid-handshake"), (0, "cert-self-signed")], ids=["late", "never"])
def test_who_waited_for_the_last_message_had_judged_the_certificate(came, cause, judge, authority, make_handshake):
    """The client sends its Finished, waits a tenth of a second, closes; the server's comes too late, or it had not come that far."""
    chain = [authority.make("elsewhere.example", self_signed=True)]
    handshake = make_handshake(
        Stage.FINISHED if came else Stage.SERVER_HELLO, name="elsewhere.example", chain=chain, client_fin_frame=10, client_fin_time=1,
        client_finished_frame=9 if came else 0, server_finished_frame=came,
    )  # fmt: skip
    if came:
        sent = (
            (1, True, 2, 0, -1, 0),
            (2, False, 18, 0, 1, 0),
            (9, True, 24, 1, 1, 93),
            (10, True, 17, 94, 1, 0),
            (11, False, 24, 1, 94, 51),
        )
        handshake.segments = tuple(
            Segment(frame, 100_000_000 * (frame > 9), mine, flags, number, told, size, size, 100, 64, 0, True, 0, 0, False, False)
            for frame, mine, flags, number, told, size in sent
        )
    assert judge(handshake).cause == cause


@pytest.mark.parametrize(("offers", "confidence"), [(9, "possible"), (2, "likely")])
def test_who_tries_one_offer_after_the_other_leaves_whatever_the_certificate(judge, authority, make_handshake, offers, confidence):
    chain = [authority.make(ends=-1)]
    tries = [make_handshake(chain=chain, client_fin_frame=11, client_fin_time=0, stream=number) for number in range(10)]
    for number, handshake in enumerate(tries):
        handshake.client_hello.cipher_suites = (0xC02B, 0xC000 + number % offers)
    finding = judge(*tries)
    assert (finding.cause, finding.confidence) == ("cert-expired", confidence)


@pytest.mark.parametrize(("also_refused", "also_taken", "confidence"), [((), (), "possible"), (("192.0.2.8",), (), "likely"), ((), ("192.0.2.1",), "likely")],
                         ids=["this client alone", "another too", "this client not always"])  # fmt: skip
def test_certificate_that_one_client_alone_calls_expired(judge, make_handshake, also_refused, also_taken, confidence):
    hidden = {"version": 0x0304, "server_finished_frame": 7}
    others = [
        make_handshake(Stage.ESTABLISHED, outcome="completed", client=client, stream=place, client_application_records=3,
                       server_application_records=5, client_application_bytes=99, **hidden)
        for place, client in enumerate(("192.0.2.7", *also_taken), 1)
    ] + [make_handshake(client_alert=45, client=client, stream=place, **hidden) for place, client in enumerate(also_refused, 5)]  # fmt: skip
    finding = judge(make_handshake(client_alert=45, **hidden), *others)
    assert (finding.cause, finding.confidence) == ("cert-expired", confidence)


def test_silent_close_over_a_sound_chain_names_no_certificate(judge, authority, make_handshake):
    finding = judge(make_handshake(chain=[authority.make()], client_fin_frame=11, client_fin_time=0))
    assert finding is None or finding.cause == "client-closed-mid-handshake"


def test_silent_close_in_tls13_is_likely_the_certificate(judge, make_handshake):
    finding = judge(make_handshake(version=0x0304, server_finished_frame=7, client_fin_frame=11, client_fin_time=0))
    assert (finding.cause, finding.confidence) == ("client-silent-reject", "likely")


@pytest.mark.parametrize(("schemes", "suites", "known"), [
    ((0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806), (0xC02F, 0xC02B), True),  # Bun, gRPC
    ((0x0809, 0x080A, 0x080B, 0x0804, 0x0805, 0x0806, 0x0401), (0xC02B, 0xC02F, 0x00FF), True),  # s2n
    ((0x0601, 0x0603, 0x0501), (0xC02B, 0xC02F, 0xCC13), True),  # Mono
    ((0x0503, 0x0403, 0x0603), (0xC02C, 0xC02B, 0x00FF), False),  # rustls
])  # fmt: skip
def test_who_leaves_halfway_in_tls12_refused_if_it_is_known_to(schemes, suites, known, judge, authority, make_handshake):
    handshake = make_handshake(chain=[authority.make()], client_fin_frame=11, client_fin_time=0)
    handshake.client_hello.signature_schemes, handshake.client_hello.cipher_suites = schemes, suites
    assert judge(handshake).cause == ("client-silent-reject" if known else "client-closed-mid-handshake")


def test_browser_that_leaves_halfway_would_have_sent_its_alert(judge, authority, make_handshake):
    handshake = make_handshake(chain=[authority.make()], client_fin_frame=11, client_fin_time=0)
    handshake.client_hello.signature_schemes = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
    handshake.client_hello.grease = True
    assert judge(handshake).cause == "client-closed-mid-handshake"


def test_client_that_left_before_the_flight_was_whole_had_read_no_certificate(judge, make_handshake):
    """sslscan looks at the ServerHello and resets; the certificate is still on its way."""
    finding = judge(make_handshake(version=0x0304, server_finished_frame=12, client_rst_frame=11, client_rst_time=0))
    assert finding.cause == "client-closed-mid-handshake"


def test_two_faults_under_a_general_alert_are_not_certain(judge, authority, make_handshake):
    handshake = make_handshake(chain=[authority.make(names=["elsewhere.example"], ends=-1)], client_alert=42)
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("cert-expired", "likely")
    assert "cert-name-mismatch" in [item.cause for item in handshake.also]


@pytest.mark.parametrize("alert", [40, 80])
def test_alert_for_anything_at_all_fits_the_fault_that_is_seen(alert, judge, authority, make_handshake):
    finding = judge(make_handshake(chain=[authority.make(names=["elsewhere.example"])], client_alert=alert))
    assert (finding.cause, finding.confidence) == ("cert-name-mismatch", "likely")


def test_alert_before_the_certificate_says_nothing_of_it(judge, authority, make_handshake):
    handshake = make_handshake(client_alert=42)
    late = make_handshake(chain=[authority.make(ends=-1)])
    handshake.server_certificates = late.server_certificates
    handshake.messages += late.messages[2:]
    finding = judge(handshake)
    assert finding is None or finding.cause != "cert-expired"


def test_hidden_chain_and_the_alert_that_names_it(judge, make_handshake):
    assert judge(make_handshake(version=0x0304, client_alert=45)).cause == "cert-expired"
    assert judge(make_handshake(version=0x0304, client_alert=44)).cause == "cert-revoked"
    assert judge(make_handshake(version=0x0304, client_alert=42)).cause == "cert-rejected"


def test_hidden_chain_is_taken_from_another_handshake_and_never_certain(judge, authority, make_handshake):
    shown = make_handshake(Stage.ESTABLISHED, chain=[authority.make(names=["elsewhere.example"])], stream=1, client="192.0.2.9")
    shown.client_finished_frame = shown.server_finished_frame = 9
    hidden = make_handshake(version=0x0304, client_alert=42)
    finding = judge(hidden, shown)
    assert (finding.cause, finding.confidence) == ("cert-name-mismatch", "likely")


def test_encrypted_alert_without_a_chain_stays_general(judge, make_handshake):
    finding = judge(make_handshake(version=0x0304, client_alert=None))
    assert (finding.cause, finding.confidence) == ("cert-rejected", "likely")


def test_expired_for_the_client_only_is_its_clock(judge, authority, make_handshake):
    finding = judge(make_handshake(chain=[authority.make(), authority.certificate], client_alert=45))
    assert (finding.cause, finding.confidence) == ("clock-skew", "likely")


@pytest.mark.parametrize("openssl", [False, True])
def test_expired_for_the_client_only_may_be_what_it_checks_with(openssl, judge, authority, make_handshake):
    """Its own root, which was not sent (as the end of DST Root CA X3 showed); of OpenSSL also a revocation list."""
    chain = [authority.make(), authority.certificate] if openssl else [authority.make()]
    handshake = make_handshake(chain=chain, client_alert=45)
    finding = judge(_as_openssl(handshake) if openssl else handshake)
    assert (finding.cause, finding.confidence) == ("clock-skew", "possible")


def test_clock_read_from_two_hellos(judge, authority, make_handshake):
    first, second = (make_handshake(chain=[authority.make()], client_alert=42, stream=stream) for stream in (0, 1))
    for handshake in (first, second):
        year_behind = handshake.client_hello_time // 10**9 - 365 * 86_400
        handshake.client_hello.random = year_behind.to_bytes(4, "big") + bytes(28)
    finding = judge(first, second)
    assert (finding.cause, finding.confidence) == ("clock-skew", "likely")
    assert "365 days behind" in finding.summary


def test_issuer_of_a_known_product_is_interception(judge, make_authority, make_handshake):
    proxy = make_authority("Zscaler Intermediate Root CA")
    finding = judge(make_handshake(chain=[proxy.make()], client_alert=48))
    assert finding.cause == "tls-interception"
    assert "Zscaler" in finding.summary


def test_one_private_issuer_for_many_sites_is_interception(judge, make_authority, make_handshake):
    proxy = make_authority("Corporate Web Gateway")
    names = ["a.example", "b.test", "c.invalid", "d.localhost"]
    neighbours = [
        make_handshake(Stage.ESTABLISHED, name=name, chain=[proxy.make(name)], stream=stream) for stream, name in enumerate(names, 1)
    ]
    finding = judge(make_handshake(name="e.arpa", chain=[proxy.make("e.arpa")], client_alert=48), *neighbours)
    assert (finding.cause, finding.confidence) == ("tls-interception", "likely")


def test_intermediate_known_from_elsewhere_is_missing_here(judge, authority, make_authority, make_handshake):
    middle = make_authority("Middle", authority)
    whole = make_handshake(Stage.ESTABLISHED, name="whole.example", chain=[middle.make("whole.example"), middle.certificate], stream=1)
    finding = judge(make_handshake(chain=[middle.make()], client_alert=48), whole)
    assert (finding.cause, finding.confidence) == ("cert-missing-intermediate", "certain")


@pytest.mark.parametrize("elsewhere", [True, False])
def test_intermediate_of_the_right_name_and_another_key_is_not_the_one_missing(elsewhere, judge, authority, make_authority, make_handshake):
    """An authority was renewed with a new key, and the server got the wrong one of the two."""
    signer, renewed = make_authority("Middle", authority), make_authority("Middle", authority)
    neighbours = []
    if elsewhere:
        whole = [signer.make("whole.example"), signer.certificate]
        neighbours = [make_handshake(Stage.ESTABLISHED, name="whole.example", chain=whole, stream=1)]
    finding = judge(make_handshake(chain=[signer.make(), renewed.certificate], client_alert=48), *neighbours)
    assert (finding.cause, finding.confidence) == ("cert-missing-intermediate", "likely")
    assert "another key" in finding.summary


def test_authority_of_the_same_name_elsewhere_is_not_the_issuer(judge, authority, make_authority, make_handshake):
    signer, namesake = make_authority("Middle", authority), make_authority("Middle", authority)
    whole = make_handshake(Stage.ESTABLISHED, name="whole.example", chain=[namesake.make("whole.example"), namesake.certificate], stream=1)
    finding = judge(make_handshake(chain=[signer.make()], client_alert=48), whole)
    assert finding.confidence != "certain"
    assert "other handshakes" not in finding.summary


@pytest.mark.parametrize(("alert", "confidence"), [(42, "likely"), (45, "certain")])
def test_expired_intermediate_under_a_general_alert_may_have_been_passed_by(
    alert, confidence, judge, authority, make_authority, make_handshake
):
    """A client that holds the authority's newer certificate does not look at the old one: it may refuse the unknown root."""
    middle = make_authority("Middle", make_authority("Stranger"), ends=-2)
    finding = judge(make_handshake(chain=[middle.make(), middle.certificate], client_alert=alert))
    assert (finding.cause, finding.confidence) == ("cert-expired", confidence)


def test_intermediate_that_expired_is_named(judge, authority, make_authority, make_handshake):
    middle = make_authority("Middle", authority, ends=-2)
    finding = judge(make_handshake(chain=[middle.make(), middle.certificate], client_alert=45))
    assert finding.cause == "cert-expired"
    assert "Middle" in finding.summary


def test_authority_that_may_not_sign(judge, authority, make_authority, make_handshake):
    upper = make_authority("Upper", authority, path_length=0)
    lower = make_authority("Lower", upper)
    finding = judge(make_handshake(chain=[lower.make(), lower.certificate, upper.certificate], client_alert=48))
    assert (finding.cause, finding.confidence) == ("cert-chain-constraint", "certain")


def test_name_constraints_are_read(judge, authority, make_authority, make_handshake):
    only = (x509.NameConstraints([x509.DNSName("inside.example")], None), True)
    middle = make_authority("Narrow", authority, extra=[only])
    finding = judge(make_handshake(chain=[middle.make(), middle.certificate], client_alert=46))
    assert finding.cause == "cert-chain-constraint"
    inside = make_handshake(name="a.inside.example", chain=[middle.make("a.inside.example"), middle.certificate], client_alert=46)
    assert judge(inside).cause == "cert-rejected"


def test_constraints_of_names_are_none_of_addresses(judge, authority, make_authority, make_handshake):
    only = (x509.NameConstraints([x509.DNSName("example")], None), True)
    middle = make_authority("Narrow", authority, extra=[only])
    both = (x509.SubjectAlternativeName([x509.DNSName("server.example"), x509.IPAddress(ip_address("192.0.2.7"))]), False)
    finding = judge(make_handshake(chain=[middle.make(san=False, extra=[both]), middle.certificate], client_alert=46))
    assert finding.cause == "cert-rejected"


def test_certificate_that_ends_between_two_handshakes_of_a_minute(judge, authority, make_handshake):
    leaf = authority.make()
    before, after = (make_handshake(chain=[leaf], client_alert=45, stream=stream) for stream in (0, 1))
    leaf.not_after = before.server_hello_time + 10**9
    after.server_hello_time += 2 * 10**9
    judge(before, after)
    assert before.finding.cause == "clock-skew"
    assert (after.finding.cause, after.finding.confidence) == ("cert-expired", "certain")


def test_sha1_signature_is_found(judge, authority, make_handshake):
    leaf = authority.make()
    leaf.signature_hash = "sha1"  # cryptography signs nothing with SHA-1 any more: what the reader would have said
    finding = judge(_as_openssl(make_handshake(chain=[leaf], client_alert=42)))
    assert (finding.cause, finding.confidence) == ("cert-weak-signature", "certain")
    finding = judge(make_handshake(chain=[leaf], client_alert=46))  # Java takes it
    assert (finding.cause, finding.confidence) == ("cert-weak-signature", "likely")


def _signed_exchange(key, hello, answer):
    params = b"\3\0\x17\x41" + bytes(65)
    signature = key.sign(hello.random + answer.random + params, ec.ECDSA(hashes.SHA256()))
    return ServerKeyExchange(named_group=23, signature_scheme=0x0403, signature=signature, params=params)


@pytest.mark.parametrize("own", [True, False])
def test_signature_of_another_key_is_told_from_the_right_one(own, judge, authority, make_handshake):
    key = ec.generate_private_key(ec.SECP256R1())
    handshake = make_handshake(chain=[authority.make(key=key)], client_alert=51)
    signer = key if own else ec.generate_private_key(ec.SECP256R1())
    handshake.server_key_exchange = _signed_exchange(signer, handshake.client_hello, handshake.server_hello)
    finding = judge(handshake)
    if own:
        assert finding.cause != "cert-private-key-mismatch"
    else:
        assert (finding.cause, finding.confidence) == ("cert-private-key-mismatch", "certain")


def _staple(authority, leaf, status, this_update, next_update):
    loaded, issuer = x509.load_der_x509_certificate(leaf.der), x509.load_der_x509_certificate(authority.certificate.der)
    now = loaded.not_valid_before_utc + timedelta(days=30)
    revoked = status == ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        loaded, issuer, hashes.SHA256(), status, now + this_update, now + next_update,
        now - timedelta(days=1) if revoked else None, x509.ReasonFlags.key_compromise if revoked else None,
    )  # fmt: skip
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(authority.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("status", "this_update", "next_update", "alert", "cause"),
    [
        (ocsp.OCSPCertStatus.REVOKED, -1, 6, 42, "cert-revoked"),
        (ocsp.OCSPCertStatus.GOOD, -20, -10, 113, "ocsp-staple-bad"),
        (ocsp.OCSPCertStatus.GOOD, 5, 10, 42, "ocsp-staple-bad"),
        (ocsp.OCSPCertStatus.GOOD, -1, 6, 42, "cert-rejected"),
    ],
)
def test_stapled_response_is_judged_at_capture_time(status, this_update, next_update, alert, cause, judge, authority, make_handshake):
    leaf = authority.make()
    handshake = make_handshake(chain=[leaf], client_alert=alert)
    handshake.client_hello.status_request = True
    handshake.ocsp_response = _staple(authority, leaf, status, timedelta(days=this_update), timedelta(days=next_update))
    assert judge(handshake).cause == cause


def _with_staple(make_handshake, leaf, staple, alert, **how):
    handshake = make_handshake(chain=[leaf], client_alert=alert, ocsp_response=staple, **how)
    handshake.client_hello.status_request = True
    return handshake


def test_staple_that_says_revoked_and_the_alert_for_bad_staples(judge, authority, make_handshake):
    """Java names what a stapled response says of the certificate by the alert for bad responses."""
    leaf = authority.make()
    staple = _staple(authority, leaf, ocsp.OCSPCertStatus.REVOKED, timedelta(days=-1), timedelta(days=6))
    finding = judge(_with_staple(make_handshake, leaf, staple, 113))
    assert (finding.cause, finding.confidence) == ("cert-revoked", "certain")


def test_staple_of_the_certificate_before_the_last_renewal(judge, authority, make_handshake):
    """The old one was revoked; the one that is served is not."""
    staple = _staple(authority, authority.make(), ocsp.OCSPCertStatus.REVOKED, timedelta(days=-1), timedelta(days=6))
    for alert, confidence in ((113, "certain"), (42, "likely")):
        finding = judge(_with_staple(make_handshake, authority.make(), staple, alert))
        assert (finding.cause, finding.confidence) == ("ocsp-staple-bad", confidence)


def test_staple_that_says_revoked_beside_another_fault(judge, authority, make_handshake):
    leaf = authority.make(names=["elsewhere.example"])
    staple = _staple(authority, leaf, ocsp.OCSPCertStatus.REVOKED, timedelta(days=-1), timedelta(days=6))
    handshake = _with_staple(make_handshake, leaf, staple, 42)
    judge(handshake)
    assert ("cert-revoked", "likely") in [(finding.cause, finding.confidence) for finding in handshake.also]


def test_alert_for_bad_staples_where_none_was_stapled(judge, authority, make_handshake):
    finding = judge(_with_staple(make_handshake, authority.make(), None, 113))
    assert (finding.cause, finding.confidence) == ("ocsp-staple-bad", "likely")


def test_staple_that_is_garbage_is_bad_and_no_bug(judge, authority, make_handshake):
    handshake = make_handshake(chain=[authority.make()], client_alert=113, ocsp_response=b"\x30\x03\x0a\x01\x06")
    assert judge(handshake).cause == "ocsp-staple-bad"


def test_must_staple_without_staple(judge, authority, make_handshake):
    feature = (x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
    handshake = make_handshake(chain=[authority.make(extra=[feature])], client_alert=42)
    assert judge(handshake).cause == "cert-rejected"  # the client did not ask for one
    handshake = make_handshake(chain=[authority.make(extra=[feature])], client_alert=42)
    handshake.client_hello.status_request = True
    assert judge(handshake).cause == "ocsp-must-staple-missing"


def test_faultless_chain_that_others_accept(judge, authority, make_handshake):
    leaf = authority.make(begins=-20)
    other = make_handshake(Stage.ESTABLISHED, chain=[leaf], stream=1, client="192.0.2.9")
    finding = judge(make_handshake(chain=[leaf], client_alert=46), other)
    assert (finding.cause, finding.confidence) == ("cert-pinning", "possible")


def _leave(handshake, goodbye=False):
    handshake.client_finished_frame = handshake.server_finished_frame = 9
    handshake.flow.client_fin_frame, handshake.flow.client_fin_time = 11, handshake.flow.last_seen
    if goodbye:
        kind = "application_data" if handshake.is_tls13 else "alert"
        handshake.messages.append(handshake.messages[0]._replace(frame=10, kind=kind, length=19, encrypted=True))
        handshake.client_application_records, handshake.client_application_bytes = (1, 19) if handshake.is_tls13 else (0, 0)
    return handshake


NODE = (0x1302, 0x1303, 0x1301, 0xC02F, 0xC02B, 0xC030, 0xC02C, 0x009E, 0xC027, 0x0067)


def test_node_leaving_without_a_word_over_a_wrong_name_failed(judge, authority, make_handshake):
    handshake = _leave(make_handshake(Stage.FINISHED, chain=[authority.make(names=["elsewhere.example"])]))
    handshake.client_hello.cipher_suites = NODE
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == ("cert-name-mismatch", "likely")
    assert (handshake.outcome, handshake.aborted_by) == ("failed", "client")


@pytest.mark.parametrize("changed", [{}, {"cipher_suites": NODE, "server_name": None}])
def test_monitor_that_verifies_nothing_and_leaves_is_completed(changed, judge, authority, make_handshake):
    handshake = _leave(make_handshake(Stage.FINISHED, chain=[authority.make(names=["elsewhere.example"])]))
    for name, value in changed.items():
        setattr(handshake.client_hello, name, value)
    assert judge(handshake) is None
    assert (handshake.outcome, handshake.aborted_by) == ("completed", "none")


def test_client_that_closes_when_the_server_took_leave_did_not_depart(judge, make_handshake):
    handshake = _leave(make_handshake(Stage.FINISHED, version=0x0304))
    handshake.client_hello.alpn = ("h2",)
    handshake.messages.append(
        handshake.messages[0]._replace(frame=10, kind="application_data", length=19, encrypted=True, from_client=False)
    )
    judge(handshake)
    assert handshake.outcome == "completed"


@pytest.mark.parametrize("told", [True, False])
def test_client_whose_finished_cannot_be_told_from_its_data_did_not_leave_without_a_word(told, judge, make_handshake):
    """gRPC with a client certificate: Certificate, CertificateVerify and Finished in one record."""
    handshake = _leave(make_handshake(Stage.FINISHED, version=0x0304))
    handshake.client_hello.alpn = ("h2",)
    if not told:
        hello = handshake.messages[0]
        handshake.client_finished_frame = 0
        handshake.messages += [
            hello._replace(frame=9 + i, kind="application_data", length=length, encrypted=True, from_client=from_client)
            for i, (from_client, length) in enumerate([(True, 2112), (True, 99), (False, 3997)])
        ]
    judge(handshake)
    assert handshake.outcome == ("failed" if told else "completed")


@pytest.mark.parametrize("version", [0x0303, 0x0304])
@pytest.mark.parametrize("goodbye", [True, False])
def test_probe_that_says_goodbye_or_finds_nothing_wrong_is_completed(goodbye, version, judge, authority, make_handshake):
    leaf = [authority.make()] if version == 0x0303 else ()
    handshake = _leave(make_handshake(Stage.FINISHED, version=version, chain=leaf), goodbye)
    assert judge(handshake) is None
    assert handshake.outcome == "completed"


def test_client_that_offers_http_and_asks_nothing_is_suspected_but_not_beside_another_that_went_on(judge, make_handshake):
    handshake = _leave(make_handshake(Stage.FINISHED, version=0x0304), goodbye=True)
    handshake.client_hello.alpn = ("h2", "http/1.1")
    assert (judge(handshake).cause, handshake.outcome) == ("client-silent-reject", "failed")
    again = _leave(make_handshake(Stage.FINISHED, version=0x0304), goodbye=True)
    again.client_hello.alpn = ("h2", "http/1.1")
    winner = make_handshake(Stage.ESTABLISHED, stream=1)
    assert judge(again, winner) is None
    assert again.outcome == "completed"


def test_who_leaves_after_a_handshake_for_another_name_did_not_lose_a_race(judge, make_handshake):
    handshake = _leave(make_handshake(Stage.FINISHED, version=0x0304), goodbye=True)
    handshake.client_hello.alpn = ("h2", "http/1.1")
    assert judge(handshake, make_handshake(Stage.ESTABLISHED, name="other.example", stream=1)).cause == "client-silent-reject"


def test_server_that_closes_first_upon_a_goodbye_did_not_take_leave(judge, make_handshake):
    for said in (True, False):
        handshake = _leave(make_handshake(Stage.FINISHED, version=0x0304), goodbye=said)
        handshake.client_hello.alpn = ("h2", "http/1.1")
        flow = handshake.flow
        flow.client_fin_frame, flow.server_fin_frame, flow.server_fin_time = 12, 11, flow.client_fin_time - 1
        judge(handshake)
        assert handshake.outcome == ("failed" if said else "completed")


@pytest.mark.parametrize(("alpn", "extensions", "later", "goodbye", "outcome"), [
    (("h2", "http/1.1"), (0, 11, 10, 35, 16, 22, 23, 13, 43, 45, 51), False, True, "completed"),  # openssl s_client -alpn
    (("http/1.1",), (0, 11, 10, 35, 16, 22, 23, 49, 13, 43, 45, 51), True, True, "completed"),  # Python's http.client
    (("h2", "http/1.1"), (0, 11, 10, 16, 22, 23, 49, 13, 43, 45, 51), True, False, "completed"),  # curl, killed
    (("h2", "http/1.1"), (0, 11, 10, 16, 22, 23, 49, 13, 43, 45, 51), True, True, "failed"),  # curl: names, pins, staples
    (("h2", "http/1.1"), (0, 11, 10, 35, 16, 22, 23, 49, 13, 43, 45, 51), True, True, "failed"),  # curl with tickets
])  # fmt: skip
def test_openssl_judges_inside_the_handshake_so_who_leaves_after_it_was_content(
    alpn, extensions, later, goodbye, outcome, judge, make_handshake
):
    handshake = _leave(make_handshake(Stage.FINISHED, version=0x0304), goodbye=goodbye)
    hello = handshake.client_hello
    hello.alpn, hello.extension_types, hello.post_handshake_auth = alpn, extensions, later
    hello.ec_point_formats, hello.encrypt_then_mac = (0, 1, 2), True
    judge(handshake)
    assert handshake.outcome == outcome


@pytest.mark.parametrize(("node", "cause"), [(False, "cert-name-mismatch"), (True, "cert-self-signed")])
def test_what_openssl_judges_inside_the_handshake_is_not_why_its_program_left_after_it(node, cause, judge, authority, make_handshake):
    """curl with a self-signed certificate that it was told to trust; Node looks at everything when TLS is done."""
    chain = [authority.make("elsewhere.example", self_signed=True)]
    handshake = _leave(make_handshake(Stage.FINISHED, chain=chain), goodbye=not node)
    hello = handshake.client_hello
    hello.alpn, hello.ec_point_formats, hello.encrypt_then_mac = ("h2", "http/1.1"), (0, 1, 2), True
    hello.extension_types = (0, 11, 10, 16, 22, 23, 49, 13)
    if node:
        hello.cipher_suites = NODE
    finding = judge(handshake)
    assert (finding.cause, finding.confidence) == (cause, "likely")


def test_resumed_handshake_shows_no_certificate_to_refuse(judge, make_handshake):
    finding = judge(make_handshake(version=0x0304, client_alert=None, resumption="psk"))
    assert finding is None or not finding.cause.startswith("cert-")
