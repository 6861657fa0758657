"""The key log does not belong to this capture.

Seen:
    A key log was given and opens nothing of this handshake: its client random is not in it, or what it says does not fit the records.

Means:
    The log is of another run, of the other side's process, or was written by a program that ended before its keys were (OpenSSL does
    not call back when a handshake dies early). What is encrypted stays so.

Remedy:
    Record both anew together: SSLKEYLOGFILE=keys.log set for the client's process itself, before it starts. Go: tls.Config.KeyLogWriter;
    Java: an agent such as jSSLKeyLog; Node: --tls-keylog=keys.log; OpenSSL s_client: -keylogfile keys.log; nginx, Apache: not at all.

Confirm:
    The randoms of the capture, to be looked for in the log:
    $ tshark -r CAPTURE -Y 'tcp.stream == {stream} && tls.handshake.type == 1' -T fields -e tls.handshake.random
"""

from __future__ import annotations

from typing import ClassVar

from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.rules.capture._missing import as_note
from analyzer.model.finding import Evidence, Finding, Outcome
from analyzer.model.handshake import Handshake


class CapKeylogMismatch(Rule):
    """A note, never why a handshake failed."""

    cause = "cap-keylog-mismatch"
    outcomes: ClassVar[frozenset[Outcome]] = frozenset({"failed", "unfinished", "completed"})
    signs = needs = Oddity.KEYS
    overturns = 0

    def examine(self, handshake: Handshake, context: Context) -> Finding | None:
        if handshake.decryption != "failed":
            return None
        evidence = [Evidence(handshake.client_hello_frame or None, handshake.decryption_note or "the key log opens nothing of it")]
        return as_note(self.found("certain", "The key log does not open this handshake.", evidence))
