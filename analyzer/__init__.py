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
    from analyzer.model.options import Options
    from analyzer.pipeline.result import Result

__version__ = "0.1.0"

__all__ = [
    "AnalyzerError",
    "CaptureFormatError",
    "MissingExtra",
    "SourceError",
    "UsageError",
    "__version__",
    "analyze",
]


def analyze(captures: Any, *, keylog: str | None = None, options: Options | None = None, **wanted: Any) -> Result:
    """Read captures and judge every handshake in them.

    ``captures``: a path, folder, glob, URL, binary file object, or a list of such. ``keylog``: a key log in SSLKEYLOGFILE
    format; secrets inside a pcapng are used without asking. ``wanted``: any field of ``analyzer.model.options.Options``
    (``ca_file``, ``server_ports``, ...). Raises SourceError (CaptureFormatError when it is no capture), UsageError.
    """
    from dataclasses import replace

    from analyzer.model.options import Options
    from analyzer.pipeline.result import make_result
    from analyzer.pipeline.run import Run

    chosen = options or Options()
    if keylog is not None:
        wanted["keylog"] = str(keylog)
    try:
        chosen = replace(chosen, **wanted)
    except TypeError:
        unknown = ", ".join(sorted(set(wanted) - set(Options.__slots__)))
        raise UsageError(f"analyze() knows no option {unknown}") from None
    return make_result(Run(captures, chosen))
