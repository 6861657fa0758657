"""Floor 7: what Python and notebooks are handed.

``result`` the Result of ``analyzer.analyze`` with pictures · ``explanation`` one handshake as a ladder · ``packets`` its frames
for scapy · ``sniffer`` the same for handshakes as they end · ``display`` how every public object shows itself, escaped.
"""

from analyzer.notebook.result import Result

__all__ = ["Result"]
