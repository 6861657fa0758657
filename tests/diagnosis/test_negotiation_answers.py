"""What happens after the offer was taken, or between two attempts: the other causes of the family, and their look-alikes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from negotiation_building import answer, attempt, hello, judge, only_tls13, served, verdict

from analyzer.diagnosis.registry import load_rules, more_specific
from analyzer.model.faults import Fault
from analyzer.model.handshake import Message, Segment, Stage
from analyzer.model.hello import Certificate, ServerKeyExchange
from analyzer.registries.alerts import ALERT_DESCRIPTIONS

OPENSSL = {"extension_types": (0, 10, 11, 13, 22, 23, 35), "ec_point_formats": (0, 1, 2), "encrypt_then_mac": True}
DEFAULT = Certificate(b"d", "d", subject="CN=other.example", names=("other.example",), has_san=True, not_after=2**62)


def openssl_hello():
    offer = hello(0x0303, **OPENSSL)
    return replace(offer, cipher_suites=(*offer.cipher_suites, 0x009E, 0x00FF))


class TestFallback:
    def test_alert_86_with_the_signal(self):
        offer = hello(0x0303)
        offer = replace(offer, cipher_suites=(*offer.cipher_suites, 0x5600), fallback_scsv=True)
        assert verdict(attempt(offer, alert=86)) == ("inappropriate-fallback", "certain")

    def test_points_at_the_attempt_that_failed_first(self):
        offer = replace(hello(0x0303), fallback_scsv=True)
        first = attempt(hello(), close="rst", stream=3, after=-2)
        finding = judge(attempt(offer, alert=86), first)
        assert any("stream 3" in e.says for e in finding.evidence)

    @pytest.mark.parametrize("sentinel", [0, 1])
    def test_downgrade_sentinel(self, sentinel):
        judged = attempt(hello(), answer(0x0303, downgrade_sentinel=sentinel), alert=47, by="client")
        assert verdict(judged) == ("downgrade-sentinel", "certain")

    def test_java_client_after_java_ignored_the_fallback_signal(self):
        offer = replace(hello(0x0303), fallback_scsv=True)
        assert verdict(attempt(offer, answer(0x0303, downgrade_sentinel=1), alert=47, by="client")) == ("downgrade-sentinel", "certain")

    def test_sentinel_that_the_client_had_no_reason_to_mind(self):
        """A TLS 1.3 server marks every TLS 1.2 answer; a client that offers no better is not downgraded."""
        judged = attempt(hello(0x0303), answer(0x0303, downgrade_sentinel=1), alert=47, by="client")
        assert verdict(judged) == ("illegal-parameter", "likely")

    def test_sentinel_before_another_failure_goes_beside_it(self):
        judged = attempt(hello(), answer(0x0303, downgrade_sentinel=1), alert=80, by="client")
        assert verdict(judged) == ("internal-error", "likely")
        assert "downgrade-sentinel" in [finding.cause for finding in judged.also]


class TestIntolerance:
    def _fallback(self, **fields):
        return served(replace(hello(0x0303), **fields), answer(), client="192.0.2.1", stream=5, after=1)

    @pytest.mark.parametrize("how", [{"close": "fin"}, {"alert": 50}, {"alert": 40}, {"alert": 47}, {"alert": 10}, {"alert": 70}])
    def test_lower_offer_of_the_same_client_gets_through(self, how):
        assert verdict(attempt(hello(), **how), self._fallback()) == ("version-intolerance", "likely")

    def test_a_reset_may_come_from_a_box_on_the_way(self):
        finding = judge(attempt(hello(), close="rst"), self._fallback())
        assert (finding.cause, finding.confidence) == ("version-intolerance", "possible")

    def test_not_when_the_server_speaks_the_version(self):
        finding = judge(attempt(hello(), alert=40), self._fallback(), served(reply=answer(0x0304), stream=7))
        assert finding.cause != "version-intolerance"

    def test_not_when_the_first_offer_lacked_what_was_chosen(self):
        finding = judge(attempt(only_tls13(), alert=70), self._fallback())
        assert (finding.cause, finding.confidence) == ("client-version-too-new", "certain")

    def test_grease(self):
        plain = [served(hello(), answer(0x0304), stream=n) for n in (90, 91)]
        odd = [attempt(hello(grease=True), alert=40, stream=n, client="192.0.2.8") for n in (1, 2)]
        for judged in odd:
            judge(judged, *plain, *[other for other in odd if other is not judged])
            found = [judged.finding.cause, *(f.cause for f in judged.also)]
            assert "grease-intolerance" in found

    def test_grease_that_the_server_took_from_others(self):
        plain = [served(hello(grease=True), answer(0x0304), stream=n) for n in (90, 91)]
        judged = attempt(hello(grease=True), alert=40)
        judge(judged, *plain)
        assert "grease-intolerance" not in [judged.finding.cause, *(f.cause for f in judged.also)]


class TestRetry:
    def _retry(self, second=None, **fields):
        judged = attempt(hello(), stage=Stage.SERVER_HELLO if second is None else Stage.CLIENT_FLIGHT, **fields)
        judged.hello_retry = answer(0x0304, key_share_group=0x0017, key_share_length=0, hello_retry_request=True)
        judged.messages.insert(1, Message(6, 0, False, "hello_retry_request", 84, 6))
        if second is not None:
            judged.second_client_hello = second
            judged.messages.insert(2, Message(8, 0, True, "client_hello", 300, 8))
        return judged

    @pytest.mark.parametrize("alert", [47, 10])
    def test_client_aborts(self, alert):
        assert verdict(self._retry(alert=alert, by="client")) == ("hrr-failure", "likely")

    def test_client_just_closes(self):
        assert verdict(self._retry(by="client", close="fin")) == ("hrr-failure", "likely")

    def test_second_hello_without_the_share(self):
        assert verdict(self._retry(hello(), alert=47)) == ("hrr-failure", "certain")
        assert verdict(self._retry(hello(), alert=80)) == ("hrr-failure", "likely")  # for whatever else went wrong

    def test_second_hello_in_order_and_refused(self):
        assert verdict(self._retry(hello(key_shares=((0x0017, 65),)), alert=40)) == ("hrr-failure", "likely")

    def test_asked_twice(self):
        judged = self._retry(hello(key_shares=((0x0017, 65),)), alert=10, by="client")
        judged.faults.append(Fault("misbehaviour", False, 9, "a second HelloRetryRequest (RFC 8446 section 4.1.4 allows one)"))
        assert verdict(judged) == ("hrr-failure", "certain")

    def test_server_asks_for_a_share_it_has(self):
        judged = self._retry(alert=47, by="client")
        judged.client_hello.key_shares = ((0x001D, 32), (0x0017, 65))
        assert verdict(judged) == ("hrr-failure", "certain")

    def test_second_hello_lost_for_good(self):
        judged = self._retry(hello(key_shares=((0x0017, 65),)))
        judged.segments = tuple(
            Segment(10 + n, n * 2_000_000_000, True, 24, 1, 1, 300, 300, 500, 64, n, True, 0, 0, True, False) for n in range(3)
        )
        finding = judge(judged)
        assert (finding.cause, judged.outcome, judged.aborted_by) == ("hrr-failure", "failed", "unknown")

    def test_one_retransmission_is_no_verdict(self):
        judged = self._retry(hello(key_shares=((0x0017, 65),)))
        judged.segments = (Segment(10, 0, True, 24, 1, 1, 300, 300, 500, 64, 1, True, 0, 0, True, False),)
        finding = judge(judged)
        assert finding is None or finding.cause == "cap-ended-early"

    def test_a_certificate_refused_after_a_retry_is_no_retry_failure(self):
        judged = self._retry(hello(key_shares=((0x0017, 65),)), alert=48, by="client")
        judged.server_hello = answer(0x0304)
        found = judge(judged)
        assert found is None or found.cause != "hrr-failure"


class TestKeyExchange:
    @pytest.mark.parametrize(("bits", "alert", "confidence"), [(512, 40, "certain"), (1024, 71, "certain"), (1024, 47, "certain")])
    def test_short_prime(self, bits, alert, confidence):
        """OpenSSL says 40, Java, GnuTLS and NSS 71, others 47."""
        judged = attempt(hello(0x0303), answer(0x0303, 0x009E), exchange=ServerKeyExchange(dh_prime_bits=bits), alert=alert, by="client")
        judged.client_hello.cipher_suites = (0x009E,)
        assert verdict(judged) == ("dh-key-too-small", confidence)

    def test_prime_that_many_take_and_another_fault(self):
        """A check of the program's own says 40 of a certificate too."""
        exchange, fields = ServerKeyExchange(dh_prime_bits=1024), {"chain": (DEFAULT,), "alert": 40, "by": "client"}
        judged = attempt(hello(0x0303, cipher_suites=(0x009E,)), answer(0x0303, 0x009E), exchange=exchange, **fields)
        assert verdict(judged) == ("dh-key-too-small", "likely")

    def test_short_prime_and_a_plain_close(self):
        judged = attempt(hello(0x0303), answer(0x0303, 0x009E), exchange=ServerKeyExchange(dh_prime_bits=512), by="client", close="fin")
        judged.client_hello.cipher_suites = (0x009E,)
        assert judge(judged).cause == "dh-key-too-small"

    def test_long_prime_is_not_it(self):
        judged = attempt(hello(0x0303), answer(0x0303, 0x009E), exchange=ServerKeyExchange(dh_prime_bits=2048), alert=40, by="client")
        judged.client_hello.cipher_suites = (0x009E,)
        assert judge(judged).cause != "dh-key-too-small"

    def test_certificate_alert_over_a_short_prime_is_about_the_certificate(self):
        judged = attempt(hello(0x0303), answer(0x0303, 0x009E), exchange=ServerKeyExchange(dh_prime_bits=1024), alert=48, by="client")
        judged.client_hello.cipher_suites = (0x009E,)
        found = judge(judged)
        assert found is None or found.cause != "dh-key-too-small"

    def test_no_secure_renegotiation_and_openssl(self):
        judged = attempt(openssl_hello(), answer(0x0303, 0xC030, renegotiation_info=False, extension_types=(23,)), alert=40, by="client")
        assert verdict(judged) == ("unsafe-legacy-renegotiation", "likely")

    def test_no_secure_renegotiation_and_another_client(self):
        judged = attempt(hello(0x0303), answer(0x0303, renegotiation_info=False, extension_types=(23,)), alert=40, by="client")
        assert verdict(judged) == ("unsafe-legacy-renegotiation", "possible")

    def test_secure_renegotiation_there_and_40(self):
        assert judge(attempt(openssl_hello(), answer(0x0303), alert=40, by="client")).cause != "unsafe-legacy-renegotiation"

    def test_tls13_needs_none(self):
        found = judge(attempt(hello(), answer(0x0304), alert=40, by="client"))
        assert found is None or found.cause != "unsafe-legacy-renegotiation"

    def test_both_no_renegotiation_and_a_short_prime(self):
        """OpenSSL looks at the ServerHello first; only a prime that nobody takes is worse."""
        reply = answer(0x0303, 0x009E, renegotiation_info=False, extension_types=(23,))
        judged = attempt(openssl_hello(), reply, exchange=ServerKeyExchange(dh_prime_bits=1024), alert=40, by="client")
        assert verdict(judged) == ("unsafe-legacy-renegotiation", "likely")
        judged = attempt(openssl_hello(), reply, exchange=ServerKeyExchange(dh_prime_bits=512), alert=40, by="client")
        assert verdict(judged) == ("dh-key-too-small", "likely")


