"""The two drawings of a ladder: lines of text and SVG."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ladder_stories import HOSTILE, recorded, refused
from rich.console import Console

from analyzer.export.escape import UNSAFE
from analyzer.export.ladder import Ladder, build_ladder, draw_svg, draw_text
from analyzer.export.ladder.text import plain
from analyzer.export.lines import display_width
from analyzer.model.finding import Finding

CAUSES = ("cert-expired", "no-common-cipher", "starttls-refused", "client-hello-unacked", "completed", "tls-on-plaintext-port")
SVG = "{http://www.w3.org/2000/svg}"


def lanes(ladder: Ladder, width: int = 80, sign: str = "│", **wanted: bool) -> list[str]:
    return [line for line in map(plain, draw_text(ladder, width, **wanted)) if sign in line or "broke here" in line]


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_rung_is_exactly_as_wide_as_asked(cause: str, width: int) -> None:
    handshakes, captures = recorded(cause)
    for handshake in handshakes:
        drawn = lanes(build_ladder(handshake, captures), width)
        assert drawn
        assert {display_width(line) for line in drawn} == {width}


@pytest.mark.parametrize("width", [60, 80, 100])
def test_what_stands_beneath_is_no_wider_either(width: int) -> None:
    handshake = refused()
    handshake.also = [Finding(f"some-other-cause-{n}", "likely", "") for n in range(12)]
    lines = [plain(line) for line in draw_text(build_ladder(handshake, ["a.pcap"]), width)]
    also = lines[next(place for place, line in enumerate(lines) if line.startswith("Also: ")) :]
    assert len(also) > 4
    assert max(map(len, also)) <= width


@settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=80))
def test_no_name_breaks_the_lifelines_or_the_terminal(name: str, protocol: str) -> None:
    handshake = refused(name)
    assert handshake.client_hello is not None
    handshake.client_hello.alpn = (protocol,)
    handshake.alpn = protocol
    ladder = build_ladder(handshake, [name])
    for line in map(plain, draw_text(ladder)):
        assert not UNSAFE.search(line)
    # every rung ends at the same column; signs of no or double width are told by the same measure as everywhere
    assert len({display_width(line) for line in lanes(ladder)}) == 1


def test_marks_are_words_and_strokes_not_colours_alone() -> None:
    handshakes, captures = recorded("client-hello-unacked")
    text = str(build_ladder(handshakes[-1], captures))
    assert "[sent again" in text
    assert "sent again: the same bytes as before" in text
    assert "\x1b" not in text


def test_where_it_broke_stands_beneath_its_arrow_and_the_verdict_beneath_all() -> None:
    text = str(build_ladder(refused(), ["a.pcap"]))
    order = ["ClientHello", "FIN", "broke here: the server closed", "failed: server-fin-after-hello (likely)", "Evidence", "frame 4:",
             "Remedy", "Confirm", "openssl s_client", "Wireshark: tcp.stream == 0"]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_ascii_where_the_output_knows_no_more() -> None:
    drawn = "\n".join(map(plain, draw_text(build_ladder(refused(), ["a.pcap"]), ascii_only=True)))
    assert drawn.isascii()
    assert "|-- ClientHello" in drawn


def test_rich_draws_the_same_words() -> None:
    ladder = build_ladder(refused(), ["a.pcap"])
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="standard", legacy_windows=False).print(ladder)
    painted = file.getvalue()
    assert "\x1b[1;31m" in painted
    bare = re.sub(r"\x1b\[[0-9;]*m", "", painted)
    assert [line.rstrip() for line in bare.splitlines()] == str(ladder).splitlines()


@pytest.mark.parametrize("cause", CAUSES)
def test_svg_is_well_formed_and_tells_its_story(cause: str) -> None:
    handshakes, captures = recorded(cause)
    for handshake in handshakes:
        ladder = build_ladder(handshake, captures)
        root = ET.fromstring(draw_svg(ladder))
        assert root.find(f"{SVG}title").text == ladder.title
        described = root.find(f"{SVG}desc").text or ""
        texts = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
        for step in ladder.steps:
            if step.from_client is not None:
                assert step.title in described
                assert step.title[:40] in texts
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))


def test_svg_needs_no_style_and_nothing_from_elsewhere() -> None:
    drawn = draw_svg(build_ladder(refused(), ["a.pcap"]))
    for forbidden in ("<style", "style=", "<script", "href", "url(", "<image", "<foreignObject"):
        assert forbidden not in drawn
    assert draw_svg(build_ladder(refused(), []), standalone=True).count("<style>") == 1


def test_hostile_names_stay_text_in_svg_and_html() -> None:
    handshake = refused(HOSTILE)
    handshake.alpn = HOSTILE
    ladder = build_ladder(handshake, [HOSTILE])
    root = ET.fromstring(draw_svg(ladder))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "title", "desc", "g", "path", "text"}
    page = ladder._repr_html_()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    ET.fromstring(page.replace("<br>", "<br/>"))


def test_ids_can_be_told_apart_on_one_page() -> None:
    ladder = build_ladder(refused(), ["a.pcap"])
    assert 'id="x1-title"' in draw_svg(ladder, identity="x1")
    assert draw_svg(ladder, identity="x1") != draw_svg(ladder, identity="x2")
