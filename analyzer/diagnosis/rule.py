r"""What a rule is.

A rule is a module ``rules/<family>/<cause_with_underscores>.py`` holding one subclass of ``Rule``.
The module's docstring is the rule's page: a title on the first line, then four sections, each a
heading on a line of its own with an indented text below it::

    '''The server's certificate has expired.

    Seen:
        What the wire shows.

    Means:
        What it says about the two ends.

    Remedy:
        What to do. One line for each server or library:
        nginx: ...

    Confirm:
        Prose is allowed; every line that begins with a dollar is a command. One that ends in a
        backslash goes on in the next (the docstring is then a raw one).
        $ openssl s_client -connect {connect} {servername} </dev/null \\
            2>/dev/null | openssl x509 -noout -dates
    '''

Placeholders of commands are listed in ``analyzer.diagnosis.commands``. They are filled with the
handshake's own values, quoted; a name that is not a plain host name never reaches a command.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, ClassVar

from analyzer.model.finding import AbortedBy, Confidence, Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.hello import Alert

if TYPE_CHECKING:
    from analyzer.diagnosis.context import Context

__all__ = ["AFTER_SERVER_HELLO", "ALL_STAGES", "BEFORE_SERVER_HELLO", "NO_ALERT", "SERVER_UNSEEN", "Rule", "bit_of_alert", "stages_from"]

NO_ALERT = -1
"""In ``Rule.alerts``: no alert closed the handshake."""

ALL_STAGES = frozenset(Stage.RANK)


def stages_from(first: str, last: str = Stage.ESTABLISHED) -> frozenset[str]:
    """Stages from ``first`` to ``last``, both included, in the order of ``Stage.RANK``."""
    low, high = Stage.RANK[first], Stage.RANK[last]
    return frozenset(stage for stage, rank in Stage.RANK.items() if low <= rank <= high)


def bit_of_alert(alert: Alert | None) -> int:
    """By which bit ``rule_index`` knows a closing alert: by its description, but for none at all and hidden ones."""
    if alert is None:
        return 0
    return 1 if alert.description is None else 2 + alert.description


BEFORE_SERVER_HELLO = frozenset({Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO, Stage.SERVER_ALERT})
"""The client has asked, the server has not agreed."""
AFTER_SERVER_HELLO = stages_from(Stage.SERVER_HELLO, Stage.FINISHED)
"""The server has agreed, the handshake is not known to be done."""

SERVER_UNSEEN = frozenset({Stage.CONNECTED, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO})
"""Where an attempt ends up whose server was not captured."""


class Rule:
    """One cause. Subclasses say where they can apply (the sieve) and examine one handshake.

    The sieve is declared, not computed, so that it costs nothing: the engine sorts the rules by
    (stage, outcome, alert, oddities) once and a handshake only ever meets those of its own.
    """

    cause: ClassVar[str]
    """Public id; the module's name with dashes."""
    kind: ClassVar[str] = "cause"
    """'cause' or 'posture': of completed handshakes, and must then depend on version, suite, chain, day and whether a name was asked for
    only."""
    stages: ClassVar[frozenset[str]] = ALL_STAGES
    """Stages at which it can apply."""
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "no-handshake"})
    """Outcomes, as the closing events tell them, at which it can apply."""
    alerts: ClassVar[frozenset[int | None] | None] = None
    """Descriptions of the closing alert (``handshake.closing_alert.description``) beside which it may find something, None among them
    for a hidden one, ``NO_ALERT`` for none at all; None: whatever closed it."""
    alert_from_client: ClassVar[bool | None] = None
    """Side the closing alert must come from, where there is one; None: either."""
    signs: ClassVar[int] = 0
    """Oddities without one of which it says nothing of a handshake that did not complete; 0: it meets every one."""
    needs: ClassVar[int] = 0
    """Oddities (``oddities.Oddity``) without one of which it says nothing of a completed handshake; 0: it meets every one."""
    overturns: ClassVar[int] = -1
    """Oddities without one of which it never says of a completed handshake that it failed after all; -1: it may say so of any."""
    explains: ClassVar[tuple[str, ...]] = ()
    """Ids of more general causes that this one explains away when both are found."""

    def meets(self, stage: str, outcome: str, oddities: int = -1, *, only_verdicts: bool = False) -> bool:
        """Whether it is a cause that can apply to handshakes of this stage and outcome with these oddities; with ``only_verdicts`` to a
        completed one to say that it failed after all."""
        if self.kind != "cause" or stage not in self.stages or outcome not in self.outcomes:
            return False
        if outcome != "completed":
            return not self.signs or bool(self.signs & oddities)
        if only_verdicts and self.overturns >= 0 and not self.overturns & oddities:
            return False
        return not self.needs or bool(self.needs & oddities)

    def hears(self, alert: Alert | None) -> bool:
        """Whether it can apply to handshakes that did not complete and that this alert closed, or none."""
        if alert is None:
            return self.alerts is None or NO_ALERT in self.alerts
        if self.alerts is not None and alert.description not in self.alerts:
            return False
        return self.alert_from_client is None or alert.from_client == self.alert_from_client

    def candidates(self, stage: str, alert: Alert | None) -> Callable[[Handshake, Context], Collection[str]] | None:
        """The look that this rule shares with others: it names, by cause, those of them that may find something in a handshake of this
        stage with this closing alert. None: the rule has to examine each handshake itself."""
        return None

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        """The finding, or None when this is not the cause. May raise nothing on purpose; a crash is kept as our bug."""
        raise NotImplementedError

    def found(
        self,
        confidence: Confidence,
        summary: str,
        evidence: Sequence[Evidence | tuple[int | None, str]] = (),
        *,
        aborted_by: AbortedBy | None = None,
        outcome: Outcome | None = None,
        remedy: str = "",
        confirm: Sequence[str] = (),
        reset_class: str | None = None,
    ) -> Finding:
        """A finding of this rule. ``summary`` is one plain sentence; remedy and confirm come from the page unless given."""
        return Finding(
            cause=self.cause,
            confidence=confidence,
            summary=summary,
            evidence=[item if isinstance(item, Evidence) else Evidence(*item) for item in evidence],
            aborted_by=aborted_by,
            outcome=outcome,
            remedy=remedy,
            confirm=list(confirm),
            kind=self.kind,
            reset_class=reset_class,
        )
