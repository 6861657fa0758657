"""How the cause is picked, what a completed handshake meets, and what a crashing rule costs."""

from __future__ import annotations

import pytest

from analyzer.diagnosis import registry
from analyzer.diagnosis.engine import Diagnosis
from analyzer.diagnosis.rule import Rule
from analyzer.model.handshake import Stage


def _rule(name, confidence="likely", explained=(), **found):
    class Made(Rule):
        cause = name
        explains = explained

        def examine(self, handshake, context):
            return self.found(confidence, f"{name}.", **found)

    return Made()


@pytest.fixture
def judge(make_handshake, monkeypatch):
    def judge(*rules, **fields):
        monkeypatch.setattr(registry, "more_specific", lambda: {rule.cause: frozenset(rule.explains) for rule in rules})
        diagnosis = Diagnosis(rules=rules)
        handshake = make_handshake(**{"client_alert": 42, **fields})
        diagnosis.judge_all([handshake])
        return handshake, diagnosis

    return judge


def test_certain_beats_likely_beats_possible(judge):
    handshake, _ = judge(_rule("cert-unknown-ca", "possible"), _rule("cert-expired", "certain"), _rule("cert-self-signed"))
    assert handshake.finding.cause == "cert-expired"
    assert [finding.cause for finding in handshake.also] == ["cert-self-signed", "cert-unknown-ca"]


def test_specific_explains_the_general_away_however_sure(judge):
    handshake, _ = judge(_rule("cert-rejected", "certain"), _rule("cert-pinning", "possible", ("cert-rejected",)))
    assert handshake.finding.cause == "cert-pinning"
    assert handshake.also == []


def test_page_gives_remedy_and_commands(judge):
    handshake, _ = judge(_rule("cert-expired"))
    assert "Renew the certificate" in handshake.finding.remedy
    assert any("198.51.100.2:443 -servername server.example" in command for command in handshake.finding.confirm)


def test_finding_may_change_outcome_and_blame(judge):
    handshake, _ = judge(_rule("cap-ended-early", outcome="unfinished", aborted_by="unknown"))
    assert (handshake.outcome, handshake.aborted_by) == ("unfinished", "unknown")


def test_crash_of_a_rule_is_kept_as_a_bug_and_the_others_go_on(judge):
    class Broken(Rule):
        cause = "cert-malformed"

        def examine(self, handshake, context):
            raise ZeroDivisionError("what a rule can do wrong")

    handshake, diagnosis = judge(Broken(), _rule("cert-expired"))
    assert handshake.finding.cause == "cert-expired"
    (bug,) = diagnosis.bugs
    assert (bug.rule, bug.stream) == ("cert-malformed", 0)
    assert "what a rule can do wrong" in bug.traceback


def test_sieve_keeps_rules_to_their_stages_outcomes_and_alerts(judge):
    asked = []

    class Picky(Rule):
        cause = "cert-expired"
        stages = frozenset({Stage.SERVER_HELLO})
        alerts = frozenset({45})
        alert_from_client = True

        def examine(self, handshake, context):
            asked.append(handshake.stage)

    judge(Picky(), client_alert=42)
    judge(Picky(), stage=Stage.CLIENT_FLIGHT, client_alert=45)
    assert asked == []
    judge(Picky(), client_alert=45)
    assert asked == [Stage.SERVER_HELLO]


@pytest.mark.parametrize("stage", [Stage.FINISHED, Stage.ESTABLISHED])
def test_completed_handshake_never_gets_a_cause_unless_a_finding_says_it_failed(stage, make_handshake):
    class Eager(Rule):
        cause = "client-silent-reject"
        outcomes = frozenset({"completed"})

        def examine(self, handshake, context):
            return self.found("certain", "Said of a completed handshake.")

    handshake = make_handshake(stage, client_finished_frame=9, server_finished_frame=10, client_fin_frame=11)
    Diagnosis(rules=[Eager(), _rule("cert-expired", "certain")]).judge_all([handshake])
    assert (handshake.outcome, handshake.finding) == ("completed", None)


def test_posture_is_told_of_completed_handshakes_only(authority, make_handshake):
    diagnosis = Diagnosis()
    for stage in (Stage.ESTABLISHED, Stage.SERVER_HELLO):
        handshake = make_handshake(stage, name=None, chain=[authority.make(ends=10)])
        diagnosis.judge_all([handshake])
        postures = {finding.cause for finding in handshake.also if finding.kind == "posture"}
        assert postures == ({"certificate-ends-soon", "no-server-name"} if stage == Stage.ESTABLISHED else set())


