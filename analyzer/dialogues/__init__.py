"""What is said before TLS to ask for it: STARTTLS and its kin, negotiation packets, proxies and tunnels.

Sans-IO. ``Follower`` follows one connection; ``choice`` tells from the first bytes which dialogue they
begin; one module a protocol reads it, on what ``talk`` (and, for three-digit replies, ``replies``)
holds in common. ``recognise`` names bytes that are not TLS at all.

Passwords and tokens are not written down: what may be a secret becomes ``***`` in a dialogue's lines.
"""

from __future__ import annotations

from analyzer.dialogues.clear import went_on_in_clear
from analyzer.dialogues.follower import Follower
from analyzer.dialogues.recognise import name_protocol
from analyzer.dialogues.tds import TdsUnwrapper

__all__ = ["Follower", "TdsUnwrapper", "name_protocol", "went_on_in_clear"]
