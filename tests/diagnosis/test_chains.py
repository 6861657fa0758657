"""What a run remembers of chains: judged once, without the handshakes that showed them, and judged anew where more is known."""

from __future__ import annotations

import gc

import pytest

from analyzer.diagnosis import chains as chains_module
from analyzer.diagnosis.chains import Chains
from analyzer.diagnosis.engine import Diagnosis
from analyzer.diagnosis.trust import TrustStore
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.options import Options


@pytest.fixture
def chains(ca_file):
    return Chains(TrustStore(ca_file))


def hidden(make_handshake, stream):
    """TLS 1.3, whose certificates nobody sees."""
    return make_handshake(version=0x0304, stream=stream)


def test_a_chain_seen_elsewhere_is_judged_once_for_all_who_ask(chains, authority, make_handshake, monkeypatch):
    judged = []
    whole = chains_module.judge_chain
    monkeypatch.setattr(chains_module, "judge_chain", lambda *args, **kinds: judged.append(args) or whole(*args, **kinds))
    chains.learn(make_handshake(chain=[authority.make()]))
    answers = [chains.elsewhere(hidden(make_handshake, stream)) for stream in range(1, 50)]
    assert len(judged) == 1
    assert {stream for _, stream in answers} == {0}
    assert len({id(judgement) for judgement, _ in answers}) == 1


def test_the_handshake_itself_is_not_elsewhere(chains, authority, make_handshake):
    shown = make_handshake(chain=[authority.make()], stream=3)
    chains.learn(shown)
    assert chains.elsewhere(shown) is None
    assert chains.elsewhere(hidden(make_handshake, 4)) is not None


def test_an_intermediate_learned_later_changes_what_was_judged_before(chains, authority, make_authority, make_handshake):
    middle = make_authority("Middle", authority)
    leaf = middle.make()
    alone = make_handshake(chain=[leaf])
    chains.learn(alone)
    before = {problem.cause for problem in chains.judge(alone).problems}
    chains.learn(make_handshake(chain=[middle.make("other.example"), middle.certificate], name="other.example", stream=1))
    after = {problem.cause for problem in chains.judge(alone).problems}
    assert "cert-missing-intermediate" in after
    assert "cert-missing-intermediate" not in before


def test_no_handshake_is_held_for_its_chain(authority, ca_file, make_handshake):
    def held():
        gc.collect()
        return sum(isinstance(each, Handshake) for each in gc.get_objects())

    before, chain = held(), [authority.make()]
    diagnosis = Diagnosis(Options(ca_file=ca_file))
    for number in range(200):
        diagnosis.judge_all([make_handshake(Stage.ESTABLISHED, chain=chain, name=f"h{number}.example", stream=number, outcome="completed")])
    assert len(list(diagnosis.context.chains.served())) == 200
    assert held() - before < 20


def test_an_outcome_that_changed_is_known_where_the_chain_is(chains, authority, make_handshake):
    shown = make_handshake(chain=[authority.make()], outcome="completed")
    chains.learn(shown)
    shown.outcome = "failed"
    chains.note_outcome(make_handshake(chain=[authority.make()], outcome="unfinished", stream=9))
    assert [served.outcome for *_, served in chains.served()] == ["completed"]
    chains.note_outcome(shown)
    assert [served.outcome for *_, served in chains.served()] == ["failed"]
