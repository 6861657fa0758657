"""Us against tshark, ssldump and nfstream on the same files in the same run: ratios, rates and peak memory.

Each command is run ``--runs`` times in turn with the others, so that a machine whose speed drifts slows all of them;
medians are printed, and written to ``benchmarks/results.md`` when all workloads were run. Peak memory is the operating
system's own figure (ru_maxrss of the finished process; of several processes the largest one's).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy

from benchmarks.recorded import record_d
from benchmarks.workloads import make_a, make_b, make_c, make_e

WORK = Path(__file__).resolve().parent / "work"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As installed: modules are compiled once, not in each run."""
MEANING = {
    "A": "16,000 handshakes",
    "B": "500 MB of application data in 10 connections",
    "C": "6,000 handshakes among HTTP, DNS and QUIC, 5 % of the frames lost and 5 % out of order",
    "D": "handshakes of OpenSSL with itself, recorded here: no two alike",
    "E": "12,000 handshakes of browsers' stacks, each with another ClientHello and for another name",
    "small": "about 100 frames",
}
JUDGED = """
import sys
from analyzer.pipeline import run
from analyzer.cli.entry import main
sys.argv = ["handshake", "analyze", sys.argv[1]]
"""
"""The command as this module starts it where something is left out, and where nothing is."""
NOT_JUDGED = """
from analyzer.diagnosis.engine import Diagnosis
run.learn_herds = lambda *what: None
run.Run._learn = lambda self, handshakes: handshakes
Diagnosis.judge = lambda self, handshake: None
Diagnosis.find_odd = lambda self, herd: run.np.zeros(0, run.np.int64)
Diagnosis.prevention = lambda self: []
"""
"""Nothing is learned and nobody judged. What is imported at the start is the same, rules are not loaded."""
NFSTREAM = "import sys, nfstream\nn = sum(1 for _ in nfstream.NFStreamer(source=sys.argv[1], statistical_analysis=False, n_meters=1))\n"


def commands(path: Path) -> dict[str, list[str]]:
    """What each tool is asked, in its own words: every TLS handshake of the file."""
    script = Path(sys.executable).with_name("handshake")  # what people type; -m costs some milliseconds more
    handshake = [str(script)] if script.exists() else [sys.executable, "-m", "analyzer"]
    known = {
        "handshake": [*handshake, "analyze", str(path)],
        **({"handshake, 1 process": [*handshake, "analyze", "--workers", "1", str(path)]} if (os.cpu_count() or 1) > 2 else {}),
        "handshake jsonl": [*handshake, "analyze", "--format", "jsonl", "--quiet", str(path)],
    }
    if shutil.which("tshark"):
        fields = ["tcp.stream", "tls.handshake.type", "tls.handshake.extensions_server_name", "tls.alert_message.desc"]
        known["tshark"] = ["tshark", "-n", "-r", str(path), "-Y", "tls.handshake || tls.alert_message", "-T", "fields"]
        for field in fields:
            known["tshark"] += ["-e", field]
    if shutil.which("ssldump"):
        known["ssldump"] = ["ssldump", "-n", "-r", str(path)]
    probe = subprocess.run([sys.executable, "-c", "import nfstream"], capture_output=True, check=False)
    if probe.returncode == 0:
        known["nfstream"] = [sys.executable, "-c", NFSTREAM, str(path)]
    return known


def measure(command: list[str]) -> tuple[float, float]:
    """(wall seconds, peak MB) of one run; output is thrown away."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def describe_machine() -> list[str]:
    """What it was measured on: processor, memory, versions, how busy the machine was."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    said = [f"{model}, {os.cpu_count()} cores, {memory:.0f} GB; {platform.system()} {platform.release()}; load {os.getloadavg()[0]:.1f}"]
    versions = [f"Python {platform.python_version()}", f"NumPy {numpy.__version__}"]
    for command in (["tshark", "--version"], ["ssldump", "-v"]):
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            text = (done.stdout or done.stderr).strip()
            versions.append(text.partition("\n")[0].rstrip("."))
    return [*said, ", ".join(versions)]


