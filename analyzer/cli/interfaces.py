"""``handshake interfaces``: where a live capture could listen."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from analyzer.cli.style import Style, lay_out, say
from analyzer.errors import AnalyzerError
from analyzer.export.escape import for_terminal

__all__ = ["interfaces"]

_SYS = Path("/sys/class/net")
_SIOCGIFADDR = 0x8915


def interfaces() -> None:
    """List this machine's network interfaces."""
    try:
        names = [name for _, name in socket.if_nameindex()]
    except OSError as error:
        raise AnalyzerError(f"the interfaces cannot be listed: {error.strerror}") from error
    sixes = _ipv6_addresses()
    rows = [["interface", "state", "addresses"]]
    for name in names:
        addresses = [*_ipv4_address(name), *sixes.get(name, ())]
        rows.append([for_terminal(name), for_terminal(_state(name)), " ".join(addresses)])
    style = Style()
    header, *body = lay_out(rows, indent="")
    say(style.paint(header, "bold"))
    for line in body:
        say(line)


def _state(name: str) -> str:
    try:
        state = (_SYS / name / "operstate").read_text().strip()
        flags = int((_SYS / name / "flags").read_text(), 16)
    except (OSError, ValueError):
        return "-"
    return ("up" if flags & 1 else "down") if state == "unknown" else state  # loopback and tunnels have no carrier to tell


def _ipv4_address(name: str) -> list[str]:
    """The first IPv4 address, where the system tells it by ioctl (Linux)."""
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        return [socket.inet_ntoa(answer[20:24])]
    except (ImportError, OSError):
        return []


def _ipv6_addresses() -> dict[str, list[str]]:
    """IPv6 addresses by interface, where /proc lists them (Linux)."""
    found: dict[str, list[str]] = {}
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        digits, *_, name = line.split()
        found.setdefault(name, []).append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return found
