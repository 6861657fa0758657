"""The commands put together for typer, which knows help, completion and every way to write a command line."""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from analyzer.cli.declare import Argument, Option
from analyzer.cli.entry import COMMANDS, load_command, show_version
from analyzer.cli.guard import guarded
from analyzer.export.escape import for_terminal

__all__ = ["app"]


class _Group(TyperGroup):  # type: ignore[misc]  # typer says Any
    """Knows ``help`` too, and what somebody means who names a capture and no command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word, *rest = args
        if word == "help":
            if rest and rest[0] in COMMANDS:
                return rest[0], self.get_command(ctx, rest[0]), ["--help"]
            typer.echo(ctx.get_help())
            ctx.exit()
        if word not in COMMANDS and os.path.exists(word):  # noqa: PTH110 - a word that is no path at all must not raise
            ctx.fail(f"{for_terminal(word)} is no command; to read it: handshake analyze {for_terminal(shlex.quote(word))}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="handshake",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # keeps rich out of --help and of errors
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class _Command(TyperCommand):  # type: ignore[misc]  # typer says Any
    """A command whose usage names what must be there as it is, ``CAPTURE``, where newer typer writes ``{CAPTURE}``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece[1:-1] if piece.startswith("{") else piece for piece in super().collect_usage_pieces(ctx)]


def _show_version(wanted: bool) -> None:
    if wanted:
        show_version()
        raise SystemExit


def handshake(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Say why a TLS handshake failed, from a packet capture.

    \b
    handshake analyze trace.pcapng          what failed, and why
    handshake sniff eth0                    the same, live
    handshake explain trace.pcapng 17       one handshake, message by message
    handshake report trace.pcapng           all of it as one page of HTML
    handshake explain cert-expired          what a cause means and what to do
    """


def _for_typer(command: Callable[..., None]) -> Callable[..., None]:
    """``command``, guarded, with its parameters declared in typer's classes."""
    run: Any = guarded(command)
    signature = inspect.signature(command, eval_str=True)
    parameters = [parameter.replace(annotation=_translated(parameter.annotation)) for parameter in signature.parameters.values()]
    run.__signature__ = signature.replace(parameters=parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run  # type: ignore[no-any-return]  # typer says Any


def _translated(annotation: Any) -> Any:
    kind, declared = get_args(annotation)
    assert isinstance(declared, Argument)
    make, names = (typer.Option, declared.names) if isinstance(declared, Option) else (typer.Argument, ())
    words = {name: value for name, value in vars(declared).items() if name not in ("names", "values")}
    if declared.values is not None:
        words["autocompletion"] = _completer(declared.values)
    return Annotated[kind, make(*names, **words)]


def _completer(values: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """For the shell: the values that begin like the word, or like what stands after its last comma."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + value for value in values() if value.startswith(last)]

    return complete


app.callback()(handshake)
for _name in COMMANDS:
    app.command(cls=_Command)(_for_typer(load_command(_name)))