def compare(name: str, path: Path, runs: int, handshakes: int) -> list[str]:
    """Print a table for one workload; give it as Markdown."""
    size = path.stat().st_size / 1e6
    print(f"\n{name}: {path.name}, {size:.0f} MB")
    written = [
        f"## {name}: {MEANING[name]} ({size:,.1f} MB)", "",
        "| tool | seconds | x tshark | MB/s | handshakes/s | peak MB |", "|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    known = commands(path)
    seconds: dict[str, list[float]] = {tool: [] for tool in known}
    memory: dict[str, float] = dict.fromkeys(known, 0.0)
    measure(known["handshake"])  # what is compiled on first use is
    for _ in range(runs):
        for tool, command in known.items():
            taken, peak = measure(command)
            seconds[tool].append(taken)
            memory[tool] = max(memory[tool], peak)
    base = statistics.median(seconds["tshark"]) if "tshark" in seconds else None
    print(f"  {'tool':<20} {'seconds':>8} {'x tshark':>9} {'MB/s':>8} {'handshakes/s':>13} {'peak MB':>8}")
    for tool, taken in seconds.items():
        median = statistics.median(taken)
        ratio = f"{base / median:9.1f}" if base else f"{'-':>9}"
        rate = f"{handshakes / median:13.0f}" if handshakes else f"{'-':>13}"
        print(f"  {tool:<20} {median:8.2f} {ratio} {size / median:8.1f} {rate} {memory[tool]:8.0f}")
        written.append(f"| {tool} | {median:.2f} | {ratio.strip()} | {size / median:.1f} | {rate.strip()} | {memory[tool]:.0f} |")
    return [*written, ""]


def weigh_diagnosis(path: Path, pairs: int) -> list[str]:
    """What learning and judging add to the time of everything else: runs with and without them in turn, started the same way."""
    judged = [sys.executable, "-c", f"{JUDGED}main()", str(path)]
    not_judged = [sys.executable, "-c", f"{JUDGED}{NOT_JUDGED}main()", str(path)]
    added = sorted(measure(judged)[0] / measure(not_judged)[0] - 1 for _ in range(pairs))
    low, middle, high = (statistics.quantiles(added, n=4)[place] for place in range(3))
    says = (
        f"Diagnosis adds {middle:.0%} to the time of the rest (median of {pairs} pairs; half of them lie between {low:.0%} and {high:.0%})."
    )
    print(f"  {says}")
    return [says, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("workloads", nargs="*", default=["A", "B", "C", "D", "E", "small"])
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    written = ["<!-- written by make bench -->", "# Measured", "", *(f"- {line}" for line in describe_machine())]
    written += [f"- median of {options.runs} runs, the tools in turn", ""]
    makers = {"A": (make_a, 16_000), "B": (make_b, 10), "C": (make_c, 6_000), "E": (make_e, 12_000)}
    for name in options.workloads:
        if name == "small":
            path = WORK / "small.pcap"
            if not path.exists():
                make_a(path, 6)
            written += compare("small", path, max(options.runs, 5), 6)
            continue
        if name == "D":
            path, number = WORK / "d.pcap", WORK / "d.count"
            if not number.exists():
                print("recording workload D ...", flush=True)
                recorded = record_d(path)
                if recorded is None:
                    print("D cannot be recorded here: it needs openssl, tcpdump, and leave to listen")
                    continue
                number.write_text(str(recorded), encoding="ascii")
            written += compare(name, path, options.runs, int(number.read_text(encoding="ascii")))
            continue
        make, handshakes = makers[name]
        path = WORK / f"{name.lower()}.pcap"
        if not path.exists():
            print(f"making workload {name} ...", flush=True)
            make(path)
        written += compare(name, path, options.runs, handshakes)
        if name == "A":
            written += weigh_diagnosis(path, max(4 * options.runs, 8))
    if set(options.workloads) >= {*makers, "small"}:  # a table with holes would stand for the whole
        (WORK.parent / "results.md").write_text("\n".join(written), encoding="utf-8")


if __name__ == "__main__":
    main()
