"""The seam between the two worlds: columns of segments in, handshakes out.

Segments of all flows are columns (``flows``). Only those that carry payload of a flow whose handshake is
not over become Python objects here: its bytes go through a ``Connection``. When a flow is past its handshake
it costs vector work only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from analyzer.flows import FlowState, FlowTable, Placement
from analyzer.flows.clocks import mend_clock
from analyzer.handshakes.alike import Alikes
from analyzer.handshakes.assemble import assemble
from analyzer.handshakes.attempts import Attempts
from analyzer.handshakes.bursts import Bursts
from analyzer.handshakes.connection import Connection
from analyzer.handshakes.facts import read_flows
from analyzer.handshakes.flight import Flight
from analyzer.handshakes.herds import Herd, Herds, Sides
from analyzer.handshakes.plain import Plain
from analyzer.handshakes.segments import Kept, are_whole, keep_rows
from analyzer.handshakes.whole import find_whole
from analyzer.model.batches import IcmpError, SegmentBatch, TcpFlag
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options

__all__ = ["Tracker"]

I64 = npt.NDArray[np.int64]

_KEPT_WITHOUT_PAYLOAD = 200_000  # flows without a byte whose segments are remembered
_PLAIN_FLOWS = 50_000  # plain-text flows remembered because TLS may yet be seen on their port
_ICMP = 16  # errors kept for one flow
_RESET_TEXT = 200  # bytes kept of what a reset carries
_SECOND = 1_000_000_000
_HEAD = 32  # payload segments of each flow that are turned into Python objects at once
_CHUNK = 64
_PART = 2_048  # flows whose handshakes are made at once at the end
_SET_ASIDE = 16_384  # bytes of a flow that are set aside unread
_FOR_CLIENTS = 32_768  # systems give clients ports from here on: of two of them either may be the server's
_SLICED = 8  # batches of which what was kept is held as a whole
_NOTHING = Kept(())


class Tracker:
    """Follows every flow. ``take`` a batch; ``ended`` gives the handshakes that are over; ``finish`` the rest.

    ``share`` (k, n): of n trackers that are given the same segments this is number k, and makes the handshakes of its flows only.
    The table of flows is the same in all of them.

    ``settled_by`` (where nobody asks for completed handshakes) tells by which frame of one it shows that it and all its like completed:
    those are not assembled, but kept and let out as a ``Herd`` (``herds``).
    """

    shields: ClassVar[bool] = True
    """A crash of ours costs the connection, not the run. Tests want to see it."""

    def __init__(
        self,
        options: Options,
        keylog: Any = None,
        share: tuple[int, int] | None = None,
        settled_by: Callable[[Handshake], int | None] | None = None,
    ) -> None:
        self.options = options
        self._share = share
        self.keylog = keylog
        self.table = FlowTable(options.limits.flows)
        self.caps: dict[str, int] = {}
        self.now = 0
        """Time of the last segment, ns."""
        self.segments = 0
        self._connections: dict[int, Connection | Flight | Plain] = {}
        self._alikes = Alikes()
        self._herds = None if settled_by is None or share is not None else Herds(settled_by)
        self.herd: Herd | None = None
        """Those of the flows last taken out that are alike, and not among the handshakes given."""
        self._parts: dict[int, Kept] = {}
        self._slices: deque[list[int]] = deque()
        """Flows of the latest batches whose parts are slices of what was kept of the whole batch."""
        self._full: set[int] = set()
        """Flows of which as many segments are kept as may be."""
        self._icmp: dict[int, list[IcmpError]] = {}
        self._icmp_waiting: list[IcmpError] = []
        self._reset_texts: dict[int, tuple[int, int, bytes]] = {}
        self._given_up: set[int] = set()
        self._crash = ""
        """What is said of crashes, with the first of them."""
        self._plain: dict[int, Connection] = {}
        self.placed: Placement | None = None
        """Where the segments of the last batch went; None when it had none."""
        self.attempts = Attempts(options.server_ports, self.table, self._connections, self._count)

    # ------------------------------------------------------------------ taking

    def take(self, s: SegmentBatch) -> None:
        """One batch of segments."""
        if (s.frame[1:] < s.frame[:-1]).any():
            s, mended = mend_clock(s)
            if mended:
                self._count("connection(s) during which the capture's clock was set back: their times go on", mended)
        self.segments += len(s)
        self.placed = None
        if len(s):
            self.now = max(self.now, int(s.timestamp.max()))
            placed = self.placed = self.table.add(s)
            self._feed(s, placed)
            self._keep(s, placed)
        for error in s.icmp:
            self._note_icmp(error)

    def _feed(self, s: SegmentBatch, placed: Placement) -> None:
        table = self.table
        state = table["state"]
        wanted = state[placed.flows] <= FlowState.ACTIVE
        if not wanted.any():
            return
        ordered = placed.order
        if (s.timestamp[1:] < s.timestamp[:-1]).any():
            # merged interfaces, frames written out of turn: within a flow time tells what came first
            local = np.repeat(np.arange(len(placed.flows)), placed.ends - placed.starts)
            ordered = ordered[np.lexsort((s.timestamp[ordered], local))]
        if not wanted.all():
            ordered = ordered[np.repeat(wanted, placed.ends - placed.starts)]
        ordered = ordered[s.wire_length[ordered] > 0]
        reset = (s.flags[ordered] & TcpFlag.RST) != 0
        if reset.any():
            # what a reset carries is a note about it, not part of the stream (RFC 9293 section 3.5.2)
            self._note_reset_text(s, ordered[reset], placed)
            ordered = ordered[~reset]
        if len(ordered) == 0:
            return
        flows, begins, ends, head, stops = _by_flow(ordered, placed)
        data = s.data.data
        rows = flows[begins]
        fresh = table["state"][rows] == FlowState.NEW
        self._meet(rows[fresh], head[(stops - np.minimum(ends - begins, _HEAD))[fresh]], s, placed, data)
        if self._share is not None:
            wanted = self._wants(rows, fresh)
            table["state"][rows[~wanted]] = FlowState.PAST
            if not wanted.any():
                return
            ordered, fresh = ordered[np.repeat(wanted, ends - begins)], fresh[wanted]
            flows, begins, ends, head, stops = _by_flow(ordered, placed)
            rows = flows[begins]
        connections = self._connections
        flights: list[Flight | Plain | None] = [None] * len(rows)
        if self.keylog is None:
            known = {}
            if self._herds is not None:
                for row in rows[table["herd"][rows] >= 0].tolist():
                    connections[row] = self._herds.restore(table.columns, row)
            for index in np.flatnonzero(~fresh).tolist():
                before = connections.get(int(rows[index]))
                if isinstance(before, Flight) and before.arrivals is None:
                    known[index] = before
            take_in = None if self._herds is None else self._take_in(rows, ends - begins <= _HEAD, s)
            flights = find_whole(table.columns, rows, fresh, known, head, stops, s, placed, self._shielded, take_in)
        odd: list[int] = []
        held = table["herd"][rows] >= 0
        counts = (ends - begins).tolist()
        for index in np.flatnonzero(~held).tolist():
            row, count, flight = int(rows[index]), counts[index], flights[index]
            if flight is None:
                if row not in self._given_up:
                    odd.append(index)
            elif isinstance(flight, Plain) or (count <= _HEAD and len(flight[0][0]) + len(flight[1][0]) <= _SET_ASIDE):
                connections[row] = flight
            else:
                with self._shielded(row):
                    connection = connections[row] = self._open(row, flight)
                    if connection.over:
                        self._past(row, connection)
                    elif count > _HEAD:
                        odd.append(-1 - index)
        self._feed_odd(odd, rows, begins, ends, ordered, head, stops, s, placed)

    def _take_in(self, rows: I64, short: npt.NDArray[np.bool_], s: SegmentBatch) -> Callable[[Sides, I64], I64]:
        """What takes connections that are alike out of those that are set aside."""
        herds, c = self._herds, self.table.columns
        assert herds is not None

        def take_in(sides: Sides, flows: I64) -> I64:
            few = np.add.reduceat(sides.length, sides.flow_begins) <= _SET_ASIDE
            flows = flows[(short & few)[flows]]
            return herds.take_in(sides, flows, c, rows, _closed(c, rows), s.data)

        return take_in

    def _mine(self, rows: I64) -> npt.NDArray[np.bool_]:
        """Of these flows those whose handshakes are made here."""
        if self._share is None:
            return np.ones(len(rows), np.bool_)
        place, trackers = self._share
        # not simply in turn: every second connection may be a probe of a load balancer
        mixed = (self.table["number"][rows] * 0x9E3779B1 & 0xFFFFFFFF) >> 12
        mine: npt.NDArray[np.bool_] = mixed % trackers == place
        return mine

    def _wants(self, rows: I64, fresh: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Of these flows with payload those whose bytes are read here: this tracker's own, and until its server is known to speak TLS
        every other one on a port where TLS is not at home, for what is seen of one flow there makes others attempts too."""
        wanted = self._mine(rows)
        away = np.flatnonzero(~wanted & ~self.attempts.at_home[self.attempts.ports(rows)])
        wanted[away] = True
        known = away[fresh[away]]
        wanted[known] = ~self.attempts.are_known(rows[known])
        return wanted

    def _feed_odd(
        self, odd: list[int], rows: I64, begins: I64, ends: I64, ordered: I64, head: I64, stops: I64, s: SegmentBatch, placed: Placement
    ) -> None:
        """The flows that are followed burst by burst until their handshake is over: those with the indices ``odd`` in ``rows``.

        Negative ones (-1 - index) stand for flows whose head was read already.
        """
        c = self.table.columns
        whole = np.array([index for index in odd if index >= 0], np.int64)
        if len(whole):
            sizes = np.diff(stops, prepend=0)
            chosen = np.zeros(len(rows), np.bool_)
            chosen[whole] = True
            first = head[stops[whole] - sizes[whole]]
            bursts = Bursts(s, placed, head[np.repeat(chosen, sizes)], sizes[whole])
            # what the first payload acknowledges is where the other side goes on, its SYN captured or not
            acknowledges = (s.flags[first] & TcpFlag.ACK) != 0
            told = zip((1 - placed.direction[first].astype(np.int64)).tolist(), s.acknowledgment[first].tolist(), strict=True)
            columns = zip(rows[whole].tolist(), c["client"][rows[whole]].tolist(), acknowledges.tolist(), told, strict=True)
            for number, (row, client, known, where) in enumerate(columns):
                with self._shielded(row):
                    connection = self._connections.get(row)
                    if not isinstance(connection, Connection):
                        connection = self._connections[row] = self._open(row, connection, where if known and connection is None else None)
                    if not connection.over:
                        bursts.hand(number, client, connection)
                    if connection.over:
                        self._past(row, connection)
        for index in odd:
            at = index if index >= 0 else -1 - index
            row = int(rows[at])
            for begin in range(int(begins[at]) + _HEAD, int(ends[at]), _CHUNK):
                connection = self._connections.get(row)
                if c["state"][row] == FlowState.PAST or not isinstance(connection, Connection):
                    break
                part = ordered[begin : min(begin + _CHUNK, int(ends[at]))]
                with self._shielded(row):
                    Bursts(s, placed, part, np.array([len(part)])).hand(0, int(c["client"][row]), connection)
                    if connection.over:
                        self._past(row, connection)

    def _meet(self, rows: I64, first: I64, s: SegmentBatch, placed: Placement, data: memoryview) -> None:
        """Flows that have their first payload here, in the segments ``first``: who is the client of those whose SYN was not seen?"""
        c = self.table.columns
        unknown = c["client"][rows] < 0
        for row, at in zip(rows[unknown].tolist(), first[unknown].tolist(), strict=True):
            begin = int(s.payload_offset[at])
            head = bytes(data[begin : begin + min(16, int(s.payload_length[at]))])
            self._guess_client(row, head, int(placed.direction[at]))
        c["state"][rows] = FlowState.ACTIVE

    def _open(self, row: int, flight: Flight | Plain | None, told: tuple[int, int] | None = None) -> Connection:
        """Follow a flow from here on; what was set aside of it is read. ``told``: (direction, number of its first byte) without a SYN."""
        c = self.table.columns
        client = int(c["client"][row])
        port = int(c["destination_port"][row] if client == 0 else c["source_port"][row])
        starts = [
            (int(c["base"][row, side]) + 1) & 0xFFFFFFFF if c[frame][row] > 0 else None
            for side, frame in ((client, "syn_frame"), (1 - client, "syn_ack_frame"))
        ]
        if told is not None:
            side = 0 if told[0] == client else 1
            starts[side] = told[1] if starts[side] is None else starts[side]
        connection = Connection(port, (starts[0], starts[1]), self.keylog, self.options.limits.flow_bytes)
        if isinstance(flight, Flight):
            connection.take_flight(flight.client, flight.server, flight.before, flight.arrivals)
        elif flight is not None:
            flight.hand(connection)
        return connection

    def _guess_client(self, row: int, data: bytes, direction: int) -> None:
        """Who is the client, from a flow's first payload bytes, else from its ports."""
        c = self.table.columns
        known_by = 2
        if len(data) > 5 and data[0] == 22 and data[1] == 3 and data[5] in (1, 16):
            client = direction
        elif len(data) > 5 and data[0] == 22 and data[1] == 3 and data[5] in (2, 12, 14):
            client = 1 - direction
        else:
            source, destination = int(c["source_port"][row]), int(c["destination_port"][row])
            known_by = 3
            named = bool(self.attempts.named[source]), bool(self.attempts.named[destination])
            home = bool(self.attempts.at_home[source]), bool(self.attempts.at_home[destination])
            if named[0] != named[1]:
                client = 1 if named[0] else 0
            elif home[0] != home[1]:
                client = 1 if home[0] else 0
            elif len(data) > 5 and data[0] == 22 and data[1] == 3 and data[5] == 11:
                client, known_by = 1 - direction, 2  # a Certificate: of the server, unless the ports say that a client sent it
            elif source != destination:
                client = 1 if source < destination else 0
                known_by = 3 if min(source, destination) < _FOR_CLIENTS else 4
            else:
                client, known_by = 0, 4
        c["client"][row] = client
        c["known_by"][row] = known_by

    def _past(self, row: int, connection: Connection) -> None:
        """Nothing more is wanted of this flow's bytes."""
        self.table["state"][row] = FlowState.PAST
        if not connection.is_tls and connection.follower.dialogue is None:
            # plain text: of interest only if its port turns out to be a TLS port
            del self._connections[row]
            if len(self._plain) < _PLAIN_FLOWS:
                self._plain[row] = connection
            else:
                self._parts.pop(row, None)
                self._full.discard(row)
                self._count("plain-text flows not remembered")

    def _keep(self, s: SegmentBatch, placed: Placement) -> None:
        """Remember the segments of flows that may end badly."""
        c = self.table.columns
        rows = placed.flows
        state = c["state"][rows]
        known = np.fromiter((row in self._parts or row in self._plain for row in rows.tolist()), np.bool_, len(rows))
        wanted = (state == FlowState.ACTIVE) | (state == FlowState.NEW) | (known & (state <= FlowState.PAST))
        held = c["herd"][rows] >= 0
        wanted &= ~held
        self._cut_loose()
        for row in rows[held & known].tolist():
            self._parts.pop(row, None)  # of its SYN, in an earlier batch
        if self._share is not None:
            wanted &= self._mine(rows)
        if len(self._parts) > _KEPT_WITHOUT_PAYLOAD:
            wanted &= (state == FlowState.ACTIVE) | known
        limit = self.options.limits.segments
        if self._full:
            wanted &= np.fromiter((row not in self._full for row in rows.tolist()), np.bool_, len(rows))
        sizes = placed.ends - placed.starts
        if not wanted.any():
            return
        picked = np.flatnonzero(wanted)
        counts = np.minimum(sizes[picked], limit)
        starts = placed.starts[picked]
        # indices of the first `limit` segments of each wanted flow
        total = int(counts.sum())
        ends = np.cumsum(counts)
        at = np.arange(total) - np.repeat(ends - counts, counts) + np.repeat(starts, counts)
        kept = keep_rows(s, placed.order[at], placed.direction)
        keeping = rows[picked].tolist()
        self._slices.append(keeping)
        cuts = zip(keeping, (ends - counts).tolist(), ends.tolist(), are_whole(kept, counts).tolist(), strict=True)
        for row, begin, end, whole in cuts:
            parts = self._parts.get(row)
            if parts is None:
                parts = self._parts[row] = Kept((kept[begin:end],), whole)
            else:
                parts.add(kept[begin:end])
            if sum(map(len, parts)) >= limit:
                self._full.add(row)

    def _cut_loose(self) -> None:
        """One flow that stays open must not hold what was kept of all the others of its batch: most are over some batches later, the
        others get copies."""
        if len(self._slices) < _SLICED:
            return
        for row in self._slices.popleft():
            parts = self._parts.get(row)
            if parts is not None:
                self._parts[row] = parts.copies()

    def _note_reset_text(self, s: SegmentBatch, at: I64, placed: Placement) -> None:
        for index in at.tolist():
            row = int(placed.flow[index])
            begin, length = int(s.payload_offset[index]), min(int(s.payload_length[index]), _RESET_TEXT)
            if len(self._reset_texts) < _KEPT_WITHOUT_PAYLOAD:
                text = s.data[begin : begin + length].tobytes()
                self._reset_texts.setdefault(row, (int(s.frame[index]), int(placed.direction[index]), text))

    def _note_icmp(self, error: IcmpError) -> None:
        row = self.table.find(error.source, error.destination, error.source_port, error.destination_port)
        if row is None:
            if len(self._icmp_waiting) < 1000:
                self._icmp_waiting.append(error)
            return
        errors = self._icmp.setdefault(row, [])
        if len(errors) < _ICMP:
            errors.append(error)

    def _count(self, what: str, n: int = 1) -> None:
        self.caps[what] = self.caps.get(what, 0) + n

    @contextmanager
    def _shielded(self, row: int) -> Iterator[None]:
        """Whatever our reading of one flow does wrong must not cost the others: the flow is given up, and said to be."""
        try:
            yield
        except Exception as error:
            self._give_up(row, error)

    def _give_up(self, row: int, error: Exception) -> None:
        if not self.shields:
            raise error
        if not self._crash:
            import traceback

            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"stream {int(self.table['stream'][row])}, {type(error).__name__} in {PurePath(at.filename).name} line {at.lineno}"
            self._crash = f"connection(s) given up because our reading crashed, first {where}: please report it"
        self._count(self._crash)
        self._given_up.add(row)
        self._connections.pop(row, None)
        self._plain.pop(row, None)
        if self.table["state"][row] <= FlowState.ACTIVE:
            self.table["state"][row] = FlowState.PAST

    # ------------------------------------------------------------------ ending

    def ended(self, *, idle: float, linger: float, settle: float | None = None) -> list[Handshake]:
        """Handshakes that are over, by the clock ``now``: flows closed (FIN of both, or RST) since ``linger`` seconds, silent for
        ``idle``; and when ``settle`` is given (live), attempts refused by an alert since ``linger`` seconds and handshakes that
        went on to application data ``settle`` seconds ago, however long their connection lasts."""
        c = self.table.columns
        rows = self.table.held()
        rows = rows[c["state"][rows] != FlowState.GONE]
        seen = c["last_seen"][rows]
        closed = _closed(c, rows)
        late = seen < self.now - int(linger * _SECOND)
        over = (seen < self.now - int(idle * _SECOND)) | (closed & late)
        if settle is not None:
            old = c["first_seen"][rows] < self.now - int(settle * _SECOND)
            over |= (c["state"][rows] == FlowState.PAST) & old
            for index in np.flatnonzero(~over & (late | old) & (c["state"][rows] == FlowState.ACTIVE)).tolist():
                row = int(rows[index])
                connection = self._connections.get(row)
                if connection is None:
                    continue
                with self._shielded(row):
                    if not isinstance(connection, Connection):
                        connection = self._connections[row] = self._open(row, connection)
                    follower = connection.follower
                    if (late[index] and follower.refused) or (old[index] and follower.went_on):
                        over[index] = True
        return self.take_out(rows[over])

    def forget_gone(self, idle: float, *, closed: bool = False) -> None:
        """Free the rows of flows that were taken out and have been silent for ``idle`` seconds; ``closed``: only where both sides
        said FIN, or one RST, so that no more can honestly come that would need its number."""
        c = self.table.columns
        rows = self.table.held()
        rows = rows[(c["state"][rows] == FlowState.GONE) & (c["last_seen"][rows] < self.now - int(idle * _SECOND))]
        if closed:
            rows = rows[_closed(c, rows)]
        self.forget(rows)

    def finish(self) -> list[Handshake]:
        """Every handshake that is left, in the order of their first packets."""
        return [handshake for part in self.finish_in_parts() for handshake in part]

    def finish_in_parts(self) -> Iterator[list[Handshake]]:
        """The same, some thousand flows at a time: each part may be let go before the next is made."""
        rows = self.table.held()
        rows = rows[self.table["state"][rows] != FlowState.GONE]
        rows = rows[np.argsort(self.table["number"][rows], kind="stable")]
        self.attempts.note_servers(rows)  # those of all parts, before the first
        for begin in range(0, len(rows), _PART):
            yield self.take_out(rows[begin : begin + _PART])

    def take_out(self, rows: I64) -> list[Handshake]:
        """Assemble the handshakes of these flows and be done with them (their rows stay, marked)."""
        self.herd = None
        if len(rows) == 0:
            return []
        c = self.table.columns
        rows = rows[np.argsort(c["number"][rows], kind="stable")]
        self.attempts.note_servers(rows)
        if self._herds is not None:
            rows = self._release(rows, self._herds)
        mine = rows[self._mine(rows)]
        chosen = mine[self.attempts.choose(mine)]
        c["state"][rows] = FlowState.GONE
        result: list[Handshake] = []
        limit = self.options.limits.segments
        clients = c["client"][chosen].tolist()
        for row, flow, client in zip(chosen.tolist(), read_flows(self.table, chosen), clients, strict=True):
            if row in self._given_up:
                continue
            try:
                connection = self._connections.pop(row, None) or self._plain.get(row)
                if isinstance(connection, Plain):
                    connection = self._open(row, connection)
                if client < 0:
                    client = 1 if flow.server_port == int(c["source_port"][row]) else 0
                handshake = assemble(flow, connection, self._parts.get(row, _NOTHING), client, self._icmp.get(row, []), limit, self._alikes)
                if row in self._reset_texts:
                    handshake.reset_text_frame, direction, handshake.reset_text = self._reset_texts.pop(row)
                    handshake.reset_text_from_client = direction == client
                result.append(handshake)
            except Exception as error:  # as where ``_shielded`` stands, but without its cost
                self._give_up(row, error)
        self._let_go(rows)
        return result

    def _release(self, rows: I64, herds: Herds) -> I64:
        """Take out those of these flows that are alike. Gives the others."""
        c = self.table.columns
        held = c["herd"][rows] >= 0
        for row in rows[held].tolist():
            if row in self._icmp or row in self._reset_texts:
                self._connections[row] = herds.restore(c, row)
        held = c["herd"][rows] >= 0
        c["state"][rows[held]] = FlowState.GONE
        self.herd = herds.release(c, rows[held])
        return rows[~held]

    def _let_go(self, rows: I64) -> None:
        """Forget what is held of these flows beside their columns."""
        for row in rows.tolist():
            self._connections.pop(row, None)
            self._parts.pop(row, None)
            self._icmp.pop(row, None)
            self._reset_texts.pop(row, None)
            self._plain.pop(row, None)
            self._full.discard(row)
            self._given_up.discard(row)

    def drop(self, rows: I64) -> None:
        """Free the rows of flows that nobody wants to hear of."""
        self._let_go(rows)
        self.table.remove(rows)

    def forget(self, rows: I64) -> None:
        """Free the rows of flows that were taken out; a late segment then begins another flow."""
        self.table.remove(rows)


def _closed(c: dict[str, npt.NDArray[Any]], rows: I64) -> npt.NDArray[np.bool_]:
    """Which of these flows ended: FIN of both sides, or a RST."""
    ended: npt.NDArray[np.bool_] = np.logical_or((c["fin_frame"][rows] > 0).all(axis=1), (c["rst_frame"][rows] > 0).any(axis=1))
    return ended


def _by_flow(ordered: I64, placed: Placement) -> tuple[I64, I64, I64, I64, I64]:
    """Payload segments sorted by flow, cut into flows: (flow of each, where each flow begins and ends, the first ``_HEAD`` segments
    of every flow at once, where those of each flow end). A long flow's others are wanted only if its handshake still goes on."""
    flows = placed.flow[ordered]
    cuts = np.flatnonzero(flows[1:] != flows[:-1]) + 1
    begins = np.concatenate([[0], cuts])
    ends = np.concatenate([cuts, [len(ordered)]])
    rank = np.arange(len(ordered)) - np.repeat(begins, ends - begins)
    return flows, begins, ends, ordered[rank < _HEAD], np.cumsum(np.minimum(ends - begins, _HEAD))
