"""Damaged recordings: what lost nothing keeps its verdict; what lost something may get vaguer, never surely wrong.

A sample of the recordings and of the damages; ``python tests/degradation`` does them all.
"""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from damage import CAPTURES, MS, losing, lossless, merged, moved, read_pieces, set_back, two_clocks, write_pcap
from verdicts import complaints_about, ends_of, judge, label_of, truths_of, verdict_of

SAMPLE = 9
"""One recording in so many."""
FOLDERS = sorted(path.parent.name for path in CAPTURES.glob("*/expected.json"))[::SAMPLE]

UNSTEADY = {
    "pmtu-": "segments of another size are another finding where sizes are what counts",
    "large-client-hello-intolerance": "the same",
    "data-corruption": "the damage does not keep up the checksums that show it",
    "middlebox-rst-injection": "the numbers of segments are among the signs",
    "cap-": "what is said of the capture is of this capture",
    "completed--openssl-nginx-drops": "the same",
    "hrr-failure--curl-nginx-second-hello-lost": "segments that never came in other sizes",
    "loss-slow-handshake--": "the same",
    "client-timeout--curl-nginx-over-a-satellite-server-side": "the same",
    "internal-error--python-gnutls-no-ciphers": "an alert in pieces, and nothing else of its side, is known for one too late",
    "cert-expired--curl-nginx-mid-stream": "the first segments of a stream whose beginning is missing show what it is",
    "proxy-protocol-mismatch": "seen as a hello of several segments",
}
"""Recordings whose verdict depends on how their bytes were cut, and why."""


def damages_of(name: str, kind: str, most: int):
    pieces = read_pieces(CAPTURES / name / "capture.pcapng")
    chance = random.Random(name)
    found = list(losing(pieces, chance.randrange(1 << 30)) if kind == "losing" else lossless(pieces))
    return pieces, chance.sample(found, min(most, len(found)))


@pytest.mark.parametrize("name", FOLDERS)
def test_losses_make_nothing_surely_wrong(name):
    label = label_of(CAPTURES / name)
    pieces, damages = damages_of(name, "losing", 14)
    truths = truths_of(label, judge(write_pcap(pieces)).judged)
    for damage, damaged in damages:
        complaints = [c for c in complaints_about(truths, judge(write_pcap(damaged))) if c.kind in ("bug", "certain")]
        assert not complaints, f"{name}, {damage}: {complaints[0].detail}"


@pytest.mark.parametrize("name", [name for name in FOLDERS if not name.startswith(tuple(UNSTEADY))])
def test_what_loses_nothing_changes_nothing(name):
    pieces, damages = damages_of(name, "lossless", 40)
    before = {ends_of(h.flow): verdict_of(h) for h in judge(write_pcap(pieces)).judged}
    for damage, damaged in [d for d in damages if not d[0].startswith("written late")][:7]:
        after = {ends_of(h.flow): verdict_of(h) for h in judge(write_pcap(damaged)).judged}
        for ends, verdict in before.items():
            assert ends in after, f"{name}, {damage}: lost"
            new = after[ends]
            assert (new.outcome, new.cause, new.aborted_by) == (verdict.outcome, verdict.cause, verdict.aborted_by), f"{name}, {damage}"


@pytest.mark.parametrize("name", [name for name in FOLDERS if name.startswith(("completed", "cert-", "client-cert", "alpn", "no-common"))])
def test_a_file_out_of_order_is_read_by_time(name):
    """Frames of both sides written out of turn, within what one side sends before the other answers."""
    pieces = read_pieces(CAPTURES / name / "capture.pcapng")
    before = {ends_of(h.flow): verdict_of(h) for h in judge(write_pcap(pieces)).judged}
    shuffled = list(pieces)
    for at in range(0, len(shuffled) - 1, 2):
        if shuffled[at].source == shuffled[at + 1].source:
            shuffled[at], shuffled[at + 1] = shuffled[at + 1], shuffled[at]
    after = {ends_of(h.flow): verdict_of(h) for h in judge(write_pcap(shuffled)).judged}
    for ends, verdict in before.items():
        assert after[ends] == verdict or "cap-" in str(verdict.cause), name


@pytest.mark.parametrize("name", [name for name in FOLDERS if name.startswith(("completed", "cert-", "client-cert", "alpn", "no-common"))])
def test_a_clock_that_is_set_back_changes_nothing(name):
    """By a correction within a round trip, or by an hour: the numbers of TCP tell the order. Of a file that is out of order already the
    frames behind a place are not those after it."""
    pieces = read_pieces(CAPTURES / name / "capture.pcapng")
    if any(one.timestamp > other.timestamp for one, other in itertools.pairwise(pieces)):
        return
    before = {ends_of(h.flow): verdict_of(h) for h in judge(write_pcap(pieces)).judged}
    if any("cap-" in str(verdict.cause) for verdict in before.values()):
        return
    for by in (50 * MS, 3_600_000 * MS):
        for at in {len(pieces) // 3, len(pieces) // 2}:
            after = {ends_of(h.flow): verdict_of(h) for h in judge(write_pcap(set_back(pieces, at, by))).judged}
            for ends, verdict in before.items():
                assert after[ends][:2] == verdict[:2] and after[ends].aborted_by == verdict.aborted_by, f"{name}, {by} ns at {at}"


@pytest.mark.parametrize("name", FOLDERS)
def test_clocks_that_disagree_make_nothing_surely_wrong(name):
    """The two directions recorded at two ports of a tap: what came first cannot be told."""
    pieces = read_pieces(CAPTURES / name / "capture.pcapng")
    truths = truths_of(label_of(CAPTURES / name), judge(write_pcap(pieces)).judged)
    for shift in (30 * MS, -30 * MS):
        complaints = complaints_about(truths, judge(write_pcap(two_clocks(pieces, shift))))
        assert not complaints, f"{name}, {shift}: {complaints[0].detail}"


def test_neighbours_of_other_servers_prove_nothing_here():
    chance = random.Random(3)
    kept = [read_pieces(CAPTURES / name / "capture.pcapng") for name in chance.sample(FOLDERS, min(20, len(FOLDERS)))]
    for name in chance.sample(FOLDERS, min(40, len(FOLDERS))):
        pieces = read_pieces(CAPTURES / name / "capture.pcapng")
        truths = truths_of(label_of(CAPTURES / name), judge(write_pcap(pieces)).judged)
        start = pieces[0].timestamp
        others = [moved(chance.choice(kept), n, start + chance.randrange(-(10**9), 10**9), clients=n % 2 == 0) for n in range(4)]
        run = judge(write_pcap(merged(pieces, *others)))
        run.judged = [h for h in run.judged if ends_of(h.flow) in truths]
        complaints = complaints_about(truths, run)
        assert not complaints, f"{name}: {complaints[0].detail}"


def test_there_are_recordings():
    assert len(FOLDERS) > 100