class TestAnswersOutsideTheOffer:
    @pytest.mark.parametrize(
        "reply",
        [
            answer(0x0303, 0x003D),
            answer(0x0303, 0x1301),
            answer(0x0304, key_share_group=0x0019, key_share_length=133),
            answer(0x0303, alpn="spdy/3"),
            answer(0x0303, compression_method=1),
            answer(0x0304, pre_shared_key=0),
        ],
        ids=["suite", "suite of another version", "group", "alpn", "compression", "psk"],
    )
    @pytest.mark.parametrize("alert", [47, 40])
    def test_each_choice(self, reply, alert):
        assert verdict(attempt(hello(), reply, alert=alert, by="client")) == ("server-params-illegal", "certain")

    def test_signature_of_tls12(self):
        judged = attempt(
            hello(0x0303), answer(), exchange=ServerKeyExchange(named_group=0x17, signature_scheme=0x0201), alert=47, by="client"
        )
        assert verdict(judged) == ("server-params-illegal", "certain")

    def test_an_answer_inside_the_offer_stays_general(self):
        assert verdict(attempt(hello(), answer(0x0304), alert=47, by="client")) == ("illegal-parameter", "likely")

    def test_a_cut_offer_proves_nothing(self):
        judged = attempt(hello(cipher_suites=(0x1301,)), answer(0x0303, 0x003D), alert=47, by="client", truncated=1)
        assert verdict(judged) == ("illegal-parameter", "likely")

    def test_certificate_alert_is_not_about_the_choice(self):
        found = judge(attempt(hello(), answer(0x0303, 0x003D), alert=48, by="client"))
        assert found is None or found.cause != "server-params-illegal"

    @pytest.mark.parametrize("alert", [110, 10])
    def test_extension_nobody_asked_for(self, alert):
        """Java says unexpected_message."""
        judged = attempt(hello(0x0303), answer(0x0303, extension_types=(0xFF01, 23, 15)), alert=alert, by="client")
        assert verdict(judged) == ("unsupported-extension", "certain")

    def test_extension_nobody_asked_for_and_an_alert_for_anything(self):
        """GnuTLS and others pass it by, and may say 40 of the key exchange."""
        judged = attempt(hello(0x0303), answer(0x0303, extension_types=(0xFF01, 23, 15)), alert=40, by="client")
        assert verdict(judged) == ("unsupported-extension", "likely")

    def test_answer_to_the_signalling_suite_is_asked_for(self):
        offer = hello(0x0303, extension_types=(0, 10, 11, 13, 16, 23, 35))
        assert verdict(attempt(offer, answer(), alert=47, by="client")) == ("illegal-parameter", "likely")

    @pytest.mark.parametrize("reply", [answer(0x0304, key_share_length=31), answer(0x0304, session_id=b"other")])
    def test_wrong_length_and_wrong_echo(self, reply):
        assert verdict(attempt(hello(), reply, alert=47, by="client")) == ("illegal-parameter", "certain")


