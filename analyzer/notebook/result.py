"""The Result of a run as Python and notebooks see it: tables, and what can be looked at."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.model.shown import DRAWINGS, Shown
from analyzer.notebook.display import draw_result
from analyzer.notebook.explanation import Explanation
from analyzer.pipeline import result

if TYPE_CHECKING:
    import altair as alt
    from scapy.plist import PacketList

    from analyzer.export.report.census import Census

__all__ = ["Charts", "Result"]


class Result(result.Result, Shown):
    """Every handshake of the captures, judged.

    Tables as DataFrames: ``handshakes`` one row an attempt · ``failed`` those that failed · ``alerts`` · ``records`` ·
    ``certificates`` · ``flows`` · ``findings`` · ``servers``. ``result[17]`` is the handshake of tcp.stream 17.
    ``explain(17)`` its story · ``packets(17)`` its frames · ``compare(4, 17)`` · ``chart.causes()``.
    """

    def explain(self, stream: int, capture: int | str | None = None) -> Explanation:
        """One handshake as a ladder, with cause, evidence and remedy: text in a terminal, a picture in a notebook."""
        return Explanation(self.find(stream, capture), self.captures)

    @property
    def chart(self) -> Charts:
        """Charts of the run (Altair)."""
        return Charts(self)

    def packets(self, stream: int, capture: int | str | None = None) -> PacketList:
        """That handshake's connection as a scapy PacketList, read from the capture again. Raises SourceError."""
        from analyzer.notebook.packets import read_packets

        handshake = self.find(stream, capture)
        return read_packets(self.captures[handshake.flow.capture], handshake.flow, self.options)


class Charts:
    """Charts of a run, as Altair charts. Each raises MissingExtra where Altair is not installed."""

    def __init__(self, of: Result) -> None:
        self._result = of

    @cached_property
    def _census(self) -> Census:
        from analyzer.export.report.census import Census

        return Census(self._result)

    def causes(self) -> alt.Chart:
        """How many handshakes failed of each cause."""
        from analyzer.export.charts import chart_causes

        return chart_causes(self._census)

    def timeline(self) -> alt.Chart:
        """Attempts over time, by outcome."""
        from analyzer.export.charts import chart_timeline

        return chart_timeline(self._census)

    def versions(self) -> alt.Chart:
        """Which versions servers chose."""
        from analyzer.export.charts import chart_versions

        return chart_versions(self._census)

    def cipher_suites(self) -> alt.Chart:
        """Which cipher suites servers chose."""
        from analyzer.export.charts import chart_cipher_suites

        return chart_cipher_suites(self._census)

    def __repr__(self) -> str:
        return "<Charts: causes() timeline() versions() cipher_suites()>"

    def _repr_html_(self) -> str:
        return f"<p>Charts: {', '.join(f'<code>chart.{name}()</code>' for name in ('causes', 'timeline', 'versions', 'cipher_suites'))}</p>"


DRAWINGS[Result] = draw_result
