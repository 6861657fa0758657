"""Which handshakes are wanted, and which make ``--fail-on`` match."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.model.handshake import Handshake
    from analyzer.model.options import Options

__all__ = ["Selection", "check_cause"]


def _pattern(text: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(text.lower())).match


def check_cause(cause: str, *, patterns: bool = False) -> str:
    """``cause`` under its present id. Raises UsageError when the catalogue has none of that name, or none like the pattern."""
    from analyzer.diagnosis import registry

    known = registry.list_causes()
    if patterns and any(sign in cause for sign in "*?["):
        if not fnmatch.filter(known, cause):
            raise UsageError(f"no cause is like {cause!r}; 'handshake causes' lists them")
        return cause
    cause = registry.RENAMED.get(cause, cause)
    if cause not in known:
        import difflib  # only to help with a typing error

        near = difflib.get_close_matches(cause, known, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"no cause is called {cause!r}{hint} ('handshake causes' lists them)")
    return cause


class Selection:
    """What the filters let through. Raises UsageError for a cause that does not exist."""

    def __init__(self, options: Options, fail_on: Iterable[str] = ()) -> None:
        self._failed = options.failed_only
        self._since, self._until = options.since, options.until
        if self._since is not None and self._until is not None and self._since >= self._until:
            raise UsageError("'since' is not before 'until': nothing began between them")
        self._cause = None if options.cause is None else _pattern(check_cause(options.cause, patterns=True))
        self._server = None if options.server is None else _pattern(options.server)
        self.everything = not (self._failed or self._cause or self._server or self._since is not None or self._until is not None)
        wanted = list(fail_on)
        self._fail_any = "any" in wanted
        self.shows_completed = not (self.everything or self._failed or self._cause) or any(cause != "any" for cause in wanted)
        """It matters which handshakes completed, not only how many."""
        self._fail_on = [_pattern(check_cause(cause, patterns=True)) for cause in wanted if cause != "any"]

    def accepts(self, handshake: Handshake) -> bool:
        """This handshake's row is wanted."""
        if self.everything:
            return True
        if self._failed and handshake.outcome != "failed":
            return False
        began = handshake.flow.first_seen
        if (self._since is not None and began < self._since) or (self._until is not None and began >= self._until):
            return False
        if self._cause is not None and not (handshake.finding and self._cause(handshake.finding.cause)):
            return False
        return self._server is None or any(self._server(name.lower()) for name in _names(handshake))

    def fails(self, handshake: Handshake) -> bool:
        """``--fail-on`` matches this handshake, by its cause or by another finding on it."""
        if self._fail_any and handshake.outcome == "failed":
            return True
        if not self._fail_on:
            return False
        findings = [*handshake.also] if handshake.finding is None else [handshake.finding, *handshake.also]
        return any(matches(finding.cause) for finding in findings for matches in self._fail_on)


def _names(handshake: Handshake) -> list[str]:
    flow, hello = handshake.flow, handshake.client_hello
    names = [flow.server_address, f"{flow.server_address}:{flow.server_port}"]
    if hello is not None and hello.server_name:
        names += [hello.server_name, f"{hello.server_name}:{flow.server_port}"]
    if handshake.dialogue is not None and handshake.dialogue.target:
        names += [handshake.dialogue.target, handshake.dialogue.target.rpartition(":")[0]]
    return names
