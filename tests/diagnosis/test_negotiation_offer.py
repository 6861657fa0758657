"""A refused ClientHello: which part of the offer is named, alone and beside hellos that the server took."""

from __future__ import annotations

import pytest
from negotiation_building import SCHEMES, SUITES_12, answer, attempt, hello, judge, only_tls13, served, verdict

from analyzer.model.handshake import Stage
from analyzer.model.hello import ServerKeyExchange


class TestVersions:
    @pytest.mark.parametrize("version", [0x0301, 0x0302, 0x0303])
    def test_protocol_version_to_an_old_offer_is_certain(self, version):
        assert verdict(attempt(hello(version), alert=70)) == ("client-version-too-old", "certain")

    def test_a_list_of_tls12_alone_could_be_too_new_for_an_ancient_server(self):
        offer = hello(0x0303, supported_versions=(0x0303,))
        assert verdict(attempt(offer, alert=70)) == ("client-version-too-old", "likely")
        assert verdict(attempt(offer, alert=70), served(reply=answer(0x0304))) == ("client-version-too-old", "certain")

    def test_old_offer_says_who_got_better(self):
        neighbours = [served(reply=answer(0x0304), stream=90 + i, client=f"192.0.2.{90 + i}") for i in range(12)]
        finding = judge(attempt(hello(0x0301), alert=70), *neighbours)
        assert any("12 other handshakes here got TLS 1.3" in evidence.says for evidence in finding.evidence)

    def test_a_server_that_took_the_version_from_others_is_less_sure(self):
        assert verdict(attempt(hello(0x0303), alert=70), served(hello(0x0303), answer())) == ("client-version-too-old", "likely")

    def test_openssl_three_at_its_security_level_is_the_signature(self):
        judged = attempt(hello(0x0302), alert=80)
        assert verdict(judged) == ("legacy-sigalg-seclevel", "likely")
        assert "internal-error" not in [finding.cause for finding in judged.also]

    def test_openssl_three_client_after_the_signature(self):
        exchange = ServerKeyExchange(named_group=0x17)
        judged = attempt(hello(0x0303), answer(0x0301, 0xC013), exchange=exchange, alert=80, by="client")
        assert verdict(judged) == ("legacy-sigalg-seclevel", "likely")

    def test_internal_error_to_a_new_offer_is_no_signature_policy(self):
        assert verdict(attempt(hello(), alert=80)) == ("internal-error", "likely")

    @pytest.mark.parametrize("stack_alert", [(70, "certain"), (40, "possible")])
    def test_only_tls13_refused(self, stack_alert):
        alert, confidence = stack_alert
        assert verdict(attempt(only_tls13(), alert=alert)) == ("client-version-too-new", confidence)

    def test_only_tls13_at_a_server_that_never_chose_it(self):
        """GnuTLS says 40; the others were offered TLS 1.3 and got 1.2."""
        neighbours = [served(hello(), answer(0x0303), stream=s) for s in (90, 91)]
        assert verdict(attempt(only_tls13(), alert=40), *neighbours) == ("client-version-too-new", "likely")

    def test_protocol_version_although_others_got_what_is_offered(self):
        assert verdict(attempt(hello(), alert=70), served(reply=answer(0x0304))) == ("client-version-too-new", "possible")

    @pytest.mark.parametrize("chosen", [0x0301, 0x0302])
    def test_client_refuses_an_old_answer(self, chosen):
        judged = attempt(hello(), answer(chosen, 0xC013), alert=70, by="client")
        assert verdict(judged) == ("client-version-too-new", "certain")

    def test_certificate_alert_after_an_old_answer_is_not_about_the_version(self):
        judged = attempt(hello(0x0303), answer(0x0302, 0xC013), alert=48, by="client")
        found = judge(judged)
        assert found is None or found.cause != "client-version-too-new"

    def test_schannel_resets_old_clients(self):
        judged = attempt(hello(0x0301), by="server", close="rst")
        assert verdict(judged) != ("client-version-too-old", "likely")
        judged = attempt(hello(0x0301), by="server", close="rst")
        neighbours = [served(reply=answer(0x0303), stream=s) for s in (90, 91, 92)]
        assert verdict(judged, *neighbours) == ("client-version-too-old", "likely")


