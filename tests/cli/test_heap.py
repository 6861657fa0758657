"""Memory in larger pieces: fewer page faults, and the same process as before in all else."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")

SCRIPT = """
import resource, sys
from analyzer.cli.heap import enlarge_heap
for _ in range(int(sys.argv[1])):
    enlarge_heap()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
held = []
for size in (100_000, 3_000_000, 30_000_000):
    for _ in range(30_000_000 // size):
        held.append(bytearray(b"x") * size)
    del held[::2]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, sum(map(len, held)), {bytes(each[:1]) for each in held})
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has what it takes")
def test_memory_comes_in_larger_pieces() -> None:
    def run(times: int) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-c", SCRIPT, str(times)], capture_output=True, text=True, check=True)
        faults, _, rest = done.stdout.partition(" ")
        return int(faults), rest

    (usual, held), (once, same), (twice, again) = run(0), run(1), run(2)
    assert held == same == again
    if LARGE_PAGES.exists() and "[madvise]" in LARGE_PAGES.read_text():  # else all get them, or nobody
        assert once < usual / 2
        assert twice < usual / 2