class TestGeneralAlerts:
    NAMES = {10: "unexpected-message", 20: "bad-record-mac", 47: "illegal-parameter", 51: "decrypt-error", 80: "internal-error"}

    @pytest.mark.parametrize("alert", NAMES)
    def test_named_by_the_servers_alert_and_no_more_than_likely(self, alert):
        judged = attempt(hello(0x0303), answer(), stage=Stage.CLIENT_FLIGHT, alert=alert, client_certificate_requested=False)
        assert verdict(judged) == (self.NAMES[alert], "likely")

    def test_decode_error_with_the_defect_at_hand(self):
        judged = attempt(hello(defects=("3 bytes after the extensions",)), alert=50)
        assert verdict(judged) == ("decode-error", "certain")
        assert verdict(attempt(hello(), alert=50)) == ("decode-error", "likely")

    def test_go_calls_a_hello_it_cannot_parse_unexpected(self):
        judged = attempt(hello(), alert=10)
        judged.faults.append(Fault("defect", True, 4, "client_hello that does not parse: it ends before the extensions"))
        assert verdict(judged) == ("decode-error", "certain")

    def test_eof_is_an_effect(self):
        """OpenSSL answers a connection closed on it with decode_error."""
        judged = attempt(hello(), alert=50, client_fin_frame=9, client_fin_time=1)
        found = judge(judged)
        assert found is None or found.cause != "decode-error"

    def test_a_client_that_has_no_version_left(self):
        judged = attempt(None, stage=Stage.CONNECTED, alert=80, by="client", close="fin", client_bytes=7)
        finding = judge(judged)
        assert (finding.cause, judged.outcome, judged.aborted_by) == ("internal-error", "failed", "client")

    def test_record_too_long(self):
        for alert in (22, 47):  # Java says 47
            judged = attempt(hello(), alert=alert)
            judged.faults.append(Fault("defect", True, 5, "record of 20000 bytes, more than the 18432 allowed"))
            assert judge(judged).cause == "record-overflow"
        assert verdict(attempt(hello(), alert=22)) == ("record-overflow", "likely")

    def test_plain_bytes_read_as_a_record_are_not_ours(self):
        judged = attempt(hello(), stage=Stage.SERVER_NOT_TLS, alert=22, by="client")
        found = judge(judged)
        assert found is None or found.cause != "record-overflow"

    def test_every_general_cause_gives_way_and_explains_no_certificate(self):
        closed = more_specific()
        for cause in (*self.NAMES.values(), "decode-error", "insufficient-security", "missing-extension"):
            explained = closed[cause]
            assert not any(other.startswith(("cert-", "client-cert-")) for other in explained), cause