class TestSuites:
    WEAK = (0x0004, 0x0005, 0x000A)

    def test_only_weak_suites(self):
        assert verdict(attempt(hello(0x0303, cipher_suites=self.WEAK), alert=40)) == ("no-common-cipher", "likely")

    def test_insufficient_security_over_weak_suites(self):
        assert verdict(attempt(hello(0x0303, cipher_suites=self.WEAK), alert=71)) == ("no-common-cipher", "likely")

    def test_insufficient_security_over_a_sound_offer_stays_general(self):
        assert verdict(attempt(hello(), alert=71)) == ("insufficient-security", "likely")

    def test_tls13_without_a_common_suite(self):
        assert verdict(attempt(only_tls13(cipher_suites=(0x1304,)), alert=40)) == ("no-common-cipher", "likely")

    def test_one_suite_that_not_everyone_has(self):
        assert verdict(attempt(hello(0x0303, cipher_suites=(0xCCA8,)), alert=40)) == ("no-common-cipher", "possible")

    def test_server_uses_other_suites(self):
        neighbours = [served(reply=answer(0x0303, 0xC030), stream=s) for s in (90, 91)]
        finding = judge(attempt(hello(0x0303, cipher_suites=(0xCCA8,)), alert=40), *neighbours)
        assert (finding.cause, finding.confidence) == ("no-common-cipher", "likely")
        assert any("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, which is not offered here" in e.says for e in finding.evidence)

    def test_not_the_suites_when_the_server_took_one_that_is_offered(self):
        finding = judge(attempt(hello(0x0303, cipher_suites=(0xC02F,)), alert=40), served(reply=answer(0x0303, 0xC02F)))
        assert finding.cause != "no-common-cipher"

    def test_grease_and_signals_are_no_suites(self):
        judged = attempt(hello(0x0303, cipher_suites=(0x0A0A, 0x00FF, 0x000A)), alert=40)
        assert verdict(judged) == ("no-common-cipher", "likely")

    def test_nothing_narrow_names_candidates(self):
        finding = judge(attempt(hello(), alert=40))
        assert finding.confidence == "possible"
        assert any(e.says.startswith("also possible: ") for e in finding.evidence)

    def test_every_part_was_taken_from_others(self):
        neighbours = [served(hello(), answer(0x0304)), served(hello(0x0303), answer(), stream=91)]
        finding = judge(attempt(hello(), alert=40), *neighbours)
        assert (finding.cause, finding.confidence) == ("internal-error", "possible")
        assert any("against the nearest hello the server took (stream 90)" in e.says for e in finding.evidence)

    def test_goodbye_in_place_of_a_server_hello_is_only_a_close(self):
        found = judge(attempt(hello(), alert=0, level=1, close="fin"))
        assert found is None or found.cause not in ("no-common-cipher", "sni-unrecognized", "internal-error")

    def test_alert_in_answer_to_a_close_is_no_refusal(self):
        """Java answers a connection closed on it with 40."""
        judged = attempt(hello(), alert=40, client_fin_frame=10, client_fin_time=1)
        finding = judge(judged)
        assert judged.aborted_by == "client"
        assert finding is None or finding.cause != "no-common-cipher"


class TestKeyTypes:
    ECDSA = (0xC02B, 0xC02C, 0xC023)

    def test_only_ecdsa_suites(self):
        finding = judge(attempt(hello(0x0303, cipher_suites=self.ECDSA), alert=40))
        assert finding.cause == "cert-key-type-mismatch"

    def test_only_ecdsa_schemes_in_tls13(self):
        assert judge(attempt(hello(signature_schemes=(0x0403, 0x0503)), alert=40)).cause == "cert-key-type-mismatch"

    def test_only_ed25519(self):
        assert verdict(attempt(hello(signature_schemes=(0x0807,)), alert=40)) == ("cert-key-type-mismatch", "likely")

    def test_only_rsa_against_an_ecdsa_server(self):
        """The suite is one that every RSA server takes, so it is not the suite."""
        assert judge(attempt(hello(0x0303, cipher_suites=(0xC02F,)), alert=40)).cause == "cert-key-type-mismatch"

    def test_neighbours_show_the_key(self):
        neighbours = [served(reply=answer(0x0303, 0xC02F), stream=s) for s in (90, 91)]
        finding = judge(attempt(hello(0x0303, cipher_suites=self.ECDSA), alert=40), *neighbours)
        assert finding.cause == "cert-key-type-mismatch"
        assert any("RSA key" in e.says for e in finding.evidence)

    def test_not_the_key_when_the_server_has_that_kind(self):
        finding = judge(attempt(hello(0x0303, cipher_suites=self.ECDSA), alert=40), served(reply=answer(0x0303, 0xC02B)))
        assert finding.cause != "cert-key-type-mismatch"

    def test_weak_ecdsa_suites_are_weak_first(self):
        assert judge(attempt(hello(0x0303, cipher_suites=(0xC006,)), alert=40)).cause == "no-common-cipher"


