"""What may be named, and what is said about what cannot be read."""

from __future__ import annotations

import gzip
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from capture_building import pcap, pcapng, rows, same, some_frames, write

from analyzer.errors import CaptureFormatError, SourceError, UsageError
from analyzer.sources import open_source


def test_a_folder_gives_the_captures_in_it_and_below_sorted_and_nothing_else(tmp_path: Path) -> None:
    frames = some_frames(9)
    write(tmp_path, "b.pcap", pcap(frames[3:6]))
    write(tmp_path, "c-without-suffix", pcapng(frames[6:]))
    write(tmp_path, "a.pcap.gz", gzip.compress(pcap(frames[:3])))
    write(tmp_path, "notes.txt", b"not a capture")
    write(tmp_path, "keys.log", b"CLIENT_RANDOM 00 11\n")
    write(tmp_path, ".hidden.pcap", pcap(frames))
    for folder, name in (("inner", "d.pcap"), (".hidden", "e.pcap")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, name, pcap(some_frames(2, 1_800_000_000)))
    (tmp_path / "inner" / "again").symlink_to(tmp_path)
    frames += some_frames(2, 1_800_000_000)
    with open_source(str(tmp_path)) as source:
        read = list(rows(source))
    assert same(read, frames)
    assert [Path(name).name for name in source.captures] == ["a.pcap.gz", "b.pcap", "c-without-suffix", "d.pcap"]
    assert [(row.capture, row.number) for row in read] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 1),
        (3, 2),
    ]
    assert source.warnings == []
    assert source.position == source.size


def test_what_a_folder_or_glob_cannot_give_is_left_out_with_a_warning(tmp_path: Path) -> None:
    frames = some_frames(4)
    write(tmp_path, "1.pcap", pcap(frames[:2]))
    write(tmp_path, "2.pcap", b"plain words")
    write(tmp_path, "3.pcap", b"")
    write(tmp_path, "4.pcap", pcap(frames[2:]))
    for named in (str(tmp_path), str(tmp_path / "*.pcap")):
        with open_source(named) as source:
            assert same(rows(source), frames)
        assert [line.split(": ", 1)[1] for line in source.warnings] == [
            "is not a capture, it is text; left out",
            "is empty: there is not even a capture's header in it",
        ]


def test_a_list_mixes_all_kinds(tmp_path: Path) -> None:
    frames = some_frames(8)
    one = tmp_path / "folder"
    one.mkdir()
    write(one, "x.pcap", pcap(frames[:2]))
    two = write(tmp_path, "two.pcapng", pcapng(frames[2:4]))
    with fsspec.open("memory://captures/three.pcap", "wb") as file:
        file.write(gzip.compress(pcap(frames[4:6])))
    four = (tmp_path / "four").open("w+b")
    four.write(pcap(frames[6:]))
    four.seek(0)
    with four, open_source([one, two, "memory://captures/thr*.pcap", four]) as source:
        assert same(rows(source), frames)
        assert len(source.captures) == 4


