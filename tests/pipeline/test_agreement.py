"""Our reading beside tshark's: it agrees on what was recorded, and a difference is found wherever it is put."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from analyzer.errors import SourceError
from analyzer.model.options import Options
from analyzer.pipeline.agreement import compare_readings, verify
from analyzer.pipeline.run import Run
from analyzer.sources.dissection import DissectedAlert
from analyzer.sources.tshark import read_dissection

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "captures"
CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", ROOT.parent / "shared" / "corpus"))

SAMPLED = 60
_ALL = sorted(path.parent.name for path in CAPTURES.glob("*/capture.pcapng"))
_STEP = max(len(_ALL) // SAMPLED, 1)


@pytest.mark.parametrize("name", _ALL[::_STEP])
def test_agrees_on_a_recorded_capture(name):
    folder = CAPTURES / name
    keylog = folder / "keys.log"
    agreement = verify(str(folder / "capture.pcapng"), Options(keylog=str(keylog) if keylog.exists() else None))
    assert [str(each) for each in agreement.disagreements] == []
    assert agreement.handshakes


_OTHERS = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*.pcap*")) if CORPUS.is_dir() else []
_REFUSED_BY_TSHARK = {"suricata-verify/tests/bug-1450-04/tls_DER-incomplete-header.pcap"}


@pytest.mark.skipif(not _OTHERS, reason="no corpus of others' captures here")
@pytest.mark.parametrize("name", [name for name in _OTHERS if name not in _REFUSED_BY_TSHARK][::12])
def test_agrees_on_others_captures(name):
    assert [str(each) for each in verify(str(CORPUS / name)).disagreements] == []


@pytest.fixture(scope="module")
def readings():
    path = CAPTURES / "cert-expired--curl-nginx-tls12" / "capture.pcapng"
    run = Run([str(path)])
    handshakes = list(run.handshakes())
    flows = {row["stream"]: row["first_frame"] for row in run.flow_rows(set())}
    return handshakes, flows, list(read_dissection(str(path)))


def test_the_two_readings_agree_before_anything_is_changed(readings):
    agreement = compare_readings("c", *readings)
    assert agreement.disagreements == []
    assert agreement.messages >= 4
    assert agreement.connections == len(readings[1]) == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: f._replace(handshake_types=f.handshake_types[1:]) if f.handshake_types else f, "messages of the"),
        (lambda f: f._replace(handshake_types=(*f.handshake_types, 20)) if f.handshake_types else f, "messages of the"),
        (lambda f: f._replace(alerts=tuple(DissectedAlert(2, 40) for _ in f.alerts)), "messages of the client"),
        (lambda f: f._replace(source_port=f.destination_port, destination_port=f.source_port), "messages of the"),
        (lambda f: f._replace(number=f.number + 1) if f.handshake_types else f, "messages of the"),
        (lambda f: f._replace(server_names=("other.example",)) if f.server_names else f, "server name"),
        (lambda f: f._replace(cipher_suite=0x1301) if f.cipher_suite else f, "cipher suite"),
        (lambda f: f._replace(version=0x0301) if f.version else f, "version"),
        (lambda f: f._replace(stream=f.stream + 1), "number of the stream"),
    ],
)
def test_a_difference_is_found(readings, change, what):
    handshakes, flows, frames = readings
    agreement = compare_readings("c", handshakes, flows, [change(frame) for frame in frames])
    assert any(each.what.startswith(what) for each in agreement.disagreements), agreement.disagreements


def test_tls_that_only_tshark_sees_is_a_difference(readings):
    _, flows, frames = readings
    assert [each.what for each in compare_readings("c", [], flows, frames).disagreements] == ["TLS"]


def test_works_inside_a_running_event_loop():
    path = CAPTURES / "cert-expired--curl-nginx-tls12" / "capture.pcapng"

    async def read() -> int:
        return sum(1 for _ in read_dissection(str(path)))

    assert asyncio.run(read()) > 4


def test_a_reading_may_be_left_in_the_middle():
    frames = read_dissection(str(CAPTURES / "cert-expired--curl-nginx-tls12" / "capture.pcapng"))
    assert next(frames).number == 1
    frames.close()


def test_what_is_no_capture_is_said_in_one_line(tmp_path):
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"this is no capture at all, and long enough to be read")
    with pytest.raises(SourceError) as said:
        list(read_dissection(str(bad)))
    assert "\n" not in str(said.value)
    with pytest.raises(SourceError):
        list(read_dissection(str(tmp_path)))


_NAMES = [b"a\x01b.test", b"<script>x</script>", b"\xff\xfe.test", "\u00fcn\u00ef.test".encode(), b"x" * 250, b"a\x1b[31m", b"back\\slash",
          b'"quote&amp;', b"", b"a b.test", b"end\0ing"]  # fmt: skip


def test_agrees_on_names_that_are_hostile(tmp_path):
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw
    from scapy.utils import wrpcap

    def hello(name):
        listed = b"\0" + len(name).to_bytes(2, "big") + name
        extension = b"\0\0" + (len(listed) + 2).to_bytes(2, "big") + len(listed).to_bytes(2, "big") + listed
        body = b"\3\3" + bytes(range(32)) + b"\0\0\2\x13\x01\1\0" + len(extension).to_bytes(2, "big") + extension
        message = b"\1" + len(body).to_bytes(3, "big") + body
        return b"\x16\3\1" + len(message).to_bytes(2, "big") + message

    client = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.1", dst="192.0.2.2")
    frames = []
    for number, name in enumerate(_NAMES):
        port = 40_000 + number
        frames += [
            client / TCP(sport=port, dport=443, flags="S", seq=1),
            client / TCP(sport=port, dport=443, flags="PA", seq=2, ack=1) / Raw(hello(name)),
        ]
    wrpcap(str(tmp_path / "names.pcap"), frames)
    agreement = verify(str(tmp_path / "names.pcap"))
    assert [str(each) for each in agreement.disagreements] == []
    assert agreement.messages == len(_NAMES)
