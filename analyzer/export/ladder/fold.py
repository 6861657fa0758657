"""Long stories made short: what repeats is drawn once, what matters least is folded, each time with a word."""

from __future__ import annotations

from analyzer.diagnosis import words
from analyzer.export.ladder.model import Step

__all__ = ["MOST", "fold"]

MOST = 40
"""Steps drawn one by one."""

_RUN = 4  # as many alike in a row become the first, a word and the last


def fold(steps: list[Step], most: int = MOST) -> tuple[list[Step], int]:
    """A shorter story, and how many steps are folded away. What broke, evidence, and messages of the handshake stay longest."""
    steps, folded = _fold_runs(steps)
    if len(steps) <= most:
        return steps, folded
    ranked = sorted(range(len(steps)), key=lambda index: (_weight(steps[index]), min(index, len(steps) - index)))
    kept = set(ranked[: max(most, 1)])
    result: list[Step] = []
    for index, step in enumerate(steps):
        if index in kept:
            result.append(step)
            continue
        count = step.times
        folded += count
        if result and result[-1].kind == "fold":
            count += result.pop().times
        result.append(Step(0, None, None, "fold", f"{words.count_text(count, 'more step')}, folded", times=count))
    return result, folded


def _weight(step: Step) -> int:
    if step.broke or step.evidence:
        return 0
    if step.kind == "tls":
        return 4 if step.title == "application data" else 1
    if step.kind == "tcp":
        return 3 if "sent again" in step.marks else 2
    return 3


def _alike(a: Step, b: Step) -> bool:
    return (
        (a.kind, a.title, a.from_client, a.marks, a.evidence, a.broke) == (b.kind, b.title, b.from_client, b.marks, b.evidence, b.broke)
        and a.from_client is not None
        and a.kind in ("tcp", "tls")
    )


def _fold_runs(steps: list[Step]) -> tuple[list[Step], int]:
    """Runs of what is alike (sent again and again) become first, word, last. Silence between them is no other thing."""
    result: list[Step] = []
    folded = 0
    index = 0
    while index < len(steps):
        run = [steps[index]]
        end = index + 1
        while end < len(steps) and (_alike(steps[index], steps[end]) or (_is_silence(steps[end]) and _follows(steps, index, end))):
            if not _is_silence(steps[end]):
                run.append(steps[end])
            end += 1
        if len(run) >= _RUN:
            middle = run[1:-1]
            folded += len(middle)
            word = Step(0, None, None, "fold", f"{len(middle):,} more like this", times=len(middle))
            result += [run[0], word, run[-1]]
            index = end
        else:
            result.append(steps[index])
            index += 1
    return result, folded


def _is_silence(step: Step) -> bool:
    return step.kind == "silence"


def _follows(steps: list[Step], index: int, silence: int) -> bool:
    return silence + 1 < len(steps) and _alike(steps[index], steps[silence + 1])
