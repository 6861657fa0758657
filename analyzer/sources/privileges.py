"""Giving up what only opening a socket needs, before the first frame is looked at.

What a frame holds is hostile; whoever finds a hole in a parser should find an account that can do nothing.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from analyzer.errors import UsageError

__all__ = ["drop_privileges", "forbid_new_privileges", "permission_hint", "target_user"]

_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522


def target_user(wanted: str | None) -> tuple[str, int, int] | None:
    """(name, uid, gid) to become: ``wanted``, else who called sudo, else nobody. None for who is not root, or asks for root.

    Raises UsageError for a name that is none.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        if wanted is not None and hasattr(os, "geteuid"):
            raise UsageError("--user is for who starts as root")
        return None
    import pwd

    name = wanted or os.environ.get("SUDO_USER") or "nobody"
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        if wanted is None:
            return "65534", 65534, 65534
        raise UsageError(f"there is no user {name!r}") from None
    if entry.pw_uid == 0:
        return None
    return entry.pw_name, entry.pw_uid, entry.pw_gid


def drop_privileges(user: tuple[str, int, int] | None) -> None:
    """Become ``user`` for good (all groups, all threads) and drop every capability."""
    if user is not None:
        _, uid, gid = user
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.environ["HOME"] = "/"
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if user is not None or os.geteuid() != 0:
        # what file capabilities or a service manager gave: the socket is open, nothing more is needed
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        libc.capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0))


def forbid_new_privileges() -> None:
    """From here on neither this thread nor any it starts can gain a privilege by running a program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def permission_hint(interface: str) -> str:
    """What to say to who may not capture: the very command that helps, here."""
    if sys.platform == "darwin":
        return (
            f"no permission to capture on {interface}: run 'sudo handshake sniff {interface}', or join the group access_bpf "
            "that Wireshark's ChmodBPF makes"
        )
    if sys.platform == "win32":
        return f"no permission to capture on {interface}: install Npcap without its administrators-only option, or start as administrator"
    python = os.path.realpath(sys.executable)
    return (
        f"no permission to capture on {interface}: run 'sudo handshake sniff {interface}'; or once for everybody who may run this "
        f"Python 'sudo setcap cap_net_raw,cap_net_admin+eip {python}'; or let a group that may capture do it: "
        f"'tcpdump -i {interface} -w - tcp | handshake analyze -'"
    )
