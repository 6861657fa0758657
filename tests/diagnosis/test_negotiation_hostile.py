"""Whatever two ends say to each other, the rules of the family answer or keep still."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from negotiation_building import answer, attempt, hello, served

from analyzer.diagnosis.engine import Diagnosis
from analyzer.model.faults import Fault
from analyzer.model.handshake import Stage
from analyzer.model.hello import ServerKeyExchange

codes = st.integers(0, 0xFFFF)
lists = st.lists(codes | st.sampled_from([0x1301, 0xC02F, 0x001D, 0x0804, 0x0A0A, 0x5600, 0x00FF]), max_size=6).map(tuple)
names = st.none() | st.text(max_size=20) | st.sampled_from(["server.example", "192.0.2.1", "::1", "xn--", "a" * 300])

hellos = st.builds(
    lambda version, suites, groups, schemes, shares, versions, name, alpn, psk, flags: replace(
        hello(), legacy_version=version, cipher_suites=suites, named_groups=groups, signature_schemes=schemes, supported_versions=versions,
        key_shares=tuple((group, 32) for group in shares), server_name=name, alpn=tuple(alpn), psk_identities=len(psk) > 0, psk_identity=psk,
        grease=flags & 1 > 0, early_data=flags & 2 > 0, sslv2=flags & 4 > 0, fallback_scsv=flags & 8 > 0,
        extended_master_secret=flags & 16 > 0, renegotiation_info=flags & 32 > 0, encrypted_client_hello=flags & 64 > 0,
        extension_types=groups if flags & 128 else hello().extension_types,
    ),
    codes, lists, lists, lists, lists, lists, names, st.lists(st.text(max_size=8), max_size=3), st.binary(max_size=64), st.integers(0, 255),
)  # fmt: skip

answers = st.builds(
    lambda version, suite, group, sentinel, psk, extensions, retry: answer(
        version, suite, key_share_group=group, downgrade_sentinel=sentinel, pre_shared_key=psk, extension_types=extensions,
        hello_retry_request=retry, compression_method=0,
    ),
    codes | st.sampled_from([0x0301, 0x0303, 0x0304]), codes, st.none() | codes, st.none() | st.integers(0, 1),
    st.none() | st.integers(0, 3), lists, st.booleans(),
)  # fmt: skip

exchanges = st.builds(ServerKeyExchange, st.none() | codes, st.integers(0, 4096), st.just(0), st.none() | codes)

attempts = st.builds(
    lambda offer, reply, retry, second, exchange, alert, by, stage, close, records, stream, faults: attempt(
        offer, reply, stage=stage, alert=alert, by=by, close=close, exchange=exchange, encrypted=tuple(records), stream=stream,
        hello_retry=retry, second_client_hello=second, faults=faults,
    ),
    st.none() | hellos, st.none() | answers, st.none() | answers, st.none() | hellos, st.none() | exchanges, st.none() | st.integers(-1, 255),
    st.sampled_from(["client", "server"]), st.sampled_from(list(Stage.RANK)), st.sampled_from(["", "fin", "rst"]),
    st.lists(st.sampled_from([11, 19, 23, 35, 65, 900, 20_000]), max_size=3), st.integers(0, 9),
    st.lists(st.builds(Fault, st.sampled_from(["defect", "misbehaviour", "gap"]), st.booleans(), st.integers(0, 9), st.text(max_size=30)),
             max_size=2),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(attempts, min_size=1, max_size=4))
def test_no_attempt_makes_a_rule_crash(judged):
    diagnosis = Diagnosis()
    diagnosis.judge_all([*judged, served(), served(hello(), answer(0x0304), stream=91)])
    assert not diagnosis.bugs, diagnosis.bugs[0].traceback
    for handshake in judged:
        if handshake.finding is not None:
            assert handshake.finding.confidence in ("certain", "likely", "possible")
            assert handshake.finding.summary.endswith(".")