def test_a_url(tmp_path: Path) -> None:
    frames = some_frames(5)
    path = write(tmp_path, "a.pcap", pcap(frames))
    with open_source(f"file://{path}") as source:
        assert source.size == Path(path).stat().st_size
        assert same(rows(source), frames)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a server that has the files of the test's folder; of ``cut-*`` it sends half."""

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def copyfile(self, source: Any, outputfile: Any) -> None:
            content = source.read()
            outputfile.write(content[: len(content) // 2] if "cut-" in self.path else content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_web_needs_no_other_library(tmp_path: Path, web: str) -> None:
    frames = some_frames(400)
    path = write(tmp_path, "a.pcap", pcap(frames))
    write(tmp_path, "b.pcap.gz", gzip.compress(pcap(frames[:9])))
    with open_source(f"{web}/a.pcap?token=1") as source:
        assert source.size == Path(path).stat().st_size
        assert same(rows(source), frames)
        assert source.warnings == []
    with open_source(f"{web}/b.pcap.gz") as source:
        assert same(rows(source), frames[:9])


def test_what_the_web_cannot_give_is_one_line(tmp_path: Path, web: str) -> None:
    write(tmp_path, "cut-a.pcap", pcap(some_frames(400)))
    with open_source(f"{web}/cut-a.pcap") as source:
        assert 0 < len(list(rows(source))) < 400
        assert "reading ended after" in source.warnings[0]
    with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:[0-9]+/none\.pcap: the server answers 404 File not found$"):
        open_source(f"{web}/none.pcap")
    for nowhere in ("http://127.0.0.1:1/x.pcap", "http://[/x.pcap", "https://", "http://a b/x.pcap"):
        with pytest.raises(SourceError) as caught:
            open_source(nowhere)
        assert "\n" not in str(caught.value)


def zipped(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.pcap", pcap(some_frames(3)))
    return (tmp_path / "x.zip").read_bytes()


REFUSED = [
    (b"\xd4\xc3", "is not a capture"),
    ("Ünïcode text, quite long. ".encode() * 40, "is not a capture, it is text"),
    (b"CLIENT_RANDOM 00 11\n", "--keylog"),
    (b"-----BEGIN CERTIFICATE-----\n", "a PEM file"),
    (b"snoop\0\0\0\0\0\0\2\0\0\0\4", "looks like a snoop capture, which --reader tshark may read"),
    (gzip.compress(gzip.compress(pcap([]))), "is gzip inside gzip: unpack it first"),
    (gzip.compress(b"words"), "is not a capture, it is text inside gzip"),
    (b"\x1f\x8b", "gzip data is cut short"),
    (b"\x1f\x8bnonsense, all of it", "gzip data is damaged"),
    (b"\x0a\x0d\x0d\x0a\x1c\0\0\0....................", "has no byte order mark"),
    (b"\x0a\x0d\x0d\x0a\x03\0\0\0\x4d\x3c\x2b\x1a............", "claims a length of 3 bytes"),
    (bytes(range(128, 256)), "neither pcap nor pcapng"),
]


@pytest.mark.parametrize(("content", "says"), REFUSED, ids=[each[1] for each in REFUSED])
def test_what_is_no_capture_is_named_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = write(tmp_path, "given.bin", content)
    with pytest.raises(CaptureFormatError) as caught:
        open_source(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_zip_is_named(tmp_path: Path) -> None:
    for content, says in (
        (zipped(tmp_path), "a zip archive"),
        (gzip.compress(zipped(tmp_path)), "a zip archive: unpack it first inside gzip"),
    ):
        with pytest.raises(CaptureFormatError, match=says[:13]):
            open_source(write(tmp_path, "a", content))


@pytest.mark.parametrize(
    "named", ["missing.pcap", "missing*.pcap", "memory://nowhere/x.pcap", "memory://nowhere/*.pcap", "nosuch://x", "null\0byte"]
)
def test_what_is_not_there_is_one_line(tmp_path: Path, named: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(named if "://" in named else str(tmp_path / named))
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)


def test_names_cannot_command_a_terminal(tmp_path: Path) -> None:
    path = write(tmp_path, "evil\x1b[2J\n.pcap", b"text")
    with pytest.raises(CaptureFormatError) as caught:
        open_source(path)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "evil\\x1b[2J\\n.pcap" in str(caught.value)


def test_folders_without_captures_and_calls_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no capture in this folder"):
        open_source(str(tmp_path))
    with pytest.raises(SourceError, match="no capture was named"):
        open_source([])
    with pytest.raises(UsageError):
        open_source("x", reader="wireshark")
    with pytest.raises(UsageError):
        open_source("x", batch_bytes=0)


def test_one_wrong_file_among_several_named_is_refused(tmp_path: Path) -> None:
    good = write(tmp_path, "good.pcap", pcap(some_frames(3)))
    with pytest.raises(CaptureFormatError, match="it is text"):
        open_source([good, write(tmp_path, "bad.pcap", b"words")])


@pytest.mark.parametrize(("content", "says"), [(b"", "is empty: "), (gzip.compress(b"", mtime=0), "is empty inside gzip: ")])
def test_an_empty_file_is_a_capture_without_frames(tmp_path: Path, content: bytes, says: str) -> None:
    """Whoever recorded was stopped before its first write."""
    with open_source(write(tmp_path, "none.pcap", content)) as source:
        assert list(rows(source)) == []
        assert len(source.warnings) == 1
        assert says in source.warnings[0]


def test_closing_early_and_twice(tmp_path: Path) -> None:
    source = open_source(write(tmp_path, "a.pcap", pcap(some_frames(100))), batch_bytes=4096)
    next(iter(source))
    source.close()
    source.close()
    assert source.position > 0


def test_importing_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    program = "import sys, analyzer.sources; print([m for m in ('fsspec','pyshark','zstandard','lz4','lzma','bz2','pandas','scapy','subprocess') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
