"""Floor 7: the command ``handshake``.

Start-up time is part of the interface: a command imports what it needs when it runs, plain text
is laid out here without rich, and ``handshake --help`` loads nothing but typer,
which an ordinary command line does without.

``entry`` the way in · ``plain`` ordinary command lines, by what ``declare`` holds · ``app`` the commands
put together for typer · ``guard`` errors become one line and an exit code · ``parameters`` options that
commands share · ``selection`` which rows are shown · ``style`` widths, colours, plain tables ·
``summary`` what ``analyze`` prints · ``heap`` how memory is taken · ``watch`` the loop of ``sniff`` · ``progress`` ·
and one module a command.
"""

from analyzer.cli.entry import console, main

__all__ = ["console", "main"]
