"""The key log that browsers and libraries write (SSLKEYLOGFILE, RFC 9850): text lines of label, client random, secret.

Secrets stay in memory; no representation shows one.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Complaint", "KeyLog"]

_SECRETS = frozenset(
    {
        "CLIENT_RANDOM",
        "CLIENT_EARLY_TRAFFIC_SECRET",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    }
)
_IGNORED = frozenset(
    {
        "EXPORTER_SECRET",
        "EARLY_EXPORTER_SECRET",
        "EARLY_EXPORTER_MASTER_SECRET",
        "ECH_SECRET",
        "ECH_CONFIG",
    }
)
_DERIVED = ("CLIENT_TRAFFIC_SECRET_", "SERVER_TRAFFIC_SECRET_", "QUIC_")
"""Secrets after a KeyUpdate follow from the first; those of QUIC open no TLS record."""
_REFUSED = {
    "RSA": "an RSA line holds no client random to find its connection by; log CLIENT_RANDOM lines instead",
    "PMS_CLIENT_RANDOM": "a premaster secret, which is not the master secret; log CLIENT_RANDOM lines instead",
}
_LINE_BYTES = 4096
_COMPLAINTS = 32


class Complaint(NamedTuple):
    """A line that could not be used."""

    source: str
    line: int
    """From 1."""
    says: str


class _Unfinished:
    """The last line of a source that has not ended yet."""

    __slots__ = ("line", "overlong", "text")

    def __init__(self) -> None:
        self.text = b""
        self.line = 0
        self.overlong = False


class KeyLog:
    """Secrets by client random. Fed in pieces, from any number of sources (a file, a capture's own block)."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self._secrets: dict[bytes, dict[str, bytes]] = {}
        self._unfinished: dict[str, _Unfinished] = {}
        self._limit = limit
        self.bad_lines = 0
        """Lines that are no key log line."""
        self.refused_lines = 0
        """Lines with a secret of a form that is not taken (RSA). OpenSSL writes them beside those that are."""
        self.ignored_lines = 0
        """Lines whose secret opens no record (exporters, encrypted hellos, QUIC)."""
        self.dropped_lines = 0
        """Good lines beyond the limit of connections."""
        self.complaints: list[Complaint] = []
        """The first bad lines, and the first refused one; the counts are of all."""

    def __len__(self) -> int:
        """Connections that have a secret."""
        return len(self._secrets)

    def __contains__(self, client_random: object) -> bool:
        return client_random in self._secrets

    def __repr__(self) -> str:
        return f"<KeyLog of {len(self)} connections, {self.bad_lines} bad lines>"

    def secret(self, client_random: bytes, label: str) -> bytes | None:
        """Look up one secret."""
        return self._secrets.get(client_random, {}).get(label)

    def labels(self, client_random: bytes) -> tuple[str, ...]:
        """Tell which secrets of a connection are known."""
        return tuple(self._secrets.get(client_random, ()))

    def forget_oldest(self, keep: int) -> None:
        """Forget the connections whose secrets came first, beyond the last ``keep``."""
        for client_random in list(self._secrets)[: max(0, len(self._secrets) - keep)]:
            del self._secrets[client_random]

    def feed(self, data: bytes, source: str = "key log") -> None:
        """Read on: ``data`` may begin and end within a line."""
        state = self._unfinished.setdefault(source, _Unfinished())
        lines = data.split(b"\n")
        for piece in lines[:-1]:
            state.line += 1
            if state.overlong or len(state.text) + len(piece) > _LINE_BYTES:
                self._complain(source, state.line, f"a line of more than {_LINE_BYTES} bytes")
            else:
                self._read_line(state.text + piece, source, state.line)
            state.text, state.overlong = b"", False
        state.overlong |= len(state.text) + len(lines[-1]) > _LINE_BYTES
        state.text = b"" if state.overlong else state.text + lines[-1]

    def end(self, source: str = "key log") -> None:
        """Read the last line of a source, which may lack its line feed."""
        state = self._unfinished.pop(source, None)
        if state and (state.text or state.overlong):
            state.line += 1
            if state.overlong:
                self._complain(source, state.line, f"a line of more than {_LINE_BYTES} bytes")
            else:
                self._read_line(state.text, source, state.line)

    def _complain(self, source: str, line: int, says: str) -> None:
        self.bad_lines += 1
        if len(self.complaints) < _COMPLAINTS:
            self.complaints.append(Complaint(source, line, says))

    def _read_line(self, raw: bytes, source: str, line: int) -> None:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("latin-1").strip()
        if not text or text[0] == "#":
            return
        words = text.split()
        label = words[0]
        if label in _REFUSED:
            self.refused_lines += 1
            if self.refused_lines == 1:
                self.complaints.append(Complaint(source, line, _REFUSED[label]))
        elif label in _IGNORED or (label.startswith(_DERIVED) and label not in _SECRETS):
            self.ignored_lines += 1
        elif label not in _SECRETS:
            self._complain(source, line, "its first word is no label of a key log")
        elif len(words) != 3:
            self._complain(source, line, f"{label} with {len(words) - 1} values, where two belong")
        else:
            says = self._keep(label, words[1], words[2])
            if says:
                self._complain(source, line, f"{label} {says}")

    def _keep(self, label: str, client_random: str, secret: str) -> str:
        """Store a secret; give what is wrong with it, or ''."""
        try:
            key, value = bytes.fromhex(client_random), bytes.fromhex(secret)
        except ValueError:
            return "with values that are not hexadecimal"
        if len(key) != 32:
            return f"with a client random of {len(key)} bytes, where it has 32"
        lengths = (48,) if label == "CLIENT_RANDOM" else (32, 48, 64)
        if len(value) not in lengths:
            return f"with a secret of {len(value)} bytes, where it has {' or '.join(map(str, lengths))}"
        if key not in self._secrets and len(self._secrets) >= self._limit:
            self.dropped_lines += 1
            return ""
        self._secrets.setdefault(key, {})[label] = value
        return ""