class TestGroups:
    @pytest.mark.parametrize("groups", [(0x001A, 0x001B), (0x0001, 0x0009), (0x001F,)])
    def test_only_rare_groups(self, groups):
        assert verdict(attempt(only_tls13(named_groups=groups, key_shares=()), alert=40)) == ("no-common-group", "likely")

    @pytest.mark.parametrize("groups", [(0x001E,), (0x0019,), (0x0100, 0x0101), (0x001D,)])
    def test_uncommon_or_single_groups_are_possible(self, groups):
        assert verdict(attempt(only_tls13(named_groups=groups), alert=40)) == ("no-common-group", "possible")

    def test_java_calls_it_an_unexpected_message(self):
        assert verdict(attempt(only_tls13(named_groups=(0x001D,)), alert=10)) == ("no-common-group", "likely")
        assert verdict(attempt(only_tls13(), alert=10)) == ("unexpected-message", "likely")

    def test_neighbours_show_the_groups(self):
        neighbours = [served(hello(), answer(0x0304, key_share_group=0x0017, key_share_length=65), stream=s) for s in (90, 91)]
        finding = judge(attempt(only_tls13(named_groups=(0x001D,)), alert=40), *neighbours)
        assert finding.cause == "no-common-group"
        assert any("used secp256r1" in e.says for e in finding.evidence)

    def test_suites_of_tls13_tell_nothing_of_those_before_it(self):
        """A neighbour got TLS 1.3 with another group: of the two lists of suites the older was not seen at work."""
        neighbour = served(hello(), answer(0x0304, key_share_group=0x0017, key_share_length=65), stream=90)
        finding = judge(attempt(hello(0x0303, named_groups=(0x001D,)), alert=40), neighbour)
        assert (finding.cause, finding.confidence) == ("no-common-group", "possible")
        assert not any("not offered here" in e.says for e in finding.evidence)

    def test_not_the_group_when_the_server_used_it(self):
        finding = judge(attempt(only_tls13(named_groups=(0x001D,)), alert=40), served(hello(), answer(0x0304)))
        assert finding.cause != "no-common-group"

    def test_rsa_key_exchange_needs_no_group(self):
        finding = judge(attempt(hello(0x0303, cipher_suites=(0x009C, 0x009D, 0x002F, 0x0035), named_groups=(0x001A,)), alert=40))
        assert finding.cause != "no-common-group"

    def test_mbedtls_closes_on_it_without_a_byte(self):
        """Only with neighbours is a silent close put down to the groups for sure."""
        neighbours = [served(hello(), answer(0x0304, key_share_group=0x0017, key_share_length=65), stream=s) for s in (90, 91)]
        assert judge(attempt(only_tls13(named_groups=(0x001A,)), close="fin"), *neighbours).cause == "no-common-group"
        finding = judge(attempt(only_tls13(named_groups=(0x001D,)), close="fin"))
        assert finding is None or finding.cause != "no-common-group"


class TestSignatureSchemes:
    def test_only_pkcs1_in_tls13(self):
        finding = judge(attempt(hello(signature_schemes=(0x0401,)), alert=40))
        assert (finding.cause, finding.confidence) == ("no-common-sigalg", "likely")
        assert "none of which may sign a TLS 1.3 handshake" in finding.summary

    def test_only_sha1(self):
        assert judge(attempt(hello(0x0303, signature_schemes=(0x0201, 0x0203)), alert=40)).cause == "no-common-sigalg"

    def test_one_scheme_beside_a_universal_suite(self):
        offer = hello(0x0303, cipher_suites=(0xC02F,), signature_schemes=(0x0601,))
        assert judge(attempt(offer, alert=40)).cause == "no-common-sigalg"

    def test_java_hides_it_behind_its_encrypted_extensions(self):
        """65 bytes of EncryptedExtensions, then an alert padded to 35: hidden is hidden, and this is beside it."""
        judged = attempt(only_tls13(signature_schemes=(0x0401,)), answer(0x0304), encrypted=(65, 35), alert=-1)
        assert verdict(judged) == ("refused-encrypted", "likely")
        assert [finding.cause for finding in judged.also] == ["no-common-sigalg"]

    def test_java_with_keys(self):
        judged = attempt(only_tls13(signature_schemes=(0x0401,)), answer(0x0304), encrypted=(65,), alert=40)
        assert verdict(judged) == ("no-common-sigalg", "likely")


