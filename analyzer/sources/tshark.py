"""An installed tshark, through pyshark: frames of containers not read here, and its own reading of TLS to compare with.

``open_with_tshark``: tshark converts to pcapng on its standard output, which is then read like any other; its frame
numbers stay. ``read_dissection``: tshark dissects, pyshark reads what it says. pyshark runs an event loop of its own
in a thread of its own, because it cannot work inside a running one (a notebook's).
"""

from __future__ import annotations

import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analyzer.errors import SourceError
from analyzer.sources.dissection import DissectedAlert, DissectedFrame
from analyzer.sources.origins import Origin

__all__ = ["TsharkStream", "find_tshark", "open_with_tshark", "read_dissection", "tshark_version"]


def find_tshark() -> str:
    """Return the path of tshark. Raises SourceError when none is installed."""
    from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path

    try:
        return str(get_process_path())
    except TSharkNotFoundException:
        raise SourceError("tshark is not installed (Debian: apt install tshark)") from None


def open_with_tshark(origin: Origin) -> TsharkStream:
    """Start tshark on a file or standard input. Raises SourceError."""
    if origin.file is not None or "://" in origin.path:
        raise SourceError(f"{origin.name}: --reader tshark reads files and standard input only")
    if origin.path != "-":
        # Its own words for a file that cannot be opened are better than tshark's.
        origin.open().close()
    # An absolute or dotted path cannot be taken for an option.
    path = f"./{origin.path}" if origin.path.startswith("-") and origin.path != "-" else origin.path
    return TsharkStream([find_tshark(), "-n", "-r", path, "-F", "pcapng", "-w", "-"])


