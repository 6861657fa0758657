"""A run that loads only the rules it needs applies those it would apply had it loaded all."""

from __future__ import annotations

import pytest

from analyzer.diagnosis import registry
from analyzer.diagnosis.rule_index import INDEX
from analyzer.model.handshake import Stage


@pytest.mark.parametrize("outcome", ["completed", "failed", "unfinished", "no-handshake"])
@pytest.mark.parametrize("stage", Stage.RANK)
def test_index_leaves_out_no_rule_that_applies(stage: str, outcome: str) -> None:
    rules = registry.load_rules().values()
    expected = [rule.cause for rule in rules if rule.kind == "cause" and stage in rule.stages and outcome in rule.outcomes]
    assert [rule.cause for rule in registry.load_causes(stage, outcome)] == expected, "run python tools/make_rule_index.py"


def test_index_knows_the_postures() -> None:
    assert [rule.cause for rule in registry.load_postures()] == [r.cause for r in registry.load_rules().values() if r.kind == "posture"]


def test_index_names_no_rule_that_is_gone() -> None:
    assert set(INDEX) == set(registry.load_rules()), "run python tools/make_rule_index.py"


def test_a_rule_the_index_does_not_know_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = registry.load_causes(Stage.SERVER_ALERT, "failed")
    monkeypatch.delitem(INDEX, "no-common-cipher")
    registry.load_causes.cache_clear()
    assert registry.load_causes(Stage.SERVER_ALERT, "failed") == expected


def test_index_knows_what_explains_what_away() -> None:
    for cause, rule in registry.load_rules().items():
        assert set(rule.explains) <= registry.more_specific()[cause], "run python tools/make_rule_index.py"
