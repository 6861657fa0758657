"""Say why a TLS handshake failed, from a packet capture or live.

    import analyzer
    result = analyzer.analyze("trace.pcapng", keylog="keys.log")
    result.failed                # DataFrame: what failed, why, who gave up, the evidence
    result[17]                   # the handshake of tcp.stream 17

The folders are the way of the data: ``sources`` read captures, ``decode`` turns frames into columns of TCP segments,
``flows`` gives each its connection, ``reassembly``, ``dialogues`` and ``tls`` read bytes, ``handshakes`` puts one attempt
together, ``diagnosis`` says what it means, ``tables`` gives rows, ``pipeline`` and ``export`` run and write, ``cli`` and
``notebook`` show. Imports only point down. Nothing is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyzer.errors import AnalyzerError, CaptureFormatError, MissingExtra, SourceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from analyzer.model.options import Options
    from analyzer.notebook import Result
    from analyzer.notebook.sniffer import Sniffer

__version__ = "0.1.0"

__all__ = [
    "AnalyzerError",
    "CaptureFormatError",
    "MissingExtra",
    "SourceError",
    "UsageError",
    "__version__",
    "analyze",
    "sniff",
]


def analyze(captures: Any, *, keylog: Path | str | None = None, options: Options | None = None, **wanted: Any) -> Result:
    """Read captures and judge every handshake in them.

    ``captures``: a path, folder, glob, URL, binary file object, or several such. ``keylog``: a key log in SSLKEYLOGFILE
    format; secrets inside a pcapng are used without asking. ``wanted``: any field of ``analyzer.model.options.Options``
    (``ca_file``, ``server_ports=[8443, "9000-9100"]``, ``failed_only=True``, ``cause="cert-*"``, ``server``, ``since="2026-05-01"``, ...).
    Raises SourceError (CaptureFormatError when it is no capture), UsageError.
    """
    from analyzer.model.wanted import choose_options
    from analyzer.notebook import Result
    from analyzer.pipeline import open_run
    from analyzer.pipeline.result import make_result
    from analyzer.pipeline.selection import Selection

    chosen = choose_options("analyze", options, wanted if keylog is None else {**wanted, "keylog": keylog})
    selection = Selection(chosen)
    return make_result(open_run(captures, chosen), Result, selection)


def sniff(
    interface: str = "any",
    *,
    bpf: str | None = None,
    duration: float | None = None,
    count: int | None = None,
    snaplen: int = 262_144,
    wait: bool = False,
    portable: bool = False,
    keylog: Path | str | None = None,
    options: Options | None = None,
    **wanted: Any,
) -> Sniffer:
    """Watch an interface and iterate over its handshakes, each judged when it is over.

    ``bpf``: only frames that pass this filter of libpcap too. ``duration``: seconds. ``count``: handshakes. ``wait`` for an interface
    that is not there. ``portable``: through scapy. ``wanted``: any field of ``analyzer.model.options.Options`` (``timeout``, ...).
    Raises SourceError (no permission: it says what helps), UsageError.
    """
    from analyzer.model.wanted import choose_options
    from analyzer.notebook.sniffer import Sniffer

    chosen = choose_options("sniff", options, wanted if keylog is None else {**wanted, "keylog": keylog})
    return Sniffer(
        interface, chosen, bpf=bpf, duration=duration, count=count, snaplen=snaplen, wait=wait, portable=portable
    )  # fmt: skip
