"""Faults in the traffic. They are data: recorded on the handshake, never raised.

The kinds follow the question "who did what": a *defect* is bytes that do not parse, a
*misbehaviour* a rule of the protocol broken with well-formed bytes.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Fault"]


class Fault(NamedTuple):
    """One fault: where it was seen and what it was."""

    kind: str
    """'defect', 'misbehaviour', 'gap', 'overlap' (conflicting copies of the same bytes) or 'cap'
    (a limit of ours was reached)."""
    from_client: bool
    frame: int
    says: str
    """One plain sentence fragment: 'record of 20000 bytes, more than 18432'."""