class TestOldAndOdd:
    @pytest.mark.parametrize(("alert", "confidence"), [(70, "likely"), (40, "likely"), (50, "likely")])
    def test_sslv2_hello(self, alert, confidence):
        """nginx, HAProxy, Go, Node and Python say 70, OpenSSL, GnuTLS and Java 40, old ones 50. A server on OpenSSL reads it, and may
        refuse the version it announces."""
        offer = hello(0x0301, sslv2=True, cipher_suites=(5, 4, 0x0700C0), extension_types=(), has_extensions=False)
        assert verdict(attempt(offer, alert=alert)) == ("sslv2-or-v3-hello", confidence)

    def test_nss_says_nothing_to_it(self):
        judged = attempt(hello(0x0301, sslv2=True), by="client", close="fin")
        assert verdict(judged) == ("sslv2-or-v3-hello", "likely")

    def test_what_only_looks_like_it(self):
        judged = attempt(hello(0x0301, sslv2=True), by="client", close="fin")
        judged.messages.append(Message(5, 0, True, "not_tls", 70, 5))
        assert judge(judged) is None or judge(judged).cause != "sslv2-or-v3-hello"

    def test_ssl3(self):
        assert verdict(attempt(hello(0x0300), alert=40)) == ("sslv2-or-v3-hello", "likely")

    def test_heartbeat_in_the_handshake(self):
        judged = attempt(hello(0x0303), answer(), by="client", close="rst")
        judged.messages.append(Message(9, 0, True, "heartbeat", 3, 9))
        judged.messages.append(Message(10, 0, False, "heartbeat", 16384, 10))
        finding = judge(judged)
        assert finding.cause == "heartbeat-anomaly"
        assert "answered" in finding.summary

    def test_user_canceled_in_the_middle(self):
        judged = attempt(hello(), answer(0x0304), alert=90, by="client", level=1, close="fin")
        finding = judge(judged)
        assert (finding.cause, judged.aborted_by) == ("user-canceled", "client")

    def test_early_data_that_the_server_chokes_on(self):
        judged = attempt(hello(early_data=True, psk_identities=1, psk_identity=bytes(64)), alert=10)
        judged.messages.insert(1, Message(5, 0, True, "application_data", 200, 5, True))
        assert verdict(judged) == ("early-data-rejected", "likely")
        assert verdict(attempt(hello(early_data=True), alert=10)) != ("early-data-rejected", "likely")

    def test_ech_required(self):
        judged = attempt(hello(encrypted_client_hello=True), answer(0x0304), alert=121, by="client")
        assert verdict(judged) == ("ech-failure", "certain")

    def test_grease_ech_is_no_ech(self):
        found = judge(attempt(hello(encrypted_client_hello=True), answer(0x0304), alert=-1, by="client"))
        assert found.cause != "ech-failure"

    def test_encrypted_refusal_under_the_public_name(self):
        offer = hello(encrypted_client_hello=True, server_name="cloudflare-ech.com")
        assert verdict(attempt(offer, answer(0x0304), alert=-1, by="client")) == ("ech-failure", "likely")

    @pytest.mark.parametrize(("size", "alert", "cause"), [(150_000, 47, "large-cert-flight-rejected"), (20_000, 50, "large-cert-flight-rejected"),
                                                          (4_000, 47, "illegal-parameter")])  # fmt: skip
    def test_large_chain(self, size, alert, cause):
        judged = attempt(hello(0x0303), answer(), alert=alert, by="client", server_certificate_bytes=size)
        assert judge(judged).cause == cause

    def test_who_leaves_while_a_long_chain_comes_may_have_any_reason(self):
        left = attempt(hello(0x0303), answer(), close="fin", by="client", server_certificate_bytes=50_000)
        found = judge(left)
        assert found is None or found.cause != "large-cert-flight-rejected"
        refused = attempt(hello(0x0303), answer(), alert=47, by="client", server_certificate_bytes=50_000)
        assert "not all of it had come" in " ".join(says for _, says in judge(refused).evidence)

    def test_compressed_certificate(self):
        judged = attempt(hello(), answer(0x0304), alert=50, by="client")
        judged.messages.insert(2, Message(8, 0, False, "compressed_certificate", 700, 8, True, True))
        assert verdict(judged) == ("cert-compression-failure", "likely")


