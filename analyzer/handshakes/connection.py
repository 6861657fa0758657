"""One connection while it is followed: two reassembled streams, a dialogue perhaps, then TLS.

The order in which bytes of the two directions arrive is capture order; within a direction it is
stream order. A connection is cheap until its first payload byte and forgotten when its handshake is past.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analyzer.handshakes.flight import Before, Run, looks_like_tls
from analyzer.handshakes.follower import Follower
from analyzer.model.faults import Fault
from analyzer.model.handshake import Dialogue
from analyzer.reassembly.stream import Piece, Stream

if TYPE_CHECKING:  # loaded when a connection does not begin as TLS
    from analyzer.dialogues import Follower as DialogueFollower
    from analyzer.dialogues import TdsUnwrapper

__all__ = ["Connection", "begins_otherwise"]

_HOPELESS = 131_072  # bytes waiting behind a hole: it will not be filled
_PLAIN = 512
_PLAIN_PIECES = 6  # pieces of plain bytes that are looked at for a ClientHello
_PLAIN_PIECE = 64  # shorter ones count for less
_IN_ORDER = 32  # segments of a direction that may come in order before it is reassembled all the same (their bytes are kept)
_DIALOGUE_BYTES = 65_536
_OLD_HELLO = 4_096  # bytes of a ClientHello in SSLv2 format, at most
_BURST = 16_384  # bytes that are read at once, at most


class Connection:
    """Feed it segments with ``segment``; read ``follower`` when it is ``over``."""

    __slots__ = (
        "_buffers", "_dialogue", "_limit", "_mode", "_next", "_offsets", "_old_hello", "_patience", "_sent", "_starts", "_streams",
        "_unwrap", "conflicts", "disordered", "follower", "gaps", "is_tls", "over", "plain", "plain_frames", "server_port",
        "tls_offsets",
    )  # fmt: skip

    def __init__(self, server_port: int, starts: tuple[int | None, int | None], keylog: Any, limit: int) -> None:
        """``starts``: sequence number of each direction's first byte (client, server) where its SYN was seen."""
        self.server_port = server_port
        self.follower = Follower(keylog)
        self.over = False
        self.is_tls = False
        self.disordered = False
        """A hole was given up: one direction was read ahead of the other."""
        self.gaps = [0, 0]
        """Bytes of each direction that were never captured; told when closed."""
        self.plain = [b"", b""]
        """First bytes of each direction, when they are not TLS: client, server."""
        self.plain_frames = [0, 0]
        self.tls_offsets = [0, 0]
        """Where TLS begins in each stream: after a dialogue, not at 0."""
        # while a direction comes in order it needs no reassembly: only the next number and what came
        self._next: list[int | None] = list(starts)
        self._offsets = [0, 0]
        self._sent: list[list[tuple[int, bytes, int, int]]] = [[], []]
        self._streams: list[Stream | None] = [None, None]
        self._starts = starts
        self._limit = limit
        self._patience = _PLAIN_PIECES * _PLAIN_PIECE
        self._mode = 0  # 0 undecided, 1 dialogue, 2 TLS, or neither
        self._dialogue: DialogueFollower | None = None
        self._buffers: list[list[Piece]] | None = None
        self._unwrap: list[TdsUnwrapper] | None = None
        self._old_hello: Piece | None = None
        """What came so far of a ClientHello in SSLv2 format, while it is not whole."""

    @property
    def talking(self) -> Dialogue | None:
        """The dialogue that goes on, or went on, before TLS."""
        return self._dialogue.dialogue if self._dialogue is not None else None

    def segment(self, from_client: bool, sequence: int, data: bytes, frame: int, timestamp: int, wire_length: int) -> None:
        """One segment's payload, as captured."""
        index = 0 if from_client else 1
        stream = self._streams[index]
        if stream is None:
            size = len(data)
            if sequence == self._next[index] and size == wire_length:
                offset = self._offsets[index]
                self._offsets[index] = offset + size
                self._next[index] = (sequence + size) & 0xFFFFFFFF
                sent = self._sent[index]
                sent.append((sequence, data, frame, timestamp))
                if len(sent) >= _IN_ORDER:
                    self._make_stream(index)
                self._piece(from_client, Piece(offset, data, frame, timestamp))
                return
            stream = self._make_stream(index)
        pieces = stream.add(sequence, data, frame, timestamp, wire_length)
        for piece in pieces:
            self._piece(from_client, piece)
        if stream.pending > _HOPELESS:
            self.disordered = True
            for piece in stream.skip_gap():
                self._piece(from_client, piece)

    def burst(
        self, from_client: bool, sequence: int, data: bytes, ends: Sequence[int], frames: Sequence[int], timestamps: Sequence[int]
    ) -> None:
        """Several segments of a direction, captured whole, each beginning where the one before ended: those up to ``ends[i]`` of
        ``data`` came in ``frames[i]``. The same as ``segment`` for each of them."""
        if len(data) <= _BURST:
            self._take_burst(from_client, sequence, data, ends, frames, timestamps)
            return
        first = begin = 0
        while first < len(ends) and not self.over:
            last = max(bisect_right(ends, begin + _BURST), first + 1)
            stop = ends[last - 1]
            part = [end - begin for end in ends[first:last]]
            self._take_burst(
                from_client, (sequence + begin) & 0xFFFFFFFF, data[begin:stop], part, frames[first:last], timestamps[first:last]
            )
            first, begin = last, stop

    def _take_burst(
        self, from_client: bool, sequence: int, data: bytes, ends: Sequence[int], frames: Sequence[int], timestamps: Sequence[int]
    ) -> None:
        index = 0 if from_client else 1
        follower = self.follower
        side = follower.client if from_client else follower.server
        stream = self._streams[index]
        in_order = stream is None and sequence == self._next[index]
        if in_order and self._mode == 0 and self._offsets[index] == 0 and _begins_as_tls(data[: ends[0]]):
            self._mode = 2
            self.is_tls = True
        offset = self._offsets[index] if stream is None else stream.next_offset
        if (
            (in_order or stream is not None)
            and self._mode == 2
            and self._unwrap is None
            and side.goes_on(offset - self.tls_offsets[index], data)
            and not follower.almost_done(from_client, data)
        ):
            if stream is None and len(self._sent[index]) + len(ends) >= _IN_ORDER:
                stream = self._make_stream(index)
            if stream is None:
                self._remember(index, sequence, data, ends, frames, timestamps)
            if stream is None or stream.add_run(sequence, data, ends, frames, timestamps):
                side.take_run(data, ends, frames, timestamps)
                if follower.done:
                    self.over = True
                return
        begin = 0
        for end, frame, timestamp in zip(ends, frames, timestamps, strict=True):
            self.segment(from_client, (sequence + begin) & 0xFFFFFFFF, data[begin:end], frame, timestamp, end - begin)
            if self.over:
                return
            begin = end

    def _remember(
        self, index: int, sequence: int, data: bytes, ends: Sequence[int], frames: Sequence[int], timestamps: Sequence[int]
    ) -> None:
        """Keep what came in order, in case it must be reassembled after all."""
        begin = 0
        sent = self._sent[index]
        for end, frame, timestamp in zip(ends, frames, timestamps, strict=True):
            sent.append(((sequence + begin) & 0xFFFFFFFF, data[begin:end], frame, timestamp))
            begin = end
        self._offsets[index] += begin
        self._next[index] = (sequence + begin) & 0xFFFFFFFF

    def take_flight(
        self, client: Run, server: Run, before: Before | None = None, arrivals: tuple[list[int], list[int]] | None = None
    ) -> bool:
        """All that both directions sent so far, each from its first byte of TLS and in order: what nearly every handshake looks like.
        ``before``: what they said before that; ``arrivals``: when each segment came, where they must be put in order.

        False when it does not begin as TLS on both sides: feed the segments one by one then.
        """
        if not (looks_like_tls(client[0]) and looks_like_tls(server[0])):
            return False
        if arrivals is not None:
            self._take_disordered((client, server), arrivals)
            return True
        self._mode = 2
        self.is_tls = True
        follower = self.follower
        heads = (b"", b"")
        if before is not None:
            follower.dialogue, heads = before.dialogue, (before.client, before.server)
            self.tls_offsets = [len(heads[0]), len(heads[1])]
        # the server first: what its version is decides how the client's records are read
        for index, side, (data, sequence, ends, frames, timestamps) in (
            (1, follower.server, server),
            (0, follower.client, client),
        ):
            if data:
                head = heads[index]
                side.take_run(data, ends, frames, timestamps)
                self._offsets[index] = len(head) + len(data)
                self._next[index] = (sequence + len(data)) & 0xFFFFFFFF
                self._sent[index].append(((sequence - len(head)) & 0xFFFFFFFF, head + data, frames[0], timestamps[0]))
        if server[0]:
            follower.put_in_order()
        if follower.done:
            self.over = True
        return True

    def _take_disordered(self, runs: tuple[Run, Run], arrivals: tuple[list[int], list[int]]) -> None:
        """The same segment by segment, in the order in which they came."""
        segments = []
        for index, (data, sequence, ends, frames, timestamps) in enumerate(runs):
            if data and self._starts[index] is None:
                self._starts = (sequence, self._starts[1]) if index == 0 else (self._starts[0], sequence)
                self._next[index] = sequence
            begin = 0
            for end, frame, timestamp, arrival in zip(ends, frames, timestamps, arrivals[index], strict=True):
                segments.append((arrival, index == 0, (sequence + begin) & 0xFFFFFFFF, data[begin:end], frame, timestamp, end - begin))
                begin = end
        for _, from_client, number, payload, frame, timestamp, size in sorted(segments):
            if not self.over:
                self.segment(from_client, number, payload, frame, timestamp, size)

    def _make_stream(self, index: int) -> Stream:
        """Something is not in order: from here on the direction is reassembled."""
        stream = self._streams[index] = Stream(self._limit)
        start = self._starts[index]
        if start is not None:
            stream.start(start, True)
        for sequence, data, frame, timestamp in self._sent[index]:
            stream.add(sequence, data, frame, timestamp)
        self._sent[index] = []
        return stream

    def close(self) -> None:
        """No more will come: what waits behind holes is taken as it is."""
        for index, stream in enumerate(self._streams):
            if stream is None:
                continue
            while stream.pending and not self.over:
                self.disordered = True
                pieces = stream.skip_gap()
                if not pieces:
                    break
                for piece in pieces:
                    self._piece(index == 0, piece)
            self.gaps[index] = stream.gap_bytes
            self.disordered |= stream.gap_bytes > 0  # what was cut was noted when that became clear
            for offset, frame in stream.conflicts[:8]:
                self.follower.faults.append(
                    Fault("overlap", index == 0, frame, f"other bytes than before at stream offset {offset}: the first copy was used")
                )
        if self._mode == 1 and self._dialogue is not None:
            self._dialogue.finish()
            self.follower.dialogue = self.talking
            if self._dialogue.status == "tls":
                self._begin_tls()  # the answer was not captured
        if self._mode == 2:
            if self._old_hello is not None and self._old_hello.data:  # it did not become whole
                self.follower.client.take(*self._old_hello)
            self.follower.flush()
            if self.disordered or self.follower.reordered:
                self.follower.put_in_order()
        self._streams = [None, None]
        self._sent = [[], []]
        self._next = [None, None]
        self._dialogue, self._buffers = None, None
        self.follower.release()

    # ------------------------------------------------------------------

    def _piece(self, from_client: bool, piece: Piece) -> None:
        if self._mode == 2:
            self._tls(from_client, piece)
        elif self._mode == 0:
            self._first(from_client, piece)
        else:
            self._talk(from_client, piece)

    def _tls(self, from_client: bool, piece: Piece) -> None:
        follower = self.follower
        side = follower.client if from_client else follower.server
        offset, data, frame, timestamp = piece
        offset -= self.tls_offsets[0 if from_client else 1]
        if self._unwrap is not None:
            data = self._unwrap[0 if from_client else 1].feed(data)
            offset = side.offset
            if not data:
                return
        if from_client and self._old_hello is not None:
            held, self._old_hello = self._old_hello, None
            if offset == len(held.data):
                offset, data = 0, held.data + data
                whole = Piece(0, data, frame, timestamp)
                if _is_sslv2_hello(data):
                    self._take_old_hello(whole)
                    return
                if len(data) < _OLD_HELLO:
                    self._old_hello = whole
                    return
            elif held.data:  # the rest of it was not captured
                side.take(*held)
        if side.broken and not side.records:
            self._look_on(from_client, piece)
            return
        side.take(offset, data, frame, timestamp)
        if follower.done:
            self.over = True

    def _first(self, from_client: bool, piece: Piece) -> None:
        data = piece.data
        if piece.offset == 0 and _begins_as_tls(data):
            self._mode = 2
            self.is_tls = True
            self._tls(from_client, piece)
            return
        if from_client and piece.offset == 0 and _is_sslv2_hello(data):
            self._mode = 2
            self.is_tls = True
            self._take_old_hello(piece)
            return
        from analyzer.dialogues import Follower as DialogueFollower

        self._mode = 1
        self._dialogue = DialogueFollower(self.server_port)
        self._buffers = [[], []]
        self._talk(from_client, piece)

    def _take_old_hello(self, piece: Piece) -> None:
        """A whole ClientHello in SSLv2 format, and what comes behind it."""
        data = piece.data
        length = 2 + ((data[0] & 0x7F) << 8 | data[1])
        self.follower.take_sslv2_hello(data[:length], piece.frame, piece.timestamp)
        self.follower.client.offset = length
        if len(data) > length:
            self._tls(True, Piece(length, data[length:], piece.frame, piece.timestamp))

    def _talk(self, from_client: bool, piece: Piece) -> None:
        talk, buffers = self._dialogue, self._buffers
        assert talk is not None
        assert buffers is not None
        index = 0 if from_client else 1
        buffers[index].append(piece)
        if len(self.plain[index]) < _PLAIN:
            if not self.plain[index]:
                self.plain_frames[index] = piece.frame
            self.plain[index] += piece.data[: _PLAIN - len(self.plain[index])]
        talk.feed(from_client, piece.data, piece.frame, piece.offset)
        if talk.status == "undecided":
            if sum(len(p.data) for p in buffers[index][-1:]) + piece.offset > _DIALOGUE_BYTES:
                self._give_up()
            return
        if talk.status == "none":
            self._give_up()
            return
        self._begin_tls()

    def _begin_tls(self) -> None:
        """The dialogue is over: what lies behind it is TLS."""
        talk, buffers = self._dialogue, self._buffers
        assert talk is not None
        assert buffers is not None
        self._mode = 2
        self.is_tls = True
        if talk.dialogue is not None:
            self.follower.dialogue = talk.dialogue
        self.tls_offsets = [talk.client_offset, talk.server_offset]
        if talk.wrapping == "tds":
            from analyzer.dialogues import TdsUnwrapper

            self._unwrap = [TdsUnwrapper(), TdsUnwrapper()]
        if talk.dialogue is None:  # a first segment too short to say what it begins
            self.plain, self.plain_frames = [b"", b""], [0, 0]
            if buffers[0] and buffers[0][0].data[0] & 0x80:
                self._old_hello = Piece(0, b"", 0, 0)
        self._replay(buffers)

    def _replay(self, buffers: list[list[Piece]]) -> None:
        """Hand the bytes that lie after the dialogue to TLS: each direction in its order, the two merged by frame."""
        waiting: list[tuple[int, bool, Piece]] = []
        for index, pieces in enumerate(buffers):
            begin = self.tls_offsets[index]
            latest = 0  # a piece that waited behind a hole came in an earlier frame than what filled it
            for p in pieces:
                latest = max(latest, p.frame)
                if p.offset + len(p.data) <= begin:
                    continue
                cut = max(0, begin - p.offset)
                waiting.append((latest, index == 0, Piece(p.offset + cut, p.data[cut:], p.frame, p.timestamp) if cut else p))
        waiting.sort(key=_latest)
        self._buffers = None
        for _, from_client, p in waiting:
            self._tls(from_client, p)

    def _give_up(self) -> None:
        """It does not become TLS. One side may speak TLS all the same: a server that answers plain bytes with an alert."""
        talk, buffers = self._dialogue, self._buffers
        assert talk is not None
        assert buffers is not None
        self.follower.dialogue = talk.dialogue
        self._mode = 2
        for index, side in ((0, self.follower.client), (1, self.follower.server)):
            first = self.plain[index]
            if first and not (len(first) >= 3 and first[1] == 3 and first[0] in (20, 21, 22, 23)):
                side.broken = True
            elif first:
                self.is_tls = True
                self.plain[index] = b""
        self._replay(buffers)

    def _look_on(self, from_client: bool, piece: Piece) -> None:
        """This side speaks something else. It may lead to TLS all the same, in a way we have no name for: look on for a while."""
        data = piece.data
        if from_client and len(data) > 43 and data[:2] == b"\x16\x03" and data[5] == 1 and data[6] == 0 and data[9] == 3:
            self._mode = 2
            self.is_tls = True
            follower = Follower(self.follower.keylog)
            follower.faults = self.follower.faults
            self.follower = follower
            self.tls_offsets = [piece.offset, self._offset_of(1)]
            self.plain = [b"", b""]
            self._tls(True, piece)
            return
        follower = self.follower
        if (
            not from_client
            and follower.client_hello is not None
            and len(data) > 9
            and data[:2] == b"\x16\x03"
            and data[5] == 2
            and data[9] == 3
        ):
            # what came before was the end of a dialogue whose beginning was not captured
            self.tls_offsets[1] = piece.offset
            self.plain[1] = b""
            follower.begin_server()
            self._tls(False, piece)
            return
        side = follower.client if from_client else follower.server
        side.first_bytes += data[: max(0, _PLAIN - len(side.first_bytes))]
        self._patience -= max(1, min(len(data), _PLAIN_PIECE))
        if self._patience <= 0:
            self.follower.not_tls = not self.is_tls
            self.over = True

    def _offset_of(self, index: int) -> int:
        stream = self._streams[index]
        return self._offsets[index] if stream is None else stream.next_offset


def begins_otherwise(from_client: bool, data: bytes) -> bool:
    """Whether a connection whose first segment is ``data`` begins neither with a record nor with a ClientHello in SSLv2 format."""
    return not (_begins_as_tls(data) or (from_client and _is_sslv2_hello(data)))


def _latest(waiting: tuple[int, bool, Piece]) -> int:
    return waiting[0]


def _begins_as_tls(data: bytes) -> bool:
    return len(data) >= 3 and data[1] == 3 and data[0] in (22, 21, 20, 23) and data[2] <= 4


def _is_sslv2_hello(data: bytes) -> bool:
    """A whole ClientHello in SSLv2 format (RFC 5246 appendix E.2): 2-byte length with the high bit, type 1, version."""
    return (
        len(data) >= 11
        and data[0] & 0x80 != 0
        and data[2] == 1
        and (data[3], data[4]) in ((0, 2), (3, 0), (3, 1), (3, 2), (3, 3))
        and 2 + ((data[0] & 0x7F) << 8 | data[1]) <= len(data)
    )