class TestNames:
    def test_112_without_a_name(self):
        assert verdict(attempt(hello(server_name=None), alert=112)) == ("sni-missing", "certain")
        assert verdict(attempt(hello(server_name="192.0.2.7"), alert=112)) == ("sni-missing", "certain")

    def test_112_with_a_name(self):
        assert verdict(attempt(hello(), alert=112)) == ("sni-unrecognized", "certain")

    def test_112_as_a_warning_before_a_server_hello_is_harmless(self):
        judged = served()
        judged.alerts.extend(attempt(hello(), alert=112, level=1).alerts)
        assert judge(judged) is None

    def test_112_as_a_warning_and_then_a_close(self):
        assert verdict(attempt(hello(), alert=112, level=1, close="fin")) == ("sni-unrecognized", "certain")

    def test_112_as_a_warning_and_then_another_alert(self):
        """Who refuses the name says so with the fatal one: OpenSSL warns, goes on and finds no suite."""
        offer = hello(0x0303, cipher_suites=(0xCCA8,))
        judged = attempt(offer, alert=112, level=1)
        judged.alerts.extend(attempt(offer, alert=40).alerts)
        judge(judged)
        assert (judged.finding.cause, judged.finding.confidence) == ("no-common-cipher", "possible")
        assert ("sni-unrecognized", "possible") in [(f.cause, f.confidence) for f in judged.also]

    def test_112_for_a_name_that_the_server_knows(self):
        """One node of several, or a reason of the program's own."""
        assert verdict(attempt(hello(), alert=112), served(hello(), answer(0x0304))) == ("sni-unrecognized", "likely")

    def test_go_says_internal_error_without_a_name(self):
        assert verdict(attempt(hello(server_name=None), alert=80)) == ("sni-missing", "possible")

    def test_all_others_named_a_host(self):
        neighbours = [served(hello(server_name=f"{n}.example"), answer(0x0304), stream=n) for n in (90, 91, 92)]
        assert verdict(attempt(hello(server_name=None), alert=40), *neighbours) == ("sni-missing", "likely")

    def test_others_do_without_a_name(self):
        neighbours = [served(hello(server_name=None), answer(0x0304), stream=n) for n in (90, 91)]
        assert judge(attempt(hello(server_name=None), alert=40), *neighbours).cause != "sni-missing"

    def test_others_asked_for_other_names(self):
        neighbours = [served(hello(server_name="other.example"), answer(0x0304), stream=n) for n in (90, 91)]
        assert verdict(attempt(hello(), alert=40), *neighbours) == ("sni-unrecognized", "likely")

    def test_a_reset_for_one_name_is_never_sure_to_be_the_server(self):
        neighbours = [served(hello(server_name="other.example"), answer(0x0304), stream=n) for n in (90, 91)]
        finding = judge(attempt(hello(), close="rst"), *neighbours)
        assert finding is None or finding.confidence == "possible" or finding.cause != "sni-unrecognized"

    def test_the_same_name_was_served(self):
        assert judge(attempt(hello(), alert=40), served(hello(), answer(0x0304))).cause != "sni-unrecognized"


class TestAlpn:
    def test_120_is_certain_from_either_side(self):
        assert verdict(attempt(hello(), alert=120)) == ("alpn-mismatch", "certain")
        assert verdict(attempt(hello(), answer(), alert=120, by="client")) == ("alpn-mismatch", "certain")
        assert verdict(attempt(hello(), alert=120), served(alpn="h2")) == ("alpn-mismatch", "likely")  # it speaks that

    def test_go_encrypts_it_right_after_its_server_hello(self):
        judged = attempt(hello(alpn=("h2",)), answer(0x0304), encrypted=(19,), alert=-1)
        assert verdict(judged) == ("refused-encrypted", "likely")
        assert [finding.cause for finding in judged.also] == ["alpn-mismatch"]

    def test_not_without_alpn_in_the_offer(self):
        judged = attempt(hello(alpn=()), answer(0x0304), encrypted=(19,), alert=-1)
        judge(judged)
        assert judged.also == []