class TestEncryptedRefusals:
    def test_server_after_its_hello(self):
        assert verdict(attempt(hello(alpn=()), answer(0x0304), encrypted=(23, 19), alert=-1)) == ("refused-encrypted", "likely")

    def test_server_over_a_finished_without_certificates(self):
        judged = attempt(hello(0x0303), answer(), stage=Stage.CLIENT_FLIGHT, alert=-1, client_certificate_requested=False)
        assert verdict(judged) == ("refused-encrypted", "likely")

    def test_server_over_a_client_certificate_is_not_ours(self):
        judged = attempt(
            hello(), answer(0x0304), stage=Stage.FINISHED, alert=-1, client_certificate_requested=True, client_certificate_sent=True
        )
        assert judge(judged).cause != "refused-encrypted"

    def test_client_after_the_servers_flight_is_about_the_certificate(self):
        assert judge(attempt(hello(), answer(0x0304), alert=-1, by="client")).cause != "refused-encrypted"

    def test_client_in_a_resumed_session(self):
        judged = attempt(hello(), answer(0x0304, pre_shared_key=0), alert=-1, by="client", resumption="psk")
        judged.client_hello.psk_identities = 1
        assert judge(judged).cause == "refused-encrypted"

    @pytest.mark.parametrize("gap", [{"server_gaps": 900}, {"client_gaps": 1}, {"truncated": 2}])
    def test_nothing_is_read_out_of_gaps(self, gap):
        judged = attempt(hello(), answer(0x0304), encrypted=(19,), alert=-1, **gap)
        found = judge(judged)
        assert found is None or found.cause != "refused-encrypted"


