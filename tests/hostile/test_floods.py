"""Twice the traffic, at most 2.3 times the work, whatever the traffic; and memory that does not follow it."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from floods import ACK, CLIENT, FLOODS, RST, SERVER, connect, hello, pcap, record, said, segment

from analyzer.decode.decoder import Decoder
from analyzer.handshakes.segments import KEPT
from analyzer.handshakes.tracker import Tracker
from analyzer.model.options import Options
from analyzer.pipeline.run import Run
from analyzer.sources import open_source

MOST = 2.3
GRACE = 0.05
"""Seconds that start-up and the clock's grain may take."""


def seconds_for(frames: list[bytes]) -> float:
    capture = pcap(frames)
    gc.collect()
    begun = time.process_time()
    run = Run([capture])
    for _ in run.handshakes():
        pass
    took = time.process_time() - begun
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    return took


@pytest.mark.parametrize("name", FLOODS)
def test_double_input_takes_about_double_time(name):
    make, n = FLOODS[name]
    once, twice = make(n), make(2 * n)
    seconds_for(make(n // 10))  # rules are loaded, caches warm
    for _ in range(3):  # what runs beside it costs one of them more, now and then
        single = min(seconds_for(once) for _ in range(3))
        double = min(seconds_for(twice) for _ in range(3))
        if double <= MOST * single + GRACE:
            return
    assert double <= MOST * single + GRACE, f"{single:.3f} s for {n}, {double:.3f} s for twice that"


SCRIPT = """
import resource, sys
sys.path[:0] = [{here!r}, {root!r}]
from floods import FLOODS, pcap
from analyzer.pipeline.run import Run
make, n = FLOODS[{name!r}]
for _ in Run([pcap(make(200))]).handshakes(): pass
capture = pcap(make({factor} * n))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in Run([capture]).handshakes(): pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(("name", "factor", "most"), [
    ("one byte a segment", 10, 60),
    ("segments shuffled", 10, 60),
    ("segments over each other", 10, 60),
    ("empty records", 10, 40),
    ("warnings", 10, 40),
    ("an endless greeting", 10, 40),
    ("resets of one connection", 10, 60),
    ("tunnels in tunnels", 5, 60),
    ("fragments of many datagrams", 10, 60),
    ("errors of routers", 10, 60),
    ("SYNs of many clients", 10, 200),
])  # fmt: skip
def test_memory_is_bounded(name, factor, most):
    """MB beyond the capture itself. One connection may send what it likes; many half-open ones cost a few kB each."""
    root = str(Path(__file__).resolve().parents[2])
    script = SCRIPT.format(here=str(Path(__file__).parent), root=root, name=name, factor=factor)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) <= most


def test_a_flow_that_stays_open_does_not_hold_what_came_with_it():
    """Of each batch one connection goes on: what was kept of the others must go with them."""
    frames = []
    for number in range(4_000):
        port = 1_024 + number
        frames += [*connect(port), said(record(22, hello()), port=port)]
        if number % 100:
            frames.append(segment(SERVER, CLIENT, (443, port), 5_000, 1_000 + len(record(22, hello())), RST | ACK))
    tracker, decoder = Tracker(Options()), Decoder()
    with open_source([pcap(frames)], batch_bytes=1 << 14) as source:
        for batch in source:
            tracker.take(decoder.decode(batch))
            tracker.ended(idle=600, linger=0)
    parts = [part for kept in tracker._parts.values() for part in kept]
    assert len(parts) >= 40
    held = {id(part.base): memoryview(part.base).nbytes for part in parts}
    assert sum(held.values()) < 0.2 * KEPT.itemsize * len(frames)


def test_nothing_is_allocated_by_a_length_field():
    """A record, a message, a certificate, an extension that claim all there is: under a ceiling of address space."""
    script = """
import resource, sys
sys.path[:0] = [{here!r}, {root!r}]
import numpy, cryptography.x509
from floods import connect, hello, pcap, record, said
from analyzer.pipeline.run import Run
list(Run([pcap(connect())]).handshakes())
size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (160 << 20), size + (160 << 20)))
big = [
    record(22, b"\\x01\\xff\\xff\\xff" + b"a" * 100), b"\\x16\\x03\\x03\\xff\\xff" + b"a" * 100, record(22, b"\\x0b\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"),
    record(22, hello(b"\\0\\0\\xff\\xff" + b"a" * 40)), b"\\x17\\x03\\x03\\xff\\xff" + b"a" * 100,
]
for client in big:
    for server in big:
        frames = connect() + [said(client), said(server, by_server=True)]
        for _ in Run([pcap(frames)]).handshakes():
            pass
print("fine")
"""
    root = str(Path(__file__).resolve().parents[2])
    script = script.format(here=str(Path(__file__).parent), root=root)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "fine", done.stderr