class TestOtherParts:
    def test_unknown_identity(self):
        offer = only_tls13(psk_identities=1, psk_identity=b"device-7", psk_binder_length=32)
        assert verdict(attempt(offer, alert=115)) == ("psk-failure", "certain")

    def test_binder_that_does_not_verify(self):
        offer = only_tls13(psk_identities=1, psk_identity=b"device-7", psk_binder_length=32)
        assert verdict(attempt(offer, alert=51)) == ("psk-failure", "certain")

    def test_only_psk_suites(self):
        assert verdict(attempt(hello(0x0303, cipher_suites=(0x00A8, 0x00A9)), alert=40)) == ("psk-failure", "likely")

    def test_ticket_whose_binder_does_not_verify(self):
        offer = hello(psk_identities=1, psk_identity=bytes(range(64)), psk_binder_length=32)
        assert verdict(attempt(offer, alert=51)) == ("ticket-rejected", "likely")

    def test_ticket_of_a_client_that_is_served_without(self):
        offer = hello(0x0303, session_ticket_length=192)
        without = served(hello(0x0303), answer(), client="192.0.2.1", stream=91, after=5)
        assert verdict(attempt(offer, alert=51), without) == ("ticket-rejected", "likely")

    def test_ems_demanded_by_policy(self):
        assert verdict(attempt(hello(0x0303, extended_master_secret=False), alert=71)) == ("ems-required", "possible")

    def test_ems_that_the_server_does_not_take_up(self):
        """Java says 40; of OpenSSL that is more likely about renegotiation_info, where that is missing too."""
        for lacking, openssl, cause in (
            (False, False, "ems-required"),
            (True, False, "ems-required"),
            (True, True, "unsafe-legacy-renegotiation"),
        ):
            reply = answer(
                0x0303, extended_master_secret=False, renegotiation_info=not lacking, extension_types=() if lacking else (0xFF01,)
            )
            offer = (
                hello(0x0303, ec_point_formats=(0, 1, 2), encrypt_then_mac=True) if openssl else hello(0x0303, extension_types=(10, 13, 23))
            )
            judged = attempt(offer, reply, alert=40, by="client")
            assert judge(judged).cause == cause, (lacking, openssl, judge(judged))

    def test_ems_when_all_others_have_it(self):
        neighbours = [served(hello(0x0303), stream=n) for n in (90, 91)]
        assert judge(attempt(hello(0x0303, extended_master_secret=False), alert=40), *neighbours).cause == "ems-required"

    def test_missing_extension(self):
        offer = only_tls13(extension_types=(0, 43, 51, 10), signature_schemes=())
        assert verdict(attempt(offer, alert=109)) == ("missing-extension", "certain")
        assert verdict(attempt(offer, alert=40)) == ("missing-extension", "likely")
        assert verdict(attempt(only_tls13(), alert=109)) == ("missing-extension", "likely")


def test_ranking_is_the_same_in_any_order_of_neighbours():
    neighbours = [
        served(hello(server_name="a.example"), answer(0x0304), stream=90),
        served(hello(0x0303, server_name="b.example"), answer(0x0303, 0xC030), stream=91),
        served(hello(server_name="c.example"), answer(0x0304, key_share_group=0x0017, key_share_length=65), stream=92),
    ]
    for alert in (40, 71, 80):
        found = {
            verdict(attempt(hello(0x0303, cipher_suites=SUITES_12[4:6], signature_schemes=SCHEMES), alert=alert), *order)
            for order in (neighbours, neighbours[::-1], neighbours[1:] + neighbours[:1])
        }
        assert len(found) == 1


def test_what_was_weighed_once_is_weighed_anew_when_the_server_shows_more():
    """Judged as they end: the same refused offer before and after somebody else was served, and again."""
    from analyzer.diagnosis.engine import Diagnosis

    refused = [attempt(hello(signature_schemes=(0x0403,)), alert=40, stream=n) for n in range(4)]
    neighbours = [served(hello(), answer(0x0304), encrypted=(27, 1500, 281, 69), stream=n) for n in (90, 91)]
    diagnosis, texts = Diagnosis(), []
    for handshake in (refused[0], refused[1], neighbours[0], refused[2], neighbours[1], refused[3]):
        diagnosis.learn(handshake)
        diagnosis.judge(handshake)
        texts.append([evidence.says for evidence in handshake.finding.evidence] if handshake in refused else [])
    assert texts[0] == texts[1]
    assert any("no other handshake with this server" in says for says in texts[1])
    assert any("1 other handshake here" in says for says in texts[3])
    assert any("2 other handshakes here" in says for says in texts[5])


def test_what_was_weighed_is_forgotten_when_there_is_too_much(monkeypatch):
    from analyzer.diagnosis.engine import Diagnosis
    from analyzer.diagnosis.rules.negotiation import _suspects

    monkeypatch.setattr(_suspects, "_KEPT", 5)
    diagnosis = Diagnosis()
    diagnosis.judge_all([attempt(hello(server_name=f"{n}.example"), alert=40, stream=n) for n in range(50)])
    assert 0 < len(diagnosis.context.weighed) <= 5


def test_a_list_of_reserved_versions_alone_is_an_offer_too():
    for chosen in (0x0301, 0x0303, 0x0304):
        judged = attempt(hello(0x0301, supported_versions=(0x0A0A,)), answer(chosen), by="client", close="fin", stage=Stage.SERVER_HELLO)
        judge(judged)
        assert judged.outcome == "failed"
