"""The engine: puts each handshake before the rules that can apply and picks the cause.

A completed handshake meets posture rules, and their answer is remembered by what it depends on. Of
the others, each rule sees those of its stages, outcomes, closing alerts and oddities. Among what the
rules find, a more specific finding explains away the general ones it names; of the rest certain beats
likely beats possible. What is not the cause goes to ``also``. A rule that crashes is our bug: it is
kept in ``bugs`` and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from analyzer.diagnosis import closing, commands, registry
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.doubts import find_doubt
from analyzer.diagnosis.herding import find_odd_members
from analyzer.diagnosis.oddities import Oddity, find_oddities, find_signs
from analyzer.diagnosis.prevention import find_prevention
from analyzer.diagnosis.resets import settle_resets
from analyzer.diagnosis.rule import Rule, bit_of_alert
from analyzer.errors import UsageError
from analyzer.model.finding import Confidence, Evidence, Finding
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import Alert
from analyzer.model.options import Options

if TYPE_CHECKING:
    from analyzer.handshakes.herds import Herd

__all__ = ["Bug", "Diagnosis"]

_CONFIDENCE = {"certain": 0, "likely": 1, "possible": 2}
_LACKING = ("cap-one-way", "cap-mid-stream", "cap-snaplen", "cap-drops")
"""What keeps a capture from showing why: the most of it first is the one to name."""
_DAY = 86_400_000_000_000
_MEMO = 65_536
_BUGS = 1_000

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Shown = tuple[tuple[str, Confidence, bool], ...]
"""Cause and confidence of findings, and whether each may be why."""
_Look = Callable[[Handshake, Context], Collection[str]]


class Bug(NamedTuple):
    """A rule that crashed: ours, not the traffic's."""

    rule: str
    capture: int
    stream: int
    traceback: str


class _Sieved:
    """The rules that a handshake meets, in their order; those that share a look (``Rule.candidates``) behind it."""

    def __init__(self, rules: Iterable[Rule], stage: str, alert: Alert | None) -> None:
        self.rules = tuple(rules)
        self.own: list[tuple[int, Rule]] = []
        self.shared: dict[_Look, dict[str, tuple[int, Rule]]] = {}
        for place, rule in enumerate(self.rules):
            look = rule.candidates(stage, alert)
            if look is None:
                self.own.append((place, rule))
            else:
                self.shared.setdefault(look, {})[rule.cause] = (place, rule)


