"""Charts of a run as Vega-Lite, made with Altair: for notebooks as they are, for pages drawn as SVG.

Every function takes a ``Census`` and gives an Altair chart. Text and lines are ``currentColor`` and the grounds transparent, so a
chart takes the look of the page it stands in, light or dark. No chart holds text off the wire.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from analyzer.errors import MissingExtra
from analyzer.export.report.census import OUTCOMES, STEPS, Bar, Census

if TYPE_CHECKING:
    import altair as alt

__all__ = ["chart_causes", "chart_cipher_suites", "chart_timeline", "chart_versions", "draw_chart"]

COLOURS = {"completed": "#2f8f6b", "failed": "#d1503f", "unfinished": "#b58a1c", "no-handshake": "#7d8794"}
"""A colour for each outcome that can be told from its neighbours on light and dark grounds."""
_PLAIN = "#3f7fc1"
_BARS = 20
_WIDTH = 660
_LABELS = 340
_TICKS = 7
_FONT = "system-ui, -apple-system, Segoe UI, Roboto, Cantarell, DejaVu Sans, sans-serif"


def chart_causes(census: Census, most: int = _BARS) -> alt.Chart:
    """How many handshakes failed of each cause."""
    counts = Counter({entry.cause: entry.count for entry in census.causes()})
    return _bars(counts, "cause", "failed handshakes", COLOURS["failed"], most)


def chart_versions(census: Census) -> alt.Chart:
    """Which versions servers chose."""
    return _bars(census.versions, "version", "handshakes", _PLAIN, _BARS)


def chart_cipher_suites(census: Census, most: int = _BARS) -> alt.Chart:
    """Which cipher suites servers chose."""
    return _bars(census.cipher_suites, "cipher suite", "handshakes", _PLAIN, most)


def chart_timeline(census: Census) -> alt.Chart:
    """Attempts over time by outcome."""
    alt = _altair()
    bars = census.timeline()
    values = []
    for bar in bars:
        begin, top = bar.begin // 1_000_000, 0
        for outcome, count in zip(OUTCOMES, bar.counts, strict=True):
            if count:  # stacked here: Vega-Lite does not stack bars that have two ends
                values.append({"begin": begin, "end": begin + bar.seconds * 1000, "outcome": outcome, "attempts": count,
                               "bottom": top, "top": top + count})  # fmt: skip
                top += count
    highest = max((sum(bar.counts) for bar in bars), default=0)
    present = [outcome for outcome in OUTCOMES if any(value["outcome"] == outcome for value in values)]
    time = (
        alt.Scale(type="utc", domain=[bars[0].begin // 1_000_000, bars[-1].begin // 1_000_000 + bars[-1].seconds * 1000])
        if bars
        else alt.Undefined
    )
    chart = (
        alt.Chart(alt.Data(values=values), width=_WIDTH, height=150)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "begin:T", title="time (UTC)", scale=time, axis=alt.Axis(grid=False, labelOverlap=True, labelSeparation=8, **_clock(bars))
            ),
            x2="end:T",
            y=alt.Y("bottom:Q", title="attempts", axis=alt.Axis(tickCount=min(highest, 4), format=",d")),
            y2="top:Q",
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=alt.Scale(domain=present, range=[COLOURS[outcome] for outcome in present]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["begin:T", "outcome:N", "attempts:Q"],
        )
    )
    return _look(chart)


def _clock(bars: list[Bar]) -> dict[str, Any]:
    """Where along the axis times are written, and how: so few that none says what another says."""
    if not bars:
        return {}
    first, last = bars[0].begin // 10**9, bars[-1].begin // 10**9 + bars[-1].seconds
    span = last - first
    step = next((step for step in STEPS if span // step < _TICKS), 86_400 * (span // (86_400 * _TICKS) + 1))
    look = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 and span < 86_400 else "%d %b %H:%M" if step < 86_400 else "%d %b"
    if span > 300 * 86_400:
        look += " %Y"
    return {"values": [at * step * 1000 for at in range(-(-first // step), last // step + 1)], "format": look}


def draw_chart(chart: alt.Chart) -> str:
    """The chart as one ``svg`` element without script, style or anything from elsewhere. Raises MissingExtra."""
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise MissingExtra("drawing charts", "report") from None
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    for pattern, text in _UNNEEDED:
        svg = pattern.sub(text, svg)
    return svg


_UNNEEDED = (
    (re.compile(r"^<svg"), '<svg aria-hidden="true" focusable="false"'),  # the page names it and gives its numbers as a table
    (re.compile(r' (?:xmlns:xlink|version|role|aria-roledescription|pointer-events|font-family|class)="[^"]*"'), ""),
    (
        re.compile(r'<path(?: aria-hidden="true")? d="[^"]*"(?: display="none")?/>(?=<g>)|<path aria-hidden="true" d="" display="none"/>'),
        "",
    ),
)


def _altair() -> Any:
    try:
        import altair
    except ModuleNotFoundError:
        raise MissingExtra("charts", "report") from None
    return altair


def _bars(counts: Counter[str], what: str, of: str, colour: str, most: int) -> alt.Chart:
    """Bars from the longest down, each with its number; what is beyond ``most`` is one number, whose bar would dwarf the others."""
    alt = _altair()
    shown = counts.most_common()
    rest = sum(count for _, count in shown[most:])
    values = [{what: name, of: count, "bar": count} for name, count in shown[:most]]
    if rest:
        values.append({what: f"{len(shown) - most} others", of: rest, "bar": 0})
    base = alt.Chart(alt.Data(values=values), width=_WIDTH - _LABELS, height=alt.Step(22)).encode(
        y=alt.Y(f"{what}:N", sort=None, title=None, axis=alt.Axis(labelLimit=_LABELS, minExtent=_LABELS, ticks=False, domain=False)),
        x=alt.X("bar:Q", title=None, axis=None, scale=alt.Scale(domainMin=0, nice=False)),
        tooltip=[f"{what}:N", f"{of}:Q"],
    )
    numbers = base.mark_text(align="left", dx=4, color="currentColor").encode(text=alt.Text(f"{of}:Q", format=","))
    return _look(base.mark_bar(color=colour, height=14) + numbers)


def _look(chart: alt.Chart) -> alt.Chart:
    text = "currentColor"
    return (
        chart.configure(background="transparent", font=_FONT, aria=False, padding={"left": 0, "right": 36, "top": 4, "bottom": 4})
        .configure_view(stroke=None)
        .configure_axis(
            **dict.fromkeys(("labelColor", "titleColor", "tickColor", "domainColor", "gridColor"), text),
            gridOpacity=0.15,
            domainOpacity=0.5,
            tickOpacity=0.5,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelPadding=6,
        )
        .configure_legend(labelColor=text, titleColor=text, labelFontSize=12)
    )
