"""Records found at many places at once are those that a loop finds."""

from __future__ import annotations

import struct
from pathlib import Path
from unittest import mock

import pytest
from capture_building import SECOND, Frame, enhanced, interface, pcap, pcap_record, rows, same, secrets, section, write
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.sources import lanes, open_source
from analyzer.sources.lanes import find_runs

START = 1_700_000_000


def capture_within(kind: str, order: str) -> bytes:
    """Payload that looks like records: a capture on its way through the capture."""
    inner = [Frame(bytes(number % 40), (START + number) * SECOND) for number in range(40)]
    return pcap(inner, order=order) if kind == "pcap" else section(order) + interface(order) + b"".join(enhanced(f, order) for f in inner)


def payloads(kind: str, order: str) -> st.SearchStrategy[bytes]:
    inner = capture_within(kind, order)
    marks = struct.pack(order + "I", START if kind == "pcap" else 6)
    return st.one_of(
        st.integers(0, 90).map(bytes),
        st.binary(max_size=300),
        st.integers(0, 1500).map(lambda cut: inner[cut:]),
        st.integers(1, 400).map(lambda count: marks * count),
        st.integers(1400, 6000).map(bytes),
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_all_records_are_found_whatever_they_hold(
    tmp_path_factory: pytest.TempPathFactory, kind: str, order: str, data: st.DataObject
) -> None:
    some = data.draw(st.lists(payloads(kind, order), min_size=20, max_size=60))
    places = data.draw(st.lists(st.integers(0, len(some) - 1), min_size=100, max_size=400))
    step = data.draw(st.sampled_from([1, 1_000_000, 3 * 3600 * SECOND]))  # the mark of a pcap changes every 18 hours
    frames = [Frame(some[place], (START * SECOND + number * step) // 1000 * 1000) for number, place in enumerate(places)]
    if kind == "pcap":
        content = pcap(frames, order=order)
    else:
        other = data.draw(st.lists(st.integers(0, len(frames)), max_size=5))  # blocks without a frame in between
        content = section(order) + interface(order)
        for number, frame in enumerate(frames):
            content += secrets(b"CLIENT_RANDOM", order) * other.count(number) + enhanced(frame, order)
    cut = data.draw(st.integers(0, 40))
    path = write(tmp_path_factory.mktemp("lanes"), "x", content[: len(content) - cut])
    batch_bytes = data.draw(st.sampled_from([1 << 14, 1 << 16, 1 << 23]))
    with mock.patch.object(lanes, "_FEWEST", 2), open_source(path, batch_bytes=batch_bytes) as source:
        read = list(rows(source))
    assert same(read, frames[: len(read)])
    assert len(frames) - cut // 16 - 1 <= len(read) if cut else len(read) == len(frames)


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_most_records_are_found_at_once(tmp_path: Path, kind: str) -> None:
    frames = [Frame(bytes([number % 251]) * (number * 997 % 1400), START * SECOND + number * 1000) for number in range(20_000)]
    record = pcap_record if kind == "pcap" else enhanced
    head = pcap([]) if kind == "pcap" else section() + interface()
    path = write(tmp_path, "x", head + b"".join(record(frame) for frame in frames))
    found = 0

    def counted(*given: object) -> list[lanes.Run]:
        nonlocal found
        runs = find_runs(*given)
        found += sum(len(run.at) for run in runs)
        return runs

    with mock.patch(f"analyzer.sources.{kind}.find_runs", counted), open_source(path) as source:
        assert same(rows(source), frames)
    assert found > 0.95 * len(frames)
