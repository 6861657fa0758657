"""Where frames come from: capture files, pipes, URLs, compressed or not, one or many.

    path, folder, glob, URL, '-', binary object
        -> origins    what is to be opened, by name
        -> streams    bytes as they become available, inflated when compressed
        -> walkers    pcap or pcapng: from one record header to the next
        -> reader     one capture: a reused buffer, a FrameBatch each time it was walked
        -> ahead      of a file the next buffer, filled while this one is worked on
        -> merge      several captures as one, in time order
        -> Source     what the pipeline iterates over

``open_source`` is the only way in.
"""

from __future__ import annotations

from analyzer.sources.source import BATCH_BYTES, LARGE_BATCH_BYTES, Source, open_source
from analyzer.sources.walker import Interface

__all__ = ["BATCH_BYTES", "LARGE_BATCH_BYTES", "Interface", "Source", "open_source"]
