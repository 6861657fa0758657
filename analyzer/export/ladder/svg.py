"""The ladder as SVG: for reports, notebooks and pages.

Colours are ``currentColor`` and a few classes (``bad``, ``warn``, ``quiet`` for text, ``bad-line``, ``warn-line`` for strokes) that
carry a colour fit for light and dark grounds and that a page's style sheet may set anew (``svg.ladder .bad { fill: ... }``). No
script, no style attribute, nothing from elsewhere: it stands in a page under the strictest Content-Security-Policy. Text stays
text. ``title`` and ``desc`` tell the story to a screen reader.
"""

from __future__ import annotations

from analyzer.export.escape import for_html
from analyzer.export.ladder.model import MARKS, Ladder, Mark, Step
from analyzer.export.lines import cut, fill

__all__ = ["draw_svg"]

_WIDTH = 820
_CLIENT, _SERVER = 168, 804
_MIDDLE = (_CLIENT + _SERVER) // 2
_FRAME, _TIME = 72, 152
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, Liberation Mono, monospace"
_SIGN = 7.25
"""Width of a sign at 12 px in those fonts."""
_LANE = int((_SERVER - _CLIENT - 40) / _SIGN)
_SMALL = int((_SERVER - _CLIENT - 60) / (_SIGN * 11 / 12))
_DASHES: dict[str, str] = {"forged": "8 3 2 3", "lost": "2 5", "sent again": "10 4", "inferred": "3 3", "encrypted": "6 3", "decrypted": ""}
_ORDER: tuple[Mark, ...] = ("forged", "lost", "sent again", "inferred", "encrypted", "decrypted")
_STANDALONE = (
    "<style>svg{color:#1f2328;background:#fff}.bad{fill:#b42318}.warn{fill:#8a5a00}.quiet{fill:#59636e;fill-opacity:1}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}.bad{fill:#ff8a80}.warn{fill:#e3b341}.quiet{fill:#9da7b1}"
    ".bad-line{stroke:#ff8a80}.warn-line{stroke:#e3b341}}</style>"
)


def draw_svg(ladder: Ladder, *, identity: str = "", standalone: bool = False) -> str:
    """The ladder as one ``svg`` element. ``identity`` makes its ids unique on a page (letters, digits, hyphens).

    ``standalone``: a file of its own, with its own colours for light and dark.
    """
    return _Drawing(ladder, identity or f"stream-{ladder.stream}", standalone).svg()


