"""Which flows are handshake attempts and get a row.

That rests on the ports where TLS is at home, on what was said, and on what the same server was seen to speak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from analyzer.flows import FlowTable
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.flight import Flight
from analyzer.handshakes.plain import Plain
from analyzer.registries.ports import TLS_PORTS

__all__ = ["Attempts"]

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SERVERS = 1 << 18  # remembered of one run


class Attempts:
    """``table`` and ``connections`` (what is held of a flow, by its row) are those of the tracker; ``count`` counts what was capped."""

    def __init__(
        self,
        server_ports: tuple[tuple[int, int], ...],
        table: FlowTable,
        connections: Mapping[int, Connection | Flight | Plain],
        count: Callable[[str, int], None],
    ) -> None:
        self._table, self._connections, self._count = table, connections, count
        self.named = np.zeros(65_536, np.bool_)
        """By port: whether the caller expects TLS there."""
        for low, high in server_ports:
            self.named[low : high + 1] = True
        self.at_home = self.named.copy()
        """By port: whether TLS is at home there."""
        self.at_home[list(TLS_PORTS)] = True
        self._tls: dict[int, bool] = {}
        """Servers that spoke TLS: whether it began with the first byte (of any connection), not after a dialogue in the clear. Those at
        whose ports it is at home are left out: nobody asks."""

    def note_servers(self, rows: I64) -> None:
        """Remember the servers of these flows that spoke TLS: whatever else was sent to them was an attempt too."""
        rows = rows[~self.at_home[self._server_column(rows, "port")]]
        if not len(rows):
            return
        held = self._table["herd"][rows] >= 0
        self._note(rows[held], at_once=True)
        rows = rows[~held]
        spoke = {row: connection for row in rows.tolist() if (connection := self._connections.get(row)) is not None and connection.is_tls}
        those = np.array(list(spoke), np.int64)
        later = np.array([any(connection.tls_offsets) for connection in spoke.values()], np.bool_)
        self._note(those[~later], at_once=True)
        self._note(those[later], at_once=False)

    def _note(self, rows: I64, *, at_once: bool) -> None:
        if not len(rows):
            return
        known, beyond = self._tls, 0
        for server in set(self._servers_of(rows)):
            if server in known:
                known[server] |= at_once
            elif len(known) < _SERVERS:
                known[server] = at_once
            else:
                beyond += 1
        if beyond:
            self._count("servers of TLS not remembered because there were too many", beyond)

    def forget_servers(self, most: int) -> None:
        """Where more than ``most`` are remembered, forget all: those that are still there are learned anew."""
        if len(self._tls) > most:
            self._tls.clear()

    def are_known(self, rows: I64) -> Bools:
        """Of these flows, whether their server spoke TLS from the first byte on."""
        return np.fromiter((self._tls.get(server, False) for server in self._servers_of(rows)), np.bool_, len(rows))

    def choose(self, rows: I64) -> Bools:
        """Which of these flows are attempts."""
        c = self._table.columns
        both = self.at_home[c["source_port"][rows]] | self.at_home[c["destination_port"][rows]]
        home = np.where(c["client"][rows] < 0, both, self.at_home[self.ports(rows)])
        began = (c["syn_frame"][rows] > 0) | (c["syn_ack_frame"][rows] > 0) | (c["bytes"][rows].sum(axis=1) > 0)
        wanted: Bools = home & began
        for index in np.flatnonzero(~wanted).tolist():
            row = int(rows[index])
            connection = self._connections.get(row)
            if connection is not None and (connection.is_tls or (isinstance(connection, Connection) and _asked_for_tls(connection))):
                wanted[index] = True
            elif began[index] and self._tls and c["client"][row] >= 0:
                spoke = bool(c["bytes"][row].any())  # in the clear: no attempt where TLS has to be asked for
                at_once = self._tls.get(self._servers_of(rows[index : index + 1])[0])
                wanted[index] = bool(at_once) if spoke else at_once is not None
        return wanted

    def ports(self, rows: I64) -> npt.NDArray[np.uint16]:
        """The server's port of each flow; where nobody knows who that is, the one its first segment went to."""
        c = self._table.columns
        result: npt.NDArray[np.uint16] = np.where(c["client"][rows] == 1, c["source_port"][rows], c["destination_port"][rows])
        return result

    def _server_column(self, rows: I64, part: str) -> npt.NDArray[np.unsignedinteger]:
        c = self._table.columns
        return np.where(c["client"][rows] != 0, c[f"source_{part}"][rows], c[f"destination_{part}"][rows])

    def _servers_of(self, rows: I64) -> list[int]:
        """The server of each flow as one number: a third of the weight of its address's text and its port."""
        parts = (self._server_column(rows, part).tolist() for part in ("high", "low", "port"))
        return [
            (low & 0xFFFFFFFF) << 16 | port if version == 4 else (((1 << 64 | high) << 64) | low) << 16 | port
            for high, low, port, version in zip(*parts, self._table["ip_version"][rows].tolist(), strict=True)
        ]


def _asked_for_tls(connection: Connection) -> bool:
    """Whether its dialogue asked for TLS, or went no further because TLS was not offered."""
    dialogue = connection.follower.dialogue or connection.talking
    if dialogue is None or dialogue.state in ("", "not-asked"):
        return False
    if dialogue.state != "not-offered":
        return True
    from analyzer.dialogues import went_on_in_clear

    return not went_on_in_clear(dialogue)