class TsharkStream:
    """Standard output of a tshark, as a ``ByteStream``."""

    def __init__(self, command: list[str]) -> None:
        self.size: int | None = None
        self.is_file = False
        self.position = 0
        self.fault: str | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - close() does
        # No shell, a program found by name and a path that cannot pass for an option.
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._said, bufsize=0)  # noqa: S603 - see above

    def readinto(self, target: memoryview) -> int:
        """See ``ByteStream.readinto``."""
        output = self._process.stdout
        if output is None or output.closed:
            return 0
        count = output.readinto(target) or 0  # type: ignore[attr-defined]  # unbuffered: a raw stream
        self.position += count
        if not count and self._process.wait() and self.fault is None:
            self._said.seek(0)
            lines = self._said.read(4096).decode("utf-8", "replace").splitlines()
            said = [line for line in lines if line.startswith("tshark: ")] or lines or ["it failed"]
            self.fault = "tshark says: " + said[0].removeprefix("tshark: ")
        return int(count)

    def ready(self) -> bool:
        """See ``ByteStream.ready``: a file is being converted, waiting for more of it is short."""
        return True

    def close(self) -> None:
        """End tshark if it still runs."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()


# ---------------------------------------------------------------- its own reading

_FILTER = "tls or (tcp.flags.syn == 1 and not icmp and not icmpv6)"
_FIELDS = (
    "tcp tcp.stream tcp.flags ip ip.src ipv6 ipv6.src text "
    "tls tls.record tls.ssl2.record tls.handshake tls.alert_message tls.change_cipher_spec "
    "tls.handshake.type tls.handshake.version tls.handshake.ciphersuite tls.handshake.extension "
    "tls.handshake.extensions_server_name tls.handshake.extensions.supported_version "
    "tls.alert_message.level tls.alert_message.desc"
)  # all else stays out of its output: certificates alone would make it ten times as long
_PREFERENCES = {
    "tcp.desegment_tcp_streams": "TRUE",
    "tcp.reassemble_out_of_order": "TRUE",
    "tcp.try_heuristic_first": "TRUE",  # TLS is looked for on every port
    "tls.desegment_ssl_records": "TRUE",
    "tls.desegment_ssl_application_data": "TRUE",
}  # a user's own settings must not change the answer
_AHEAD = 512  # frames that may wait for their reader


def tshark_version() -> str:
    """Version of the installed tshark: '4.0.17'. Raises SourceError."""
    from pyshark.tshark.tshark import TSharkVersionException, get_tshark_version

    try:
        return str(get_tshark_version(find_tshark()))
    except (TSharkVersionException, OSError, subprocess.SubprocessError) as error:
        raise SourceError(f"tshark does not tell its version: {error}") from None


def read_dissection(path: str, keylog: str | None = None) -> Iterator[DissectedFrame]:
    """tshark's reading of a file: every frame in which TLS ended, and every SYN. Raises SourceError.

    ``keylog`` in SSLKEYLOGFILE format; secrets inside a pcapng are used without asking.
    """
    find_tshark()
    if not Path(path).is_file():
        raise SourceError(f"{path}: tshark reads files only")
    frames: queue.Queue[DissectedFrame | BaseException | None] = queue.Queue(_AHEAD)
    stop = threading.Event()
    thread = threading.Thread(target=_dissect, args=(path, keylog, frames, stop), name="pyshark", daemon=True)
    thread.start()
    try:
        while (frame := frames.get()) is not None:
            if isinstance(frame, BaseException):
                raise SourceError(f"{path}: tshark says: {_one_line(frame)}") from None
            yield frame
    finally:
        stop.set()
        while thread.is_alive():  # it may wait for room
            try:
                frames.get(timeout=0.05)
            except queue.Empty:
                pass
        thread.join()


def _dissect(path: str, keylog: str | None, frames: queue.Queue[Any], stop: threading.Event) -> None:
    """Body of the thread: its own event loop, in which pyshark runs tshark."""
    import asyncio

    import pyshark

    class Capture(pyshark.FileCapture):  # type: ignore[misc]  # pyshark has no types
        async def _cleanup_subprocess(self, process: Any) -> None:
            # pyshark kills at the end of the output what is about to end by itself, and takes that for a crash.
            if self._eof_reached:
                try:
                    await asyncio.wait_for(process.wait(), 10)
                except TimeoutError:
                    pass
            await super()._cleanup_subprocess(process)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    preferences = dict(_PREFERENCES) | ({"tls.keylog_file": str(Path(keylog).resolve())} if keylog else {})
    capture = None
    try:
        capture = Capture(
            str(Path(path).resolve()),  # an absolute path cannot be taken for an option
            keep_packets=False,
            display_filter=_FILTER,
            override_prefs=preferences,
            custom_parameters=["-j", _FIELDS],
            eventloop=loop,
        )
        packets = iter(capture)
        for packet in packets:
            if stop.is_set():
                packets.close()
                break
            frame = _read_packet(packet)
            if frame is not None:
                frames.put(frame)
    except Exception as error:  # whatever pyshark throws ends this reading, not the program
        if not stop.is_set() and "cut short" not in str(error):
            frames.put(error)
    finally:
        if capture is not None:
            for process in capture._running_processes:
                if process.returncode is None:
                    process.kill()
                loop.run_until_complete(process.wait())
            capture._running_processes.clear()  # else its __del__ would run the loop again
            loop.run_until_complete(asyncio.gather(*capture._stderr_handling_tasks))
        loop.close()
        asyncio.set_event_loop(None)
        frames.put(None)


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("Last error line: ")]
    return (said or lines or [type(error).__name__])[0].removeprefix("Last error line: ").removeprefix("tshark: ")


def _read_packet(packet: Any) -> DissectedFrame | None:
    """A pyshark packet as numbers; None without TCP."""
    source, tcp, types, unread, alerts, specs = "", None, [], 0, [], 0
    names: list[str] = []
    suite = version = None
    for layer in packet.layers:
        name = layer.layer_name
        if name in ("ip", "ipv6"):
            source = _first(layer, f"{name}.src") or source
        elif name == "tcp":
            tcp = layer
        elif name == "tls":
            found = [int(value, 0) for value in _all(layer, "tls.handshake.type")]
            types += found
            unread += sum("Encrypted Handshake" in field.showname for field in _fields(layer, "tls.handshake"))
            levels, descriptions = _all(layer, "tls.alert_message.level"), _all(layer, "tls.alert_message.desc")
            plain = [DissectedAlert(int(level, 0), int(what, 0)) for level, what in zip(levels, descriptions, strict=False)]
            alerts += plain
            alerts += [DissectedAlert(None, None)] * (len(_fields(layer, "tls.alert_message")) - len(plain))
            specs += len(_fields(layer, "tls.change_cipher_spec"))
            names += [_text(field.raw_value) for field in _fields(layer, "tls.handshake.extensions_server_name")]
            if 2 in found or 6 in found:
                suite = _number(_first(layer, "tls.handshake.ciphersuite"))
                version = _number(_first(layer, "tls.handshake.extensions.supported_version") or _first(layer, "tls.handshake.version"))
    if tcp is None or (stream := _first(tcp, "tcp.stream")) is None:
        return None
    flags = _number(_first(tcp, "tcp.flags")) or 0
    return DissectedFrame(
        int(packet.number),
        int(stream),
        source,
        int(_first(tcp, "tcp.srcport") or 0),
        int(_first(tcp, "tcp.dstport") or 0),
        bool(flags & 2),
        tuple(types),
        unread,
        tuple(alerts),
        specs,
        tuple(names),
        suite,
        version,
    )


def _fields(layer: Any, name: str) -> list[Any]:
    container = layer._all_fields.get(name)  # get_field() would try every other spelling of each name that is not there
    return list(container.all_fields) if container is not None else []


def _all(layer: Any, name: str) -> list[str]:
    return [field.show for field in _fields(layer, name) if field.show]


def _first(layer: Any, name: str) -> str | None:
    values = _all(layer, name)
    return values[0] if values else None


def _text(octets: str | None) -> str:
    """Text as its bytes on the wire say it; what tshark shows has lost what is not printable."""
    return bytes.fromhex(octets or "").decode("utf-8", "backslashreplace")


def _number(text: str | None) -> int | None:
    return int(text, 0) if text else None
