"""How a command declares its parameters: ``Annotated[str | None, Option("--output", "-o", help=...)]``.

Our own words rather than typer's, because typer takes longer to load than a small capture to judge: ``plain`` reads
ordinary command lines by them, ``app`` says them to typer for all else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["Argument", "Option"]


class Argument:
    """A place on the command line. ``min`` and ``max`` bound a number; ``metavar`` stands for it in the help.

    ``values``: what a shell may complete it to, asked for only then.
    """

    def __init__(
        self,
        *,
        help: str,  # noqa: A002 as typer calls it
        metavar: str | None = None,
        min: float | None = None,  # noqa: A002 as typer calls it
        max: float | None = None,  # noqa: A002 as typer calls it
        show_default: bool = True,
        values: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        self.help, self.metavar, self.min, self.max, self.show_default, self.values = help, metavar, min, max, show_default, values


class Option(Argument):
    """An option by its names; by the parameter's own where none is given. Of a parameter that is bool, a flag."""

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 as typer calls it
        metavar: str | None = None,
        min: float | None = None,  # noqa: A002 as typer calls it
        max: float | None = None,  # noqa: A002 as typer calls it
        show_default: bool = True,
        values: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        super().__init__(help=help, metavar=metavar, min=min, max=max, show_default=show_default, values=values)
        self.names = names