class TestRenegotiation:
    def _established(self, *after):
        judged = served(hello(0x0303), answer(), stream=0, client="192.0.2.1")
        judged.client_application_records = judged.server_application_records = 0
        judged.stage = Stage.FINISHED
        judged.messages += [Message(frame, 0, from_client, kind, length, frame, True) for frame, from_client, kind, length in after]
        for position, message in enumerate(judged.messages):
            if message.kind == "alert":
                judged.alerts.extend(
                    replace(alert, frame=message.frame, position=position)
                    for alert in attempt(hello(), alert=-1, by="client" if message.from_client else "server").alerts
                )
        return judged

    def test_refused_after_the_handshake(self):
        judged = self._established((17, True, "encrypted_handshake", 242), (18, False, "alert", 26), (19, True, "alert", 26))
        assert verdict(judged) == ("renegotiation-refused", "likely")
        assert (judged.outcome, judged.aborted_by) == ("failed", "server")

    def test_without_the_packets_before_it_that_is_no_second_handshake(self):
        judged = self._established((17, True, "encrypted_handshake", 242), (18, False, "alert", 26), (19, True, "alert", 26))
        judged.flow.client_gaps = 6
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)

    def test_refused_with_a_warning_and_gone_on(self):
        judged = self._established(
            (17, True, "encrypted_handshake", 242), (18, False, "alert", 26), (19, True, "application_data", 90)
        )  # fmt: skip
        judged.messages[-1] = judged.messages[-1]._replace(timestamp=judged.alerts[0].timestamp + 10**6)
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)
        judged.alerts = [replace(alert, description=100, level=1, how="decrypted") for alert in judged.alerts]
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)
        assert ("renegotiation-refused", "also") in [(finding.cause, finding.kind) for finding in judged.also]

    def test_refused_with_a_warning_and_ended(self):
        judged = self._established((17, True, "encrypted_handshake", 242), (18, False, "alert", 26), (19, True, "alert", 26))
        judged.alerts = [replace(judged.alerts[0], description=100, level=1, how="decrypted")]
        assert verdict(judged) == ("renegotiation-refused", "certain")

    def test_granted(self):
        judged = self._established((17, True, "encrypted_handshake", 242), (18, False, "encrypted_handshake", 90), (30, False, "alert", 26))
        judge(judged)
        assert judged.outcome == "completed"

    def test_goodbye_is_no_refusal(self):
        judged = self._established((17, True, "application_data", 90), (18, False, "application_data", 900), (19, False, "alert", 26))
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)

    def test_change_cipher_spec_is_no_request(self):
        judged = self._established((17, True, "change_cipher_spec", 1), (17, True, "encrypted_handshake", 64), (18, False, "alert", 26))
        judge(judged)
        assert judged.finding is None or judged.finding.cause != "renegotiation-refused"

    def _asked_by_the_server(self, *after, exchange=66):
        asked = (
            (14, True, "client_key_exchange", exchange), (15, True, "encrypted_handshake", 40), (16, False, "encrypted_handshake", 40),
            (17, True, "application_data", 61), (18, False, "encrypted_handshake", 28),
        )  # fmt: skip
        judged = self._established(*asked, *after)
        judged.messages = [replaced(m) if m.kind == "client_key_exchange" else m for m in judged.messages]
        judged.client_application_records = 1
        return judged

    def test_the_server_asks_and_the_client_refuses(self):
        judged = self._asked_by_the_server((19, True, "alert", 26), (20, False, "alert", 26))
        assert verdict(judged) == ("renegotiation-refused", "likely")
        assert (judged.outcome, judged.aborted_by) == ("failed", "client")

    def test_the_server_asks_and_goes_on_without(self):
        judged = self._asked_by_the_server((19, True, "alert", 26), (20, False, "application_data", 400), (21, False, "alert", 26))
        judged.messages = [m._replace(timestamp=m.frame) for m in judged.messages]
        judged.alerts = [replace(alert, timestamp=alert.frame) for alert in judged.alerts]
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)

    AGAIN = ((19, True, "encrypted_handshake", 253), (20, False, "encrypted_handshake", 145), (21, False, "encrypted_handshake", 1858))
    END = ((22, True, "change_cipher_spec", 25), (22, True, "encrypted_handshake", 40), (23, False, "alert", 26))

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            ((31, 94), ("client-cert-missing", "likely")),  # GnuTLS: a record for each message
            ((101,), ("client-cert-missing", "likely")),  # BoringSSL: one for both, of 7, 4 + 66 and 24 bytes
            ((94,), None),  # no certificate was asked for
            ((1_500, 94, 288), ("client-cert-rejected", "likely")),
            ((1_860,), ("client-cert-rejected", "likely")),
        ],
    )
    def test_the_server_asks_and_ends_the_second_handshake(self, reply, expected):
        sent = [(22, True, "encrypted_handshake", length) for length in reply]
        judged = self._asked_by_the_server(*self.AGAIN, *sent, *self.END)
        assert verdict(judged) == expected
        assert (judged.outcome, judged.aborted_by) == (("failed", "server") if expected else ("completed", "none"))

    def test_a_second_handshake_that_succeeds(self):
        sent = ((22, True, "encrypted_handshake", 1_500), *self.END[:2], (23, False, "change_cipher_spec", 25))
        rest = ((23, False, "encrypted_handshake", 40), (24, False, "application_data", 400), (25, False, "alert", 26))
        judged = self._asked_by_the_server(*self.AGAIN, *sent, *rest)
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)

    def test_a_request_that_came_in_one_frame_with_the_finished_before_it(self):
        """What was overtaken is read with what overtook it."""
        sent = [(22, True, "encrypted_handshake", 31), (22, True, "encrypted_handshake", 94)]
        judged = self._asked_by_the_server(*self.AGAIN, *sent, *self.END)
        judged.messages = [m._replace(frame=16) if m.frame == 18 else m for m in judged.messages]
        assert verdict(judged) == ("client-cert-missing", "likely")

    def test_the_client_gives_up_the_second_handshake(self):
        judged = self._asked_by_the_server(*self.AGAIN, (22, True, "alert", 26))
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)


