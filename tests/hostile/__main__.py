"""Change bytes of recordings, and make up conversations, until something breaks: ``python tests/hostile [SECONDS] [SEED]``."""

from __future__ import annotations

import random
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from floods import pcap  # noqa: E402 - found beside this folder
from invented import collect, mixture  # noqa: E402 - found beside this folder
from mutation import CAPTURES, mutate, read_pieces, write_pcap  # noqa: E402 - found beside this folder

from analyzer.errors import AnalyzerError  # noqa: E402 - found beside this folder
from analyzer.export.ladder import build_ladder, draw_svg, draw_text  # noqa: E402 - found beside this folder
from analyzer.handshakes.tracker import Tracker  # noqa: E402 - found beside this folder
from analyzer.model.options import Options  # noqa: E402 - found beside this folder
from analyzer.pipeline.run import Run  # noqa: E402 - found beside this folder
from analyzer.tables import rows_of  # noqa: E402 - found beside this folder


def main() -> None:
    Tracker.shields = False
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    chance = random.Random(seed)
    folders = sorted(path.parent for path in CAPTURES.glob("*/expected.json"))
    seen: dict[str, int] = {}
    parts = collect(folder / "capture.pcapng" for folder in chance.sample(folders, 100))
    count, slowest, end = 0, (0.0, ""), time.monotonic() + seconds
    while time.monotonic() < end:
        folder = chance.choice(folders)
        pieces = read_pieces(folder / "capture.pcapng")
        keylog = folder / "keys.log"
        for _ in range(20):
            state = chance.getstate()
            capture = write_pcap(mutate(pieces, chance)) if chance.random() < 0.6 else pcap(mixture(chance, parts))
            begun = time.process_time()
            trouble = []
            try:
                run = Run([capture], Options(keylog=str(keylog) if keylog.exists() and chance.random() < 0.5 else None))
                handshakes = list(run.handshakes())
                for handshake in handshakes:
                    for table in ("handshakes", "alerts", "records", "findings"):
                        list(rows_of([handshake], table, run.captures))
                    if chance.random() < 0.2:
                        ladder = build_ladder(handshake, run.captures)
                        draw_text(ladder, 100)
                        draw_svg(ladder)
                trouble = [bug.traceback for bug in run.diagnosis.bugs]
            except AnalyzerError:
                pass
            except Exception:
                trouble = [traceback.format_exc()]
            count += 1
            slowest = max(slowest, (time.process_time() - begun, folder.name))
            for text in trouble:
                lines = text.strip().splitlines()
                key = lines[-1][:80] + " @ " + next((line.strip() for line in reversed(lines) if line.strip().startswith("File")), "")
                if key not in seen:
                    Path(f"/tmp/hostile-{len(seen)}.pcap").write_bytes(capture.getvalue())
                    print(f"--- {folder.name} /tmp/hostile-{len(seen)}.pcap\n{text}", flush=True)
                seen[key] = seen.get(key, 0) + 1
            del state
    print(f"{count} captures, slowest {slowest[0]:.3f} s in {slowest[1]}, {len(seen)} faults: {seen}")


main()