class _Drawing:
    def __init__(self, ladder: Ladder, identity: str, standalone: bool) -> None:
        self._ladder, self._identity, self._standalone = ladder, identity, standalone
        self._parts: list[str] = []
        self._y = 0.0

    def svg(self) -> str:
        ladder, identity = self._ladder, self._identity
        self._head()
        top = self._y
        for step in ladder.steps:
            self._draw(step)
        bottom = self._y + 6
        self._y = bottom
        self._legend()
        lifelines = "".join(f'<path d="M{x} {top:g}V{bottom:g}" stroke-opacity=".45"/>' for x in (_CLIENT, _SERVER))
        height = round(self._y + 8)
        described = for_html(_tell(ladder))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
            f'role="img" aria-labelledby="{identity}-title" aria-describedby="{identity}-desc" '
            f'font-family="{_FONT}" font-size="12" fill="currentColor" stroke-width="1.5">'
            f'<title id="{identity}-title">{for_html(ladder.title)}</title><desc id="{identity}-desc">{described}</desc>'
            f"{_STANDALONE if self._standalone else ''}"
            f'<g fill="none" stroke="currentColor">{lifelines}</g>{"".join(self._parts)}</svg>'
        )

    def _text(self, x: float, y: float, text: str, *, anchor: str = "", look: str = "", small: bool = False, bold: bool = False) -> None:
        fill = {"bad": ' fill="#d1372c"', "warn": ' fill="#a86f00"', "quiet": ' fill-opacity=".75"'}.get(look, "")
        attributes = (
            (f' class="{look}"{fill}' if look else "")
            + (f' text-anchor="{anchor}"' if anchor else "")
            + (' font-size="11"' if small else "")
            + (' font-weight="600"' if bold else "")
        )
        self._parts.append(f'<text x="{x:g}" y="{y:g}"{attributes}>{for_html(text)}</text>')

    def _head(self) -> None:
        ladder = self._ladder
        room = _LANE // 2
        self._text(_FRAME, 16, "frame", anchor="end", look="quiet", small=True)
        self._text(_TIME, 16, "ms", anchor="end", look="quiet", small=True)
        self._text(_CLIENT, 16, "client", bold=True)
        self._text(_SERVER, 16, "server", anchor="end", bold=True)
        self._text(_CLIENT, 31, cut(ladder.client, room), look="quiet", small=True)
        self._text(_SERVER, 31, cut(ladder.server, room), anchor="end", look="quiet", small=True)
        if ladder.server_name:
            self._text(_SERVER, 45, cut(ladder.server_name, _LANE), anchor="end", look="quiet", small=True)
        self._y = 52.0 if ladder.server_name else 38.0

    def _draw(self, step: Step) -> None:
        if step.from_client is None:
            self._remark(step)
        else:
            self._arrow(step)
        if step.broke:
            self._broke(step.broke)

    def _place(self, step: Step, y: float) -> None:
        """Frame and time, at the left."""
        frames = step.frames + ("*" if step.evidence else "")
        if frames:
            self._text(_FRAME, y, frames, anchor="end", small=True)
        if step.at is not None:
            self._text(_TIME, y, f"{step.at / 1e6:.3f}", anchor="end", look="quiet", small=True)

    def _remark(self, step: Step) -> None:
        if step.broke == step.title:
            return
        self._y += 6
        for index, line in enumerate(fill(step.title, _SMALL)):
            self._y += 14
            if index == 0:
                self._place(step, self._y)
            self._text(_MIDDLE, self._y, line, anchor="middle", look="warn" if step.kind in ("icmp", "note") else "quiet", small=True)
        self._y += 4

    def _arrow(self, step: Step) -> None:
        client = bool(step.from_client)
        near, anchor = (_CLIENT + 14, "") if client else (_SERVER - 14, "end")
        telling = next((mark for mark in _ORDER if mark in step.marks), "")
        odd = telling in ("forged", "lost", "sent again")
        look = "bad" if step.broke else "warn" if odd else ""
        self._y += 20
        self._place(step, self._y + 9)
        self._text(near, self._y, cut(step.label, _LANE), anchor=anchor, look=look, bold=step.kind in ("tls", "plain", "dialogue"))
        self._y += 6
        self._stroke(client, self._y, telling, step)
        lines = [line for text in step.details for line in fill(text, _SMALL, "  ")]
        if lines:
            self._y += 1
        for line in lines:
            self._y += 13
            self._text(near, self._y, line, anchor=anchor, look="quiet", small=True)

    def _stroke(self, client: bool, y: float, telling: str, step: Step) -> None:
        start, end = (_CLIENT, _SERVER) if client else (_SERVER, _CLIENT)
        way = 1 if client else -1
        dash = _DASHES.get(telling, "")
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        odd = telling in ("forged", "lost", "sent again")
        look, colour = ("bad", "#d1372c") if step.broke else ("warn", "#a86f00") if odd else ("", "currentColor")
        colour = f' class="{look}-line" stroke="{colour}"' if look else f' stroke="{colour}"'
        if "lost" in step.marks:
            end = start + way * round((_SERVER - _CLIENT) * 0.8)
            cross = f'<path d="M{end - 5} {y - 5:g}l10 10m0 -10l-10 10"{colour} fill="none"/>'
            self._parts.append(f'<path d="M{start} {y:g}H{end - way * 10}"{colour}{dashes}/>{cross}')
            return
        double = (
            f'<path d="M{start} {y - 2:g}H{end - way * 8}" stroke="currentColor" stroke-opacity=".5"/>' if telling == "decrypted" else ""
        )
        tip = f' class="{look}"' if look else ""
        head = f'<path d="M{end - way} {y:g}l{-8 * way} -4v8z"{tip}/>'
        self._parts.append(f'<path d="M{start} {y:g}H{end - way * 8}"{colour}{dashes}/>{double}{head}')

    def _broke(self, says: str) -> None:
        self._y += 10
        self._parts.append(
            f'<path d="M{_CLIENT} {self._y:g}H{_SERVER}v22H{_CLIENT}z" class="bad" fill="#d1372c" fill-opacity=".14" stroke="none"/>'
        )
        self._text(_MIDDLE, self._y + 15, cut(f"✗ broke here: {says}", _LANE), anchor="middle", look="bad", bold=True)
        self._y += 24

    def _legend(self) -> None:
        ladder = self._ladder
        self._y += 8
        if any(step.evidence for step in ladder.steps):
            self._legend_line("", "* a frame that the evidence names")
        for mark in ladder.marks:
            self._legend_line(mark, f"{mark}: {MARKS[mark]}")
        if ladder.folded:
            self._legend_line("", f"{ladder.folded:,} steps are folded")

    def _legend_line(self, mark: str, text: str) -> None:
        self._y += 14
        if mark:
            dash = f' stroke-dasharray="{_DASHES[mark]}"' if _DASHES[mark] else ""
            double = f"M{_TIME - 34} {self._y - 6:g}h40" if mark == "decrypted" else ""
            self._parts.append(f'<path d="M{_TIME - 34} {self._y - 4:g}h40{double}" stroke="currentColor" fill="none"{dash}/>')
        self._text(_CLIENT, self._y, text, look="quiet", small=True)


def _tell(ladder: Ladder) -> str:
    """The story in sentences."""
    told = []
    for step in ladder.steps:
        if step.from_client is None:
            told.append(f"{step.title}.")
        else:
            frame = f"frame {step.frames}, " if step.frame else ""
            who = "client to server" if step.from_client else "server to client"
            told.append(f"{frame}{who}: {step.label}.")
        if step.broke and step.broke != step.title:
            told.append(f"Broke here: {step.broke}.")
    return " ".join(told)