def replaced(message):
    """A message of the first handshake's, which is not encrypted."""
    return message._replace(encrypted=False)


class TestDefaultCertificate:
    def test_what_servers_say_before_they_are_configured(self):
        fake = replace(DEFAULT, subject="CN=Kubernetes Ingress Controller Fake Certificate", names=("ingress.local",), self_signed=True)
        judged = attempt(hello(0x0303), answer(), chain=(fake,), alert=48, by="client")
        assert verdict(judged) == ("sni-default-cert", "likely")

    def test_given_to_those_who_ask_for_its_name(self):
        neighbours = [served(hello(0x0303, server_name="other.example"), answer(), chain=(DEFAULT,), stream=n) for n in (90, 91)]
        judged = attempt(hello(0x0303), answer(), chain=(DEFAULT,), alert=42, by="client")
        assert verdict(judged, *neighbours) == ("sni-default-cert", "likely")

    @pytest.mark.parametrize("asked", ["other.example", "deep.in.other.example"])
    def test_the_wildcard_of_the_site_that_does_not_reach_the_name_is_no_default(self, asked):
        wild = replace(DEFAULT, names=("*.other.example",))
        neighbours = [served(hello(0x0303, server_name="www.other.example"), answer(), chain=(wild,), stream=n) for n in (90, 91)]
        judged = attempt(hello(0x0303, server_name=asked), answer(), chain=(wild,), alert=42, by="client")
        assert verdict(judged, *neighbours)[0] == "cert-name-mismatch"
        assert "stands for one label" in judged.finding.summary

    def test_alone_it_is_a_name_that_does_not_fit(self):
        judged = attempt(hello(0x0303), answer(), chain=(DEFAULT,), alert=42, by="client")
        assert judge(judged).cause != "sni-default-cert"
        assert "sni-default-cert" in [finding.cause for finding in judged.also]

    def test_a_name_it_covers(self):
        judged = attempt(hello(0x0303, server_name="other.example"), answer(), chain=(DEFAULT,), alert=42, by="client")
        judge(judged)
        assert "sni-default-cert" not in [judged.finding.cause, *(f.cause for f in judged.also)]


@pytest.mark.parametrize("description", ALERT_DESCRIPTIONS)
@pytest.mark.parametrize("by", ["client", "server"])
@pytest.mark.parametrize("place", ["hello", "answer", "finished"])
def test_no_rule_crashes_on_any_alert_anywhere(description, by, place):
    replies = {"hello": None, "answer": answer(), "finished": answer(0x0304)}
    stages = {"hello": Stage.SERVER_ALERT, "answer": Stage.SERVER_HELLO, "finished": Stage.FINISHED}
    judged = attempt(hello(), replies[place], stage=stages[place], alert=description, by=by, close="fin")
    judge(judged, served(), attempt(hello(0x0301), alert=70, stream=8))


def test_a_completed_handshake_gets_no_cause_of_this_family():
    for reply in (answer(), answer(0x0304), answer(0x0303, downgrade_sentinel=1), answer(0x0303, 0x003D, renegotiation_info=False)):
        judged = served(hello(session_ticket_length=100, early_data=True), reply)
        judge(judged)
        assert (judged.outcome, judged.finding) == ("completed", None)


def test_every_rule_of_the_family_can_be_found():
    own = [rule for rule in load_rules().values() if ".negotiation." in type(rule).__module__]
    assert len(own) == 41
