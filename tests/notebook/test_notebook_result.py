"""What Python and notebooks are handed: explanations, packets, charts, comparisons, and how things show themselves."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import analyzer
from analyzer.errors import SourceError, UsageError
from analyzer.model.finding import Evidence, Finding

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "captures"
EXPIRED = CAPTURES / "cert-expired--curl-nginx-tls12" / "capture.pcapng"
COMPLETED = CAPTURES / "completed--curl-nginx-tls13" / "capture.pcapng"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b", "\x1b[31mred", "'; alert(1) //"]


@pytest.fixture(scope="module")
def result():
    return analyzer.analyze([str(EXPIRED), str(COMPLETED)])


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs
        if tag not in ("br", "img", "hr", "meta", "link", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _tags(html):
    parser = _Tags()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser.tags


def test_explains_one_handshake_as_text_and_as_a_picture(result):
    story = result.explain(0)
    assert "cert-expired" in str(story)
    assert repr(story) == str(story)
    assert "svg" in _tags(story._repr_html_())
    assert story.svg().startswith("<svg")
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=100).print(story)
    assert "cert-expired" in out.getvalue()


def test_the_same_stream_of_another_capture(result):
    assert result.explain(0, 1).handshake.outcome == "completed"
    assert result.explain(0, str(COMPLETED)).handshake.outcome == "completed"
    with pytest.raises(UsageError):
        result.explain(0, 2)
    with pytest.raises(UsageError):
        result.explain(99)


def test_packets_are_the_frames_of_that_connection(result):
    packets = result.packets(0)
    flow = result[0].flow
    from scapy.layers.inet import TCP
    from scapy.utils import rdpcap

    assert [packet.number for packet in packets] == list(range(flow.first_frame, flow.last_frame + 1))
    assert all({packet[TCP].sport, packet[TCP].dport} == {flow.client_port, flow.server_port} for packet in packets)
    recorded = list(rdpcap(str(EXPIRED)))
    assert [bytes(packet) for packet in packets] == [bytes(recorded[packet.number - 1]) for packet in packets]
    assert [round(float(packet.time), 6) for packet in packets] == [round(float(recorded[p.number - 1].time), 6) for p in packets]


def test_packets_of_one_among_many(tmp_path):
    """Two connections of one capture, one in IPv6 if there is one: none takes frames of the other."""
    many = CAPTURES / "completed--gnutls-gnutls-tls12-resumed" / "capture.pcapng"
    if not many.exists():
        pytest.skip("recorded under another name now")
    result = analyzer.analyze(str(many))
    numbers = [{packet.number for packet in result.packets(handshake.flow.stream)} for handshake in result]
    assert len(numbers) > 1
    assert not set.intersection(*numbers)


def test_a_pipe_cannot_be_read_again():
    with EXPIRED.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", "import analyzer; analyzer.analyze('-').packets(0)"], stdin=file, capture_output=True, check=False
        )
    assert b"SourceError" in done.stderr


def test_scapy_is_loaded_only_for_packets():
    code = f"import sys, analyzer; r = analyzer.analyze({str(EXPIRED)!r}); str(r.explain(0)); r._repr_html_(); print('scapy' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "False"]


def test_charts(result):
    for chart in (result.chart.causes(), result.chart.timeline(), result.chart.versions(), result.chart.cipher_suites()):
        assert chart.to_dict()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert "causes()" in repr(result.chart)


def test_compares_streams_and_handshakes(result):
    comparison = result.compare(result.find(0, 1), result.find(0, 0))
    assert "cert-expired" in comparison.sentence
    assert "cert-expired" in comparison._repr_html_()
    assert result.compare(0, 0).differences == []


def test_every_public_object_shows_itself(result):
    handshake = result[0]
    for thing in (result, result.totals, handshake, handshake.finding, result.explain(0), result.compare(0, 0), result.chart):
        assert _tags(thing._repr_html_())
        assert len(repr(thing)) < 20_000
    assert "cert-expired" in repr(handshake)
    assert "\n" not in repr(handshake)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_off_the_wire_is_escaped(text):
    result = analyzer.analyze([str(EXPIRED), str(COMPLETED)])
    handshake = result[0]
    handshake.client_hello.server_name = text
    handshake.finding = Finding("cert-expired", "likely", text, [Evidence(4, text), Evidence(None, text)], remedy=text, confirm=[text])
    other = result.find(0, 1)
    for thing in (result, handshake, handshake.finding, result.explain(0), result.compare(other, handshake)):
        html = thing._repr_html_()
        assert text not in html
        assert not {"script", "img"} & set(_tags(html))
        assert "\x1b" not in html
    assert "\x1b" not in str(result.explain(0))
    assert "\x1b" not in repr(handshake)


def test_options_choose_what_is_kept(result):
    both = [EXPIRED, COMPLETED]

    def outcomes(**wanted):
        return sorted(analyzer.analyze(both, **wanted).handshakes["outcome"])

    assert outcomes(failed_only=True) == outcomes(cause="cert-*") == outcomes(server="server.test", cause="cert-expired") == ["failed"]
    assert outcomes(until=5) == outcomes(since="2999-01-01") == outcomes(server="elsewhere") == []
    began = result.handshakes["first_seen"]
    assert outcomes(since=began.min(), until=began.max()) == list(result.handshakes["outcome"][began == began.min()])
    assert outcomes(since=began.max().isoformat()[:19]) == list(result.handshakes["outcome"][began == began.max()])
    chosen = analyzer.analyze(both, failed_only=True)
    assert "1 chosen of 2 handshakes" in repr(chosen)
    assert list(chosen.flows["protocol"]) == ["tls", "tls"]  # what was not chosen is no less TLS
    for wrong, says in (({"cause": "cert-expird"}, "cert-expired"), ({"failed": True}, "failed_only"), ({"since": "soon"}, "no time")):
        with pytest.raises(UsageError, match=says):
            analyzer.analyze(both, **wrong)


def test_the_collector_is_left_as_it_was(tmp_path):
    before = gc.get_threshold()
    assert len(analyzer.analyze(EXPIRED).handshakes) == 1
    with pytest.raises(SourceError):
        analyzer.analyze(tmp_path / "none.pcap")
    assert gc.get_threshold() == before
    gc.set_threshold(0)
    try:
        analyzer.analyze(EXPIRED)
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_captures_come_in_any_kind_of_collection():
    paths = [EXPIRED, COMPLETED]
    for several in (iter(paths), set(paths), dict.fromkeys(paths), CAPTURES.glob("c*-curl-nginx-tls12/capture.pcapng")):
        assert len(analyzer.analyze(several)) >= 2


def test_what_cannot_be_read_is_an_error(tmp_path):
    for wanted in ({"ca_file": tmp_path / "none.pem"}, {"keylog": tmp_path / "none.log"}):
        with pytest.raises(SourceError, match=r"none\."):
            analyzer.analyze(EXPIRED, **wanted)


def test_nothing_to_show_is_shown_too(tmp_path):
    import struct

    empty = tmp_path / "empty.pcap"
    empty.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    result = analyzer.analyze(str(empty))
    assert "0 TLS attempts" in result._repr_html_()
    assert result.chart.causes().to_dict()
    with pytest.raises(UsageError):
        result.packets(0)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="listening to an interface needs root")
def test_what_watches_shows_itself_and_explains():
    with analyzer.sniff("lo", duration=0.3) as watch:
        assert "Watching <strong>lo</strong>" in watch._repr_html_()
        list(watch)
        story = watch.explain(analyzer.analyze(str(EXPIRED))[0])
    assert "Stream 0 of lo" in str(story)
