"""The legal order of messages as pictures: messages from top to bottom, an arc for each pair that may follow.

Arcs on the right go on, arcs on the left go back. One colour that shows on light and on dark ground; text is ``currentColor``
inside a page and grey on its own.
"""

from __future__ import annotations

from analyzer.tls.order import AFTER, BEGIN

__all__ = ["draw_all", "name"]

ROW, MIDDLE, WIDTH, BOX = 34, 300, 600, 176
INK, GROUND, LINE = "#5d6b7a", "#8b98a5", "#3f7fc1"


def name(tls13: bool, from_client: bool) -> str:
    """'tls13-client': part of the file's name."""
    return f"{'tls13' if tls13 else 'tls12'}-{'client' if from_client else 'server'}"


def draw_all() -> dict[str, str]:
    """Every picture by name."""
    return {name(*key): draw(after, f"{name(*key)}") for key, after in AFTER.items()}


def draw(after: dict[str, frozenset[str]], title: str) -> str:
    """One side's messages as SVG."""
    kinds = [BEGIN, *after]
    place = {kind: index for index, kind in enumerate(kinds)}
    height = ROW * len(kinds) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="order of messages, {title}">',
        f'<g fill="none" stroke="{LINE}" stroke-width="1.3" stroke-opacity="0.75">',
    ]
    heads = []
    for kind, allowed in after.items():
        for before in sorted(allowed, key=lambda other: place.get(other, 0)):
            if before not in place:
                continue
            arc, head = _arc(place[before], place[kind])
            parts.append(arc)
            heads.append(head)
    parts.append(f'</g><g fill="{LINE}">{"".join(heads)}</g>')
    for kind in kinds:
        y = _y(place[kind])
        parts.append(
            f'<rect x="{MIDDLE - BOX // 2}" y="{y - 12}" width="{BOX}" height="24" rx="5" fill="none" stroke="{GROUND}"/>'
            f'<text x="{MIDDLE}" y="{y + 4}" text-anchor="middle" font-family="ui-monospace, monospace" font-size="12" '
            f'fill="{INK}">{kind}</text>'
        )
    return "".join(parts) + "</svg>\n"


def _y(index: int) -> int:
    return 20 + ROW * index


def _arc(begin: int, end: int) -> tuple[str, str]:
    """From the side of one box to the side of another; on to the right, back and again to the left."""
    right = end > begin
    x = MIDDLE + (BOX // 2 if right else -BOX // 2)
    sign = 1 if right else -1
    shift = 4 if right else -4
    y1, y2 = _y(begin) + shift, _y(end) - shift
    if begin == end:
        y1, y2 = _y(begin) + 7, _y(begin) - 7
    reach = x + sign * (14 + 16 * abs(end - begin))
    reach = max(min(reach, WIDTH - 6), 6)
    arc = f'<path d="M{x} {y1}C{reach} {y1} {reach} {y2} {x + sign * 5} {y2}"/>'
    head = f'<path d="M{x} {y2}l{sign * 7} -3.5v7z"/>'
    return arc, head
