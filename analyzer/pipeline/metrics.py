"""Numbers of a live run for Prometheus. Every label has a bounded number of values.

The counts are kept in plain dictionaries by the run; a scrape, in a thread of its own, copies them.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from analyzer.errors import AnalyzerError, MissingExtra, UsageError
from analyzer.model.handshake import Handshake

if TYPE_CHECKING:
    from analyzer.pipeline.live import LiveRun

__all__ = ["Metrics", "load_client", "read_address", "serve_metrics"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the histogram of durations, seconds."""

NAMES = 500
"""Server names with a label of their own; the others are counted as ``other``."""

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Metrics:
    """``count`` every handshake; ``collect`` gives what a scrape asks for (the protocol of prometheus_client)."""

    def __init__(self, run: LiveRun, names: int = NAMES) -> None:
        self._run = run
        self._most = names
        self._lock = threading.Lock()
        self._outcomes: dict[tuple[str, str], int] = {}
        self._names: dict[tuple[str, str], int] = {}
        self._known: set[str] = set()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._rows = 0
        self._rows_seen: dict[str, float] = {}

    def count(self, handshake: Handshake) -> None:
        """Take in one judged handshake."""
        outcome = handshake.outcome
        cause = handshake.finding.cause if handshake.finding is not None and outcome != "completed" else ""
        name = handshake.client_hello.server_name if handshake.client_hello is not None else None
        with self._lock:
            self._outcomes[outcome, cause] = self._outcomes.get((outcome, cause), 0) + 1
            label = self._label(name)
            self._names[label, outcome] = self._names.get((label, outcome), 0) + 1
            taken = _duration(handshake)
            if taken is not None:
                self._buckets[bisect_left(BUCKETS, taken)] += 1
                self._seconds += taken

    def _label(self, name: str | None) -> str:
        if not name:
            return ""
        name = name.encode("utf-8", "replace").decode()[:253].lower()
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return "other"
        self._known.add(name)
        return name

    def collect(self) -> Iterator[Any]:
        """Metric families, as they are now."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        run = self._run
        with self._lock:
            outcomes, names = dict(self._outcomes), dict(self._names)
            buckets, seconds = list(self._buckets), self._seconds
        yield _family(CounterMetricFamily, "handshakes", "Handshake attempts.", ["outcome", "cause"], outcomes.items())
        yield _family(
            CounterMetricFamily, "handshakes_by_server_name", f"The same by name asked for; beyond {self._most} names 'other'.",
            ["server_name", "outcome"], names.items(),
        )  # fmt: skip
        total, rows = 0, []
        for end, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
            total += count
            rows.append((end, total))
        duration = HistogramMetricFamily("handshake_duration_seconds", "ClientHello to Finished of completed handshakes.")
        duration.add_metric([], rows, seconds)
        yield duration
        for name, says, value in (
            ("handshake_frames", "Frames taken.", run.totals.frames),
            ("handshake_bytes", "Bytes of these frames on the wire.", run.totals.bytes),
            ("handshake_segments", "TCP segments in them.", run.totals.segments),
            ("handshake_flows", "TCP connections seen.", run.totals.flows),
            ("handshake_kernel_drops", "Frames lost because the kernel had no room for them.", run.drops),
            ("handshake_ring_overruns", "Times the ring was full.", run.live.freezes),
            ("handshake_evictions", "Connections forgotten because too many were open.", run.evicted),
            ("handshake_unlisted", "Connections without a byte that were counted and not listed.", run.unlisted),
            ("handshake_copies", "Segments left out because another interface had shown them.", run.copies),
        ):
            counter = CounterMetricFamily(name, says)
            counter.add_metric([], value)
            yield counter
        caps = dict(run.tracker.caps)
        yield _family(CounterMetricFamily, "handshake_limits", "What was cut by a limit.", ["what"], (((k,), v) for k, v in caps.items()))
        for name, says, level in (
            ("handshake_flows_tracked", "TCP connections tracked now.", run.tracked),
            ("handshake_memory_bytes", "Resident memory of this process.", resident_bytes()),
            ("handshake_last_frame_timestamp_seconds", "When the last frame came.", run.totals.last_seen / 1e9),
        ):
            gauge = GaugeMetricFamily(name, says)
            gauge.add_metric([], level)
            yield gauge


def _family(kind: Any, name: str, says: str, labels: list[str], rows: Iterable[tuple[tuple[str, ...], int]]) -> Any:
    family = kind(name, says, labels=labels)
    for values, count in rows:
        family.add_metric(list(values), count)
    return family


def _duration(handshake: Handshake) -> float | None:
    """Seconds from the ClientHello to the last Finished seen, of a completed handshake."""
    if handshake.outcome != "completed" or not handshake.client_hello_time:
        return None
    until = max(handshake.client_finished_frame, handshake.server_finished_frame)
    end = max((m.timestamp for m in handshake.messages if m.frame <= until), default=0)
    return (end - handshake.client_hello_time) / 1e9 if end >= handshake.client_hello_time else None


def resident_bytes() -> int:
    """Resident memory of this process, 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def read_address(text: str) -> tuple[str, int]:
    """``:9464``, ``9464``, ``host:9464`` or ``[::1]:9464``. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"--metrics {text!r}: write :9464, or ADDRESS:9464")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  a port alone means every address, as the help says


def load_client() -> None:
    """Load what answering needs, while it may be read; an answer is put together to that end. Raises MissingExtra."""
    try:
        import http.server
        import wsgiref.simple_server

        from prometheus_client import CollectorRegistry, core, generate_latest, openmetrics
        from prometheus_client.openmetrics import exposition
    except ImportError as error:
        raise MissingExtra("--metrics", "metrics") from error
    assert http.server and wsgiref.simple_server and openmetrics and core  # noqa: PT018 - no test: it only says that they are used
    for write in (generate_latest, exposition.generate_latest):
        write(CollectorRegistry())


def serve_metrics(run: LiveRun, address: tuple[str, int]) -> tuple[Metrics, Any]:
    """Answer scrapes from a thread; (metrics to count into, server with ``shutdown``). Raises MissingExtra, AnalyzerError."""
    load_client()
    from prometheus_client import CollectorRegistry, start_http_server

    metrics = Metrics(run)
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        started = start_http_server(address[1], address[0], registry=registry)
    except OSError as error:
        raise AnalyzerError(f"--metrics: cannot listen on {address[0]} port {address[1]}: {error.strerror or error}") from error
    return metrics, started[0] if isinstance(started, tuple) else None
