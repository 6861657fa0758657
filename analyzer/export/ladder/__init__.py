"""The story of one handshake as a ladder: one model, drawn as text and as SVG.

    ladder = build_ladder(handshake, captures)
    print(ladder)                     # 80 columns of text
    draw_svg(ladder)                  # for a page or a notebook

``story`` gathers what happened · ``said`` what a message said, in a few words · ``broken`` where it broke · ``fold`` makes
long stories short · ``model`` the ladder itself · ``text`` and ``svg`` draw it.
"""

from analyzer.export.ladder.model import Ladder, Step, Verdict
from analyzer.export.ladder.story import build_ladder
from analyzer.export.ladder.svg import draw_svg
from analyzer.export.ladder.text import draw_text

__all__ = ["Ladder", "Step", "Verdict", "build_ladder", "draw_svg", "draw_text"]
