"""Damage every recording in every way and list what is surely wrong: ``python tests/degradation [PART OF NAME] [--every N] [--keys]``."""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from damage import CAPTURES, losing, lossless, merged, moved, read_pieces, write_pcap  # noqa: E402 - found beside this folder
from verdicts import Complaint, complaints_about, ends_of, judge, label_of, truths_of, verdict_of  # noqa: E402 - found beside this folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="*", default=[""])
    parser.add_argument("--every", type=int, default=1, help="one recording in so many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=60, help="damages of a recording, chosen by chance")
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--neighbours", type=int, default=2)
    options = parser.parse_args()
    folders = sorted(path.parent for path in CAPTURES.glob("*/expected.json"))
    folders = [folder for folder in folders if any(part in folder.name for part in options.part)][options.first :: options.every]
    chance = random.Random(options.seed)
    counts: collections.Counter[str] = collections.Counter()
    groups: dict[str, list[str]] = collections.defaultdict(list)
    begun = time.process_time()
    kept: list = []
    for folder in folders:
        label = label_of(folder)
        keylog = str(folder / str(label["keylog"])) if options.keys and label["keylog"] else None
        if options.keys and keylog is None:
            continue
        pieces = read_pieces(folder / "capture.pcapng")
        whole = judge(write_pcap(pieces), keylog).judged
        truths = truths_of(label, whole)
        for handshake in whole:
            finding = handshake.finding
            if (
                handshake.flow.stream == label["stream"]
                and finding
                and finding.confidence == "certain"
                and finding.cause not in (label["cause"], label["cause_without_keys"])
            ):
                groups[f"WHOLE certain {finding.cause} is {label['cause']}"].append(folder.name)
        damages = [("losing", *d) for d in losing(pieces, options.seed)] + [("lossless", *d) for d in lossless(pieces)]
        if len(damages) > options.most:
            damages = chance.sample(damages, options.most)
        for number in range(options.neighbours if kept else 0):
            others = [
                moved(chance.choice(kept), n + 1, pieces[0].timestamp + chance.randrange(-(10**9), 10**9), clients=bool(number % 2))
                for n in range(chance.randrange(1, 6))
            ]
            damages.append(("neighbours", f"neighbours {number}", merged(pieces, *others)))
        if len(kept) < 300:
            kept.append(pieces)
        else:
            kept[chance.randrange(300)] = pieces
        before = {ends_of(h.flow): verdict_of(h) for h in whole}
        for kind, name, damaged in damages:
            counts[kind] += 1
            try:
                run = judge(write_pcap(damaged), keylog)
            except Exception:
                groups["exception " + traceback.format_exc().splitlines()[-1]].append(f"{folder.name} {name}")
                continue
            if kind == "neighbours":
                run.judged = [h for h in run.judged if ends_of(h.flow) in truths]
            found = complaints_about(truths, run)
            if kind == "lossless":
                after = {ends_of(h.flow): verdict_of(h) for h in run.judged}
                for ends, old in before.items():
                    new = after.get(ends)
                    if new is None:
                        found.append(Complaint("changed", f"{name.rstrip(' 0123456789')}: lost {old}"))
                    elif (new.outcome, new.cause, new.aborted_by) != (old.outcome, old.cause, old.aborted_by):
                        found.append(
                            Complaint(
                                "changed",
                                f"{name.rstrip(' 0123456789')}: {old.outcome} {old.cause} {old.confidence} by {old.aborted_by} -> {new.outcome} {new.cause} {new.confidence} by {new.aborted_by}",
                            )
                        )
            for complaint in found:
                counts["! " + complaint.kind] += 1
                groups[f"{complaint.kind} {complaint.detail}"].append(f"{folder.name} | {name}")
    for what, where in sorted(groups.items(), key=lambda item: (item[0].split()[0], -len(item[1]))):
        print(f"{len(where):5} {what}")
        for place in where[:3]:
            print(f"          {place}")
    print(dict(counts), f"{len(folders)} recordings, {time.process_time() - begun:.0f} s of processor time")


main()
