"""Floor 6: runs.

``run`` over captures, fed by ``reading`` (or by ``workers``, whose handshakes travel as ``parcels``) · ``live`` over an
interface · ``distributed`` over captures on a cluster · ``result`` what the Python API hands out. ``open_run`` chooses by the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.model.options import Options
    from analyzer.pipeline.distributed import DistributedRun
    from analyzer.pipeline.run import Run

__all__ = ["open_run"]


def open_run(captures: Sequence[Any] | Any, options: Options) -> Run | DistributedRun:
    """A run over captures, on this machine or (``options.cluster``) on a cluster. Raises AnalyzerError."""
    if options.cluster is not None:
        from analyzer.pipeline.distributed import DistributedRun

        return DistributedRun(captures, options)
    from analyzer.pipeline.run import Run

    return Run(captures, options)
