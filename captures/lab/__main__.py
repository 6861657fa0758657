"""python -m captures.lab record [CASE...] | list [TEXT] | index"""

from __future__ import annotations

import argparse
import concurrent.futures
import fnmatch
import os
import sys
import time
from pathlib import Path

from . import index
from .case import Case, all_cases
from .recorder import CAPTURES, Disagreement, Recorder


def choose(patterns: list[str]) -> list[Case]:
    cases = all_cases()
    chosen = {
        n: c
        for n, c in cases.items()
        if not patterns or any(n == p if p in cases else fnmatch.fnmatch(n, p) or n.startswith(p) for p in patterns)
    }
    return sorted(chosen.values(), key=lambda c: bool(c.made_from))  # what is cut from others comes last


def record(args: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        print("recording needs root (network namespaces)", file=sys.stderr)
        return 1
    cases = choose(args.case)
    if args.missing:
        cases = [c for c in cases if not (args.to / c.folder / "expected.json").exists()]
    if not cases:
        print("no such case; see `python -m captures.lab list`", file=sys.stderr)
        return 2
    recorder = Recorder(target=args.to)
    bad = 0

    def one(case: Case) -> str:
        absent = recorder.missing(case)
        if absent:
            return "skipped: needs " + ", ".join(absent)
        started = time.monotonic()
        try:
            recorder.record(case)
        except Disagreement as problem:
            return f"DISAGREES: {problem}"
        except Exception as problem:
            if args.debug:
                raise
            return f"FAILED: {type(problem).__name__}: {problem}"
        return f"recorded in {time.monotonic() - started:.1f} s"

    fresh, cut = [c for c in cases if not c.made_from], [c for c in cases if c.made_from]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for group in (fresh, cut):
            futures = {pool.submit(one, c): c for c in group}
            for future in concurrent.futures.as_completed(futures):
                said = future.result()
                bad += not said.startswith(("recorded", "skipped"))
                print(f"{futures[future].folder}: {said}", flush=True)
    if args.to == CAPTURES:
        index.write(CAPTURES)
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m captures.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    r = commands.add_parser("record", help="record cases again (all, or names, prefixes, globs)")
    r.add_argument("case", nargs="*")
    r.add_argument("--jobs", type=int, default=2)
    r.add_argument("--to", type=Path, default=CAPTURES)
    r.add_argument("--missing", action="store_true", help="only what is not there yet")
    r.add_argument("--debug", action="store_true")
    ls = commands.add_parser("list", help="the cases the tables hold")
    ls.add_argument("text", nargs="?", default="")
    commands.add_parser("index", help="write captures/README.md and captures/labels.csv")
    args = parser.parse_args()
    if args.command == "record":
        return record(args)
    if args.command == "list":
        for name in sorted(n for n in all_cases() if args.text in n):
            print(name)
        return 0
    index.write(CAPTURES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
