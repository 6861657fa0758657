"""Reading structures of the TLS presentation language (RFC 8446 section 3) out of bytes, within bounds."""

from __future__ import annotations

from functools import lru_cache
from struct import unpack

from analyzer.model.fingerprints import GREASE

__all__ = ["GREASE", "Malformed", "Reader", "read_u16s", "without_grease"]


class Malformed(Exception):  # noqa: N818  what the message is, not an error of ours
    """Bytes that are not the message they should be; the text says what did not fit.

    ``partial`` is what had been read before: the same type the reader returns, or None.
    """

    def __init__(self, says: str, partial: object = None) -> None:
        super().__init__(says)
        self.says = says
        self.partial = partial


class Reader:
    """A position in bytes. Every reading names what it wants, so that ``Malformed`` can say it."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)

    def __len__(self) -> int:
        """Bytes that are left."""
        return self.end - self.at

    def number(self, width: int, what: str) -> int:
        """Read an unsigned number of ``width`` bytes."""
        stop = self.at + width
        if stop > self.end:
            raise Malformed(f"it ends before {what}")
        value = int.from_bytes(self.data[self.at : stop], "big")
        self.at = stop
        return value

    def take(self, count: int, what: str) -> bytes:
        """Read ``count`` bytes."""
        stop = self.at + count
        if stop > self.end:
            raise Malformed(f"{what} of {count} bytes, where {self.end - self.at} are left")
        value = self.data[self.at : stop]
        self.at = stop
        return value

    def block(self, width: int, what: str) -> bytes:
        """Read a vector whose length stands before it in ``width`` bytes."""
        return self.take(self.number(width, f"the length of {what}"), what)

    def blocks(self, width: int, what: str, limit: int = 4096) -> list[bytes]:
        """Read vectors until nothing is left; more than ``limit`` are Malformed."""
        found: list[bytes] = []
        while self.at < self.end:
            if len(found) == limit:
                raise Malformed(f"more than {limit} of {what}")
            found.append(self.block(width, what))
        return found

    def rest(self) -> bytes:
        """Read all that is left."""
        value = self.data[self.at :]
        self.at = self.end
        return value


@lru_cache(maxsize=1024)
def _short_u16s(data: bytes) -> tuple[int, ...]:
    return unpack(f">{len(data) // 2}H", data)


def read_u16s(data: bytes, what: str) -> tuple[int, ...]:
    """Read two-byte numbers until the end; an odd count of bytes is Malformed."""
    if len(data) & 1:
        raise Malformed(f"{what} of {len(data)} bytes, an odd number")
    return _short_u16s(data) if len(data) <= 512 else unpack(f">{len(data) // 2}H", data)


def without_grease(values: tuple[int, ...]) -> list[int]:
    """Leave out the GREASE values."""
    return [value for value in values if value not in GREASE]