def test_postures_alike_are_judged_once(authority, make_handshake):
    asked = []

    class Counted(Rule):
        cause = "weak-version"
        kind = "posture"

        def examine(self, handshake, context):
            asked.append(handshake)

    chain = [authority.make()]
    Diagnosis(rules=[Counted()]).judge_all([make_handshake(Stage.ESTABLISHED, chain=chain, stream=n) for n in range(50)])
    assert len(asked) == 1


def test_prevention_names_what_fails_next(authority, make_handshake):
    old = make_handshake(Stage.ESTABLISHED, version=0x0301, chain=[authority.make(ends=5)])
    old.client_hello.legacy_version = 0x0301
    lagging = [
        make_handshake(Stage.ESTABLISHED, version=0x0302, stream=n, name="old.example", server_address="198.51.100.9") for n in (1, 2)
    ]
    breaking = make_handshake(Stage.CLIENT_HELLO, stream=3, server_address="198.51.100.9", server_rst_frame=5)
    breaking.client_hello.length = 1_700
    diagnosis = Diagnosis()
    diagnosis.judge_all([old, *lagging, breaking])
    found = {finding.cause: finding for finding in diagnosis.prevention()}
    assert "ends in 5 days" in found["certificate-ends-soon"].summary
    assert "192.0.2.1" in found["old-client"].summary
    assert "old.example" in found["weak-version"].summary
    assert "198.51.100.9:443" in found["large-client-hello-intolerance"].summary
    assert all(finding.kind == "prevention" for finding in found.values())


def test_tables_of_neighbours_are_bounded(make_handshake, monkeypatch):
    from analyzer.diagnosis import context

    monkeypatch.setattr(context, "_MOST", 64)
    monkeypatch.setattr(context, "_ATTEMPTS", 128)
    diagnosis = Diagnosis(rules=[])
    for number in range(200):
        diagnosis.learn(
            make_handshake(Stage.ESTABLISHED, client=f"192.0.2.{number}", name=f"{number}.example", server_address=f"s{number}")
        )
    known = diagnosis.context
    assert 60 < len(known.servers) <= 64
    assert 60 < len(known.names) <= 64
    assert 2 * 60 <= len(known.recent) <= 2 * 64  # of clients, servers and names together
    assert known.forgotten >= 2 * (200 - 64) + 3 * 200 - 2 * 64


def test_what_a_failure_will_be_judged_by_outlasts_what_came_later(make_handshake, monkeypatch):
    from analyzer.diagnosis import context

    monkeypatch.setattr(context, "_ATTEMPTS", 64)
    diagnosis = Diagnosis(rules=[])
    diagnosis.learn(make_handshake(Stage.ESTABLISHED, stream=0, server_address="s"))
    failed = make_handshake(Stage.CLIENT_HELLO, stream=1, server_address="s", server_rst_frame=5)
    diagnosis.learn(failed)
    for number in range(2, 200):
        diagnosis.learn(make_handshake(Stage.ESTABLISHED, stream=number, client=f"192.0.2.{number}", server_address=f"s{number}"))
    known = diagnosis.context
    assert [attempt.stream for attempt in known.server(failed).accepted] == [0]
    assert [attempt.stream for attempt in known.attempts(failed)] == [0]
    known.let_go()
    assert not known.server(failed).accepted


def test_profile_counts_what_a_server_chose(authority, make_handshake):
    diagnosis = Diagnosis(rules=[])
    handshakes = [make_handshake(Stage.ESTABLISHED, stream=n, chain=[authority.make()], alpn="h2") for n in range(3)]
    handshakes.append(make_handshake(Stage.CLIENT_HELLO, stream=3, name="other.example", server_rst_frame=5))
    diagnosis.judge_all(handshakes)
    profile = diagnosis.context.server(handshakes[0])
    assert profile.versions == {0x0303: 3}
    assert profile.alpn == {"h2": 3}
    assert profile.key_types == {"ECDSA": 3}
    assert profile.names_served == {"server.example": 3}
    assert profile.names_failed == {"other.example": 1}
    assert (profile.attempts, profile.completed, profile.failed, profile.answered) == (4, 3, 1, 3)
    assert [attempt.stream for attempt in diagnosis.context.attempts(handshakes[3])] == [0, 1, 2]
