"""Any bytes give a SegmentBatch: nothing raises, every frame is counted once, every payload lies inside its frame."""

from __future__ import annotations

import numpy as np
import pytest
from encapsulations import CASES, ETHER, SEGMENT
from frame_batches import frames_to_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6

from analyzer.decode import Decoder
from analyzer.model.batches import FrameBatch

LINKS = sorted({link for link, *_ in CASES.values()} | {8, 100, 109, 219, 240, 241, 147, 65535})
FRAGMENTS = [
    bytes(ETHER / part)
    for part in (
        *fragment(IP(src="192.0.2.1", dst="192.0.2.2", id=9) / SEGMENT / bytes(300), 104),
        *fragment6(IPv6(src="::1", dst="::2") / IPv6ExtHdrFragment(id=77) / SEGMENT / bytes(3000), 1280),
    )
]
GOOD = [(link, bytes(packet)) for link, packet, *_ in CASES.values()] + [(1, frame) for frame in FRAGMENTS]


def check(batch: FrameBatch) -> None:
    decoder = Decoder()
    rows = decoder.decode(batch)
    counts = decoder.counters
    assert all(number > 0 for number in counts.values())
    # An aggregate of 802.11 is the one frame that may hold several packets.
    assert sum(counts.values()) == len(batch) or 105 in batch.link_type or 127 in batch.link_type or _may_hold_wifi(batch)
    assert sum(counts.values()) >= len(batch)
    assert counts.get("tcp", 0) == len(rows)
    assert np.all(np.diff(rows.frame) >= 0)
    assert np.all(rows.payload_length >= 0)
    assert np.all(rows.wire_length >= rows.payload_length)
    index = rows.frame - batch.number[0] if len(batch) else rows.frame
    begin, end = batch.offset[index], (batch.offset + batch.captured_length)[index]
    appended = rows.payload_offset >= len(batch.data)
    inside = (rows.payload_offset >= begin) & (rows.payload_offset + rows.payload_length <= end)
    assert np.all(inside | appended | (rows.payload_length == 0))
    assert np.all(rows.payload_offset + rows.payload_length <= len(rows.data))
    for name in ("ip_version", "source_low", "ttl", "options", "vlan", "tunnel", "mss", "window_scale", "timestamp", "interface"):
        assert len(getattr(rows, name)) == len(rows)


def _may_hold_wifi(batch: FrameBatch) -> bool:
    return bool(np.isin(batch.link_type, (119, 163, 192, 258)).any()) or b"\x82\x40" in batch.data.tobytes()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LINKS), st.binary(max_size=120)), max_size=12))
def test_random_bytes(frames: list[tuple[int, bytes]]) -> None:
    check(frames_to_batch([frame for _, frame in frames], [link for link, _ in frames]))


@st.composite
def mutants(draw: st.DrawFn) -> tuple[int, bytes, int]:
    """A good frame with a few bytes changed, cut anywhere, perhaps said to have been longer."""
    link, frame = draw(st.sampled_from(GOOD))
    changed = bytearray(frame)
    for at, value in draw(st.lists(st.tuples(st.integers(0, min(len(frame), 160) - 1), st.integers(0, 255)), max_size=4)):
        changed[at] = value
    size = draw(st.integers(0, len(frame)) | st.just(len(frame)))
    return link, bytes(changed[:size]), max(size, draw(st.sampled_from([0, len(frame), 70_000])))


@settings(max_examples=400, deadline=None)
@given(st.lists(mutants(), min_size=1, max_size=16))
def test_mutated_frames(frames: list[tuple[int, bytes, int]]) -> None:
    check(frames_to_batch([f for _, f, _ in frames], [link for link, *_ in frames], [length for *_, length in frames]))


@pytest.mark.parametrize("name", CASES)
def test_every_byte_of_every_header_set_to_its_extremes(name: str) -> None:
    link, packet, *_ = CASES[name]
    frame = bytes(packet)
    changed = [frame[:at] + bytes([value]) + frame[at + 1 :] for at in range(len(frame)) for value in (0, 1, 127, 255)]
    check(frames_to_batch(changed, link))


def test_a_frame_decodes_alike_alone_and_among_others() -> None:
    """What lies beyond a frame's end in the buffer is another frame's and must not matter."""
    rng = np.random.default_rng(7)
    frames = [frame[: rng.integers(0, len(frame) + 1)] for _, frame in GOOD for _ in range(4)]
    links = [link for link, _ in GOOD for _ in range(4)]
    together = Decoder()
    rows = together.decode(frames_to_batch(frames, links))
    alone: dict[str, int] = {}
    found = []
    for frame, link in zip(frames, links, strict=True):
        decoder = Decoder()
        row = decoder.decode(frames_to_batch([frame], link))
        found += list(zip(row.sequence.tolist(), row.window.tolist(), row.payload_length.tolist(), row.options.tolist(), strict=True))
        for reason, number in decoder.counters.items():
            alone[reason] = alone.get(reason, 0) + number
    if "ip fragment waiting for the others" in alone:
        del alone["ip fragment waiting for the others"], together.counters["ip fragment waiting for the others"]
    assert found == list(
        zip(rows.sequence.tolist(), rows.window.tolist(), rows.payload_length.tolist(), rows.options.tolist(), strict=True)
    )
    assert {k: v for k, v in together.counters.items() if "fragment" not in k} == {k: v for k, v in alone.items() if "fragment" not in k}
