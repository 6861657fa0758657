"""Exit 1 when a file that is generated and checked in is not what its source makes now; write nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = ("tools/make_registries.py", "tools/make_rule_index.py", "tools/make_cause_pages.py", "tools/make_docs.py")


def main() -> int:
    failed = [script for script in CHECKS if subprocess.run([sys.executable, script, "--check"], cwd=ROOT, check=False).returncode]
    sys.path.insert(0, str(ROOT))
    from captures.lab import index

    captures = ROOT / "captures"
    for name, made in (("README.md", index.page(captures)), ("labels.csv", index.labels(captures))):
        if (captures / name).read_text() != made:
            print(f"not up to date: captures/{name} (python -m captures.lab index)")
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