class Diagnosis:
    """The diagnosis of one run: ``learn`` from every handshake, then ``judge`` each."""

    def __init__(self, options: Options | None = None, rules: Iterable[Rule] | None = None) -> None:
        self.options = options or Options()
        self.context = Context(self.options)
        self._only_counts = self.options.completed == "counts"
        self.bugs: list[Bug] = []
        self.bug_count = 0
        self._chosen = None if rules is None else list(rules)
        """The rules to apply, where they are not all there are."""
        self._sieve: dict[tuple[object, ...], _Sieved] = {}
        """By stage, outcome, oddities and alert; rules are loaded when the first handshake comes that can meet them."""
        self._odd_sieve: dict[tuple[int, bool], _Sieved] = {}
        """Of completed handshakes, by their oddities and whether only verdicts are wanted."""
        self._ranks: dict[_Shown, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        """``_rank`` of what was found together."""
        self._postures: tuple[Rule, ...] | None = None
        self._posture_memo: dict[tuple[object, ...], tuple[Finding, ...]] = {}

    def learn(self, handshake: Handshake) -> None:
        """Settle how the handshake ended and remember what it shows of its server, name and client."""
        closing.settle(handshake)
        self.context.learn(handshake)

    def judge(self, handshake: Handshake) -> None:
        """Set finding and also (and outcome, aborted_by where a finding says so) of a handshake already learned."""
        learned = handshake.outcome
        if learned == "completed":
            odd = find_oddities(handshake, self.context)
            if self._only_counts and not self._completed_rules(odd, only_verdicts=True).rules:
                return  # it did complete, and nobody asks for its notes
            handshake.also = list(self._postures_of(handshake))
            rules = self._completed_rules(odd)
        else:
            if handshake.outcome == "unfinished":
                facts = self.context.capture(handshake)
                closing.settle_silence(handshake, facts.last_seen, int(self.options.timeout * 1e9))
            if handshake.flow.client_rsts or handshake.flow.server_rsts:
                settle_resets(handshake, self.context)
            rules = self._failed_rules(handshake)
        if rules.rules:
            self._apply(handshake, rules)
        if handshake.outcome != learned:
            self.context.chains.note_outcome(handshake)

    def find_odd(self, herd: Herd) -> npt.NDArray[np.int64]:
        """Members of a herd already learned of which a rule may have something to say; where they are only counted, that they failed
        after all. Of the others it is known: they completed, and their kind and day say the rest."""
        counts = self._only_counts
        shared = -1 if counts else ~Oddity.OF_ITSELF
        oddities = (find_oddities(kind.prototype, self.context) & shared for kind in herd.kinds)
        kinds = [bool(self._completed_rules(each, only_verdicts=counts).rules) for each in oddities]
        odd = np.array(kinds, np.bool_)[herd.kind]
        if not counts:
            odd |= find_odd_members(herd, self.context)
        return np.flatnonzero(odd)

    def _completed_rules(self, odd: int, *, only_verdicts: bool = False) -> _Sieved:
        """The rules that a completed handshake with these oddities meets; those alone that may say that it failed after all."""
        rules = self._odd_sieve.get((odd, only_verdicts))
        if rules is None:
            stage = Stage.FINISHED if odd & Oddity.LEFT else Stage.ESTABLISHED
            chosen = self._choose(stage, "completed", odd, only_verdicts=only_verdicts)
            rules = _keep(self._odd_sieve, (odd, only_verdicts), _Sieved(chosen, stage, None))
        return rules

    def _failed_rules(self, handshake: Handshake) -> _Sieved:
        """The rules that a handshake meets which did not complete."""
        stage, outcome, alert = handshake.stage, handshake.outcome, handshake.closing_alert
        odd = find_signs(handshake, self.context)
        key = (stage, outcome, odd) if alert is None else (stage, outcome, odd, alert.description, alert.from_client)
        rules = self._sieve.get(key)
        if rules is None:
            chosen = self._choose(stage, outcome, odd, bit_of_alert(alert))
            rules = _keep(self._sieve, key, _Sieved([rule for rule in chosen if rule.hears(alert)], stage, alert))
        return rules

    def prevention(self) -> list[Finding]:
        """What will fail next, the most urgent first (kind 'prevention')."""
        found = find_prevention(self.context)
        for finding in found:
            try:
                finding.remedy = registry.read_page(finding.cause).remedy
            except (UsageError, ValueError):  # a page that is still to be written
                continue
        return found

    def _choose(self, stage: str, outcome: str, oddities: int, alert: int = -1, *, only_verdicts: bool = False) -> tuple[Rule, ...]:
        if self._chosen is None:
            return registry.load_causes(stage, outcome, oddities, alert, only_verdicts=only_verdicts)
        return tuple(rule for rule in self._chosen if rule.meets(stage, outcome, oddities, only_verdicts=only_verdicts))

    def _apply(self, handshake: Handshake, rules: _Sieved) -> None:
        found = []
        context = self.context
        todo = rules.own
        if rules.shared:
            named = self._named(handshake, rules)
            if named:
                todo = sorted([*todo, *named])
        for _, rule in todo:
            try:
                finding = rule.examine(handshake, context)
            except Exception:  # whatever a rule does wrong must not end the run
                self._note_bug(rule.cause, handshake)
                continue
            if finding is not None:
                found.append(finding)
        if found:
            self._pick(handshake, found)

    def _named(self, handshake: Handshake, rules: _Sieved) -> list[tuple[int, Rule]]:
        """Of the rules that share a look, those that it names."""
        named = []
        for look, sharing in rules.shared.items():
            try:
                causes = self.context.once(look, handshake)
            except Exception:  # all of them fail with it
                for cause in sharing:
                    self._note_bug(cause, handshake)
                continue
            named += [sharing[cause] for cause in causes if cause in sharing]
        return named

    def judge_all(self, handshakes: Iterable[Handshake]) -> None:
        """Learn from all, then judge all: every handshake then knows its later neighbours too."""
        handshakes = list(handshakes)
        for handshake in handshakes:
            self.learn(handshake)
        for handshake in handshakes:
            self.judge(handshake)

    def _pick(self, handshake: Handshake, found: list[Finding]) -> None:
        """Choose the cause. A completed handshake gets one only from a finding that says it failed after all."""
        completed = handshake.outcome == "completed"
        shown = tuple([(f.cause, f.confidence, _is_cause(f, completed)) for f in found])
        ranks = self._ranks.get(shown)
        if ranks is None:
            ranks = _keep(self._ranks, shown, _rank(shown))
        ranked, rest = ranks
        if ranked:
            causes = [found[place] for place in ranked]
            self._doubt(handshake, causes)
            best = handshake.finding = causes[0]
            handshake.also += [found[place] for place in rest]
            handshake.outcome = best.outcome or handshake.outcome
            handshake.aborted_by = best.aborted_by or handshake.aborted_by
            self._complete(handshake, best)
        else:
            handshake.also += found
            if handshake.outcome == "failed":
                self._name_what_lacks(handshake)

    def _name_what_lacks(self, handshake: Handshake) -> None:
        """It failed, and why was not captured: what the capture lacks stands where the cause would."""
        beside = {finding.cause: finding for finding in handshake.also}
        lacking = next((beside[cause] for cause in _LACKING if cause in beside), None)
        if lacking is None:
            return
        handshake.also.remove(lacking)
        how = f"{handshake.closing_evidence[0].says}, and why" if handshake.closing_evidence else "Why it failed"
        lacking.kind = "cause"
        lacking.summary = f"{how[0].upper()}{how[1:]} cannot be told from this capture: {lacking.summary[0].lower()}{lacking.summary[1:]}"
        lacking.evidence += handshake.closing_evidence
        handshake.finding = lacking
        self._complete(handshake, lacking)

    def _doubt(self, handshake: Handshake, causes: list[Finding]) -> None:
        """Nothing is certain where the capture lacks what would prove it; what it lacks is."""
        sure = [finding for finding in causes if finding.confidence == "certain" and not finding.cause.startswith("cap-")]
        doubt = find_doubt(handshake, self.context) if sure else None
        if doubt is not None:
            for finding in sure:
                finding.confidence = "likely"
                finding.evidence.append(Evidence(None, f"likely and no more: {doubt}"))

    def _complete(self, handshake: Handshake, finding: Finding) -> None:
        """Fill in remedy and commands from the rule's page."""
        try:
            page = registry.read_page(finding.cause)
        except Exception:  # an unfinished page must not cost the run
            self._note_bug(finding.cause, handshake)
            return
        if not finding.remedy:
            finding.remedy = page.remedy
        if not finding.confirm:
            finding.confirm = commands.fill_commands(page.commands, handshake)

    def _postures_of(self, handshake: Handshake) -> tuple[Finding, ...]:
        hello = handshake.client_hello
        chain = handshake.server_certificates
        key = (
            handshake.selected_version,
            handshake.server_hello.cipher_suite if handshake.server_hello is not None else None,
            handshake.named_group,
            (chain[0].sha256, len(chain), handshake.flow.first_seen // _DAY) if chain else None,
            (bool(hello.server_name), hello.legacy_version, hello.supported_versions) if hello is not None else None,
        )
        known = self._posture_memo.get(key)
        if known is None:
            if self._postures is None:
                self._postures = registry.load_postures() if self._chosen is None else tuple(r for r in self._chosen if r.kind == "posture")
            answers = (self._examine(rule, handshake) for rule in self._postures)
            known = tuple(finding for finding in answers if finding is not None)
            _keep(self._posture_memo, key, known)
        return known

    def _examine(self, rule: Rule, handshake: Handshake) -> Finding | None:
        try:
            return rule.examine(handshake, self.context)
        except Exception:  # whatever a rule does wrong must not end the run
            self._note_bug(rule.cause, handshake)
            return None

    def _note_bug(self, cause: str, handshake: Handshake) -> None:
        self.bug_count += 1
        if len(self.bugs) < _BUGS:
            import traceback

            self.bugs.append(Bug(cause, handshake.flow.capture, handshake.flow.stream, traceback.format_exc()))


def _keep(table: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(table) >= _MEMO:
        table.clear()
    table[key] = value
    return value


def _is_cause(finding: Finding, completed: bool) -> bool:
    """Whether it may be why: of a completed handshake only where it says that it failed after all."""
    return finding.kind == "cause" and not (completed and finding.outcome in (None, "completed"))


def _rank(found: _Shown) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Places of the causes among (cause, confidence, whether it may be why), the best first, and of what stands beside it."""
    causes = [place for place, (_, _, is_cause) in enumerate(found) if is_cause]
    if not causes:
        return (), ()
    specific = registry.more_specific()
    explained = {general for place in causes for general in specific.get(found[place][0], ())}

    def rank(place: int) -> tuple[bool, int, int, str]:
        cause, confidence, _ = found[place]
        return cause in explained, _CONFIDENCE[confidence], -len(specific.get(cause, ())), cause

    causes.sort(key=rank)
    explains = specific.get(found[causes[0]][0], frozenset())
    others = causes[1:] + [place for place, (_, _, is_cause) in enumerate(found) if not is_cause]
    return tuple(causes), tuple(place for place in others if found[place][0] not in explains)
