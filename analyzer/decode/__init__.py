"""Floor 2: from frames to TCP segments, column by column.

``decoder`` runs the rounds · ``packets`` what layers hand on · ``link`` and ``wifi`` what lies
below IP · ``network`` IPv4, IPv6 and its extension headers · ``fragments`` IP datagrams put
together · ``tunnel`` what carries IP or Ethernet again · ``tcp`` rows · ``icmp`` errors that
quote a TCP packet.
"""

from __future__ import annotations

from analyzer.decode.decoder import Decoder

__all__ = ["Decoder"]
