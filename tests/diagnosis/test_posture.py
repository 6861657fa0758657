"""What is said beside handshakes that completed, and what will fail next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from analyzer.diagnosis import registry
from analyzer.diagnosis.engine import Diagnosis
from analyzer.model.handshake import Stage
from analyzer.model.options import Options

_DAY = 86_400 * 10**9


@pytest.fixture
def diagnosis(ca_file):
    return Diagnosis(Options(ca_file=ca_file))


@pytest.fixture
def completed(make_handshake):
    def completed(*, suite=0xC02F, offers=(0x0304, 0x0303), **how):
        version = how.get("version", 0x0303)
        handshake = make_handshake(Stage.ESTABLISHED, server_application_records=9, client_application_records=9, **how)
        handshake.server_hello = replace(handshake.server_hello, cipher_suite=suite, selected_version=version)
        hello = handshake.client_hello
        hello.supported_versions = offers if max(offers) >= 0x0304 else ()
        hello.extension_types = (0, 43) if hello.supported_versions else (0,)
        hello.legacy_version = min(max(offers), 0x0303)
        return handshake

    return completed


def postures(diagnosis, *handshakes):
    diagnosis.judge_all(handshakes)
    assert not diagnosis.bugs, diagnosis.bugs[0].traceback
    assert all(h.outcome == "completed" and h.finding is None for h in handshakes)
    return [finding.cause for finding in handshakes[0].also if finding.kind == "posture"]


def test_sound_handshake_has_nothing_to_say(diagnosis, completed, authority):
    assert postures(diagnosis, completed(chain=[authority.make()])) == []


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_old_version(diagnosis, completed, version):
    assert postures(diagnosis, completed(version=version)) == ["weak-version"]


@pytest.mark.parametrize("version", [0x0301, 0x0302])
def test_old_client_is_the_reason_where_it_offers_nothing_better(diagnosis, completed, version):
    assert postures(diagnosis, completed(version=version, offers=(version,))) == ["old-client"]


@pytest.mark.parametrize("suite", [0x0005, 0x000A, 0x0003, 0x0018, 0x0001, 0xC007])
def test_weak_suite(diagnosis, completed, suite):
    assert postures(diagnosis, completed(suite=suite)) == ["weak-cipher-suite"]


@pytest.mark.parametrize("suite", [0xC013, 0x002F, 0x009C, 0xCCA8])
def test_suite_that_only_lacks_something_is_not_weak(diagnosis, completed, suite):
    assert postures(diagnosis, completed(suite=suite)) == []


@pytest.mark.parametrize(("ends", "said"), [(29, True), (0.2, True), (-3, True), (31.5, False), (60, False)])
def test_certificate_near_its_end(diagnosis, completed, authority, ends, said):
    assert postures(diagnosis, completed(chain=[authority.make(ends=ends)])) == (["certificate-ends-soon"] if said else [])


def test_certificate_signed_with_sha1(diagnosis, completed, authority):
    signed = authority.make()
    weak = replace(signed, signature_hash="sha1", signature="ecdsa-with-SHA1")
    assert "weak-certificate" in postures(diagnosis, completed(chain=[weak]))


def test_short_key(diagnosis, completed, authority):
    short = authority.make(key=rsa.generate_private_key(65537, 1024))
    assert postures(diagnosis, completed(chain=[short])) == ["weak-certificate"]


def test_no_name(diagnosis, completed):
    assert postures(diagnosis, completed(name=None)) == ["no-server-name"]


def test_failed_handshake_has_a_cause_and_no_posture(diagnosis, make_handshake):
    handshake = make_handshake(version=0x0301, client_alert=70)
    diagnosis.judge_all([handshake])
    assert not any(finding.kind == "posture" for finding in handshake.also)


def test_same_shape_is_examined_once(diagnosis, completed, authority):
    chain = [authority.make(ends=5)]
    first, second = completed(chain=chain), completed(chain=chain, stream=1)
    diagnosis.judge_all([first, second])
    assert first.also[0] is second.also[0]


def test_every_posture_has_a_page_and_is_no_cause():
    rules = [rule for rule in registry.load_rules().values() if rule.kind == "posture"]
    assert len(rules) >= 6
    for rule in rules:
        page = registry.read_page(rule.cause)
        assert page.remedy
        assert page.family == "posture"
        assert rule.explains == ()


# -- prevention ---------------------------------------------------------------------------------------------------------------------------


def prevented(diagnosis, *handshakes):
    diagnosis.judge_all(handshakes)
    return {finding.cause: finding for finding in diagnosis.prevention()}


def test_certificates_by_days_left_with_those_that_have_ended(diagnosis, completed, authority):
    soon, ended, far = authority.make("soon.example", ends=5), authority.make("ended.example", ends=-2), authority.make("far.example")
    diagnosis.judge_all([completed(chain=[c], name=c.common_name, stream=n) for n, c in enumerate((soon, ended, far))])
    found = [finding for finding in diagnosis.prevention() if finding.cause == "certificate-ends-soon"]
    assert ["ended.example" in found[0].summary, "soon.example" in found[1].summary] == [True, True]
    assert len(found) == 2
    assert "ended" in found[0].summary
    assert found[0].remedy


def test_days_left_are_those_of_the_capture_that_shows_the_certificate(diagnosis, completed, authority):
    diagnosis.context.note_capture(1, first_seen=2**62, last_seen=2**62)  # another one's clock is in the next century
    found = prevented(diagnosis, completed(chain=[authority.make("far.example")], name="far.example"))
    assert "certificate-ends-soon" not in found


def test_server_on_an_old_version(diagnosis, completed):
    found = prevented(diagnosis, completed(version=0x0301))
    assert "198.51.100.2:443" in found["weak-version"].summary
    assert "TLS 1.0" in found["weak-version"].summary


def test_server_that_also_speaks_a_new_version_is_fine(diagnosis, completed):
    assert "weak-version" not in prevented(diagnosis, completed(version=0x0301), completed(stream=1))


def test_clients_that_need_an_old_version(diagnosis, completed):
    old = [completed(version=0x0301, offers=(0x0301,), client=f"192.0.2.{n}", stream=n) for n in range(1, 4)]
    found = prevented(diagnosis, *old)
    assert "3 clients" in found["old-client"].summary
    assert "192.0.2.2" in found["old-client"].summary


def test_server_that_chooses_a_weak_suite(diagnosis, completed):
    found = prevented(diagnosis, completed(suite=0x0005), completed(suite=0x0005, stream=1))
    assert "2 handshakes" in found["weak-cipher-suite"].summary


def test_server_that_breaks_on_long_hellos(diagnosis, completed, make_handshake):
    long = make_handshake(Stage.CLIENT_HELLO, stream=1, server_rst_frame=9, server_rst_time=1)
    long.client_hello.length = 1_700
    found = prevented(diagnosis, completed(), long)
    assert "post-quantum" in found["large-client-hello-intolerance"].summary


def test_server_that_answers_long_hellos_is_fine(diagnosis, completed, make_handshake):
    answered = completed()
    answered.client_hello.length = 1_700
    long = make_handshake(Stage.CLIENT_HELLO, stream=1, server_rst_frame=9, server_rst_time=1)
    long.client_hello.length = 1_700
    assert "large-client-hello-intolerance" not in prevented(diagnosis, answered, long)


def test_most_urgent_comes_first_and_the_list_is_short(diagnosis, completed, authority):
    handshakes = [completed(chain=[authority.make(f"a{n}.example", ends=n)], name=f"a{n}.example", stream=n) for n in range(5, 0, -1)]
    handshakes.append(completed(version=0x0301, stream=90))
    diagnosis.judge_all(handshakes)
    found = diagnosis.prevention()
    assert [finding.cause for finding in found[:5]] == ["certificate-ends-soon"] * 5
    assert [f"a{n}.example" in finding.summary for n, finding in enumerate(found[:5], 1)] == [True] * 5
    assert len(found) <= 200
    assert all(finding.kind == "prevention" for finding in found)


def test_nothing_seen_nothing_to_prevent(diagnosis):
    assert diagnosis.prevention() == []
