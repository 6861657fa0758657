"""Kernel filters: classic BPF programs as lists of ``(code, jt, jf, k)``.

The default lets TCP through and what tells about it: ICMP errors that quote it, fragments, and frames whose
tags or labels hide what they carry. It asks the kernel for the EtherType and loads relative to the IP header
(``SKF_AD_PROTOCOL``, ``SKF_NET_OFF`` of linux/filter.h), so one program fits every link type. What the user
adds is compiled by libpcap, through scapy, and holds besides: a frame must pass both.
"""

from __future__ import annotations

import ctypes
import re
import socket
import struct

from analyzer.errors import MissingExtra, SourceError, UsageError

__all__ = ["Program", "attach_filter", "both", "compile_expression", "default_program", "reject_all"]

Program = list[tuple[int, int, int, int]]

SO_ATTACH_FILTER = 26
_LONGEST = 4096  # BPF_MAXINSNS
_AD_PROTOCOL = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL
_NET = 0xFFF00000  # SKF_NET_OFF
_LDH_ABS, _LDB_ABS, _LDW_ABS, _LDB_IND, _LDX_MSH = 0x28, 0x30, 0x20, 0x50, 0xB1
_JEQ, _JGE, _JSET, _JA, _RET, _RET_A = 0x15, 0x35, 0x45, 0x05, 0x06, 0x16
_DLT_ETHERNET, _DLT_RAW = 1, 12
_IN_BRACKETS = re.compile(r"\(([^()]+)\)$")
_TAGGED = (0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x8864)  # VLAN, MPLS, PPPoE: what is inside is for us to find out
_EXTENSIONS = (0, 43, 44, 51, 60)  # IPv6 headers before another


def default_program(snaplen: int) -> Program:
    """TCP over IPv4 and IPv6, ICMP and ICMPv6 errors, fragments and tagged frames; ``snaplen`` bytes of each."""
    accept, reject = "accept", "reject"
    steps: list[tuple[str, int, int, str, str]] = []  # (label, code, k, where if true, where if false); '' is the next

    def step(code: int, k: int, then: str = "", otherwise: str = "", label: str = "") -> None:
        steps.append((label, code, k, then, otherwise))

    step(_LDW_ABS, _AD_PROTOCOL)
    step(_JEQ, 0x0800, "four")
    step(_JEQ, 0x86DD, "six")
    for kind in _TAGGED[:-1]:
        step(_JEQ, kind, accept)
    step(_JEQ, _TAGGED[-1], accept, reject)
    step(_LDB_ABS, _NET + 9, label="four")
    step(_JEQ, 6, accept)
    step(_JEQ, 1, "", reject)
    step(_LDH_ABS, _NET + 6)
    step(_JSET, 0x1FFF, accept)
    step(_LDX_MSH, _NET)
    step(_LDB_IND, _NET)
    for kind in (3, 4, 11):  # unreachable, source quench, time exceeded
        step(_JEQ, kind, accept)
    step(_JEQ, 12, accept, reject)  # parameter problem
    step(_LDB_ABS, _NET + 6, label="six")
    step(_JEQ, 6, accept)
    for kind in _EXTENSIONS:
        step(_JEQ, kind, accept)
    step(_JEQ, 58, "", reject)
    step(_LDB_ABS, _NET + 40)
    step(_JGE, 128, reject, accept)  # below 128 are errors (RFC 4443 section 2.1)
    step(_RET, snaplen, label=accept)
    step(_RET, 0, label=reject)
    place = {label: index for index, (label, *_) in enumerate(steps) if label}

    def jump(index: int, label: str) -> int:
        return place[label] - index - 1 if label else 0

    return [(code, jump(i, then), jump(i, otherwise), k) for i, (_, code, k, then, otherwise) in enumerate(steps)]


def reject_all() -> Program:
    """Lets nothing through: while a socket is made ready."""
    return [(_RET, 0, 0, 0)]


def both(first: Program, second: Program) -> Program:
    """Frames that pass ``first`` and then ``second``, whose answer says how much of them is kept."""
    joined: Program = []
    for index, (code, jt, jf, k) in enumerate(first):
        if code == _RET and k != 0:
            joined.append((_JA, 0, 0, len(first) - index - 1))
        elif code == _RET_A:
            raise UsageError("this filter cannot be combined with the default one")
        else:
            joined.append((code, jt, jf, k))
    joined += second
    if len(joined) > _LONGEST:
        raise UsageError(f"the filter is {len(joined)} instructions long; the kernel takes {_LONGEST}")
    return joined


def compile_expression(expression: str, *, ethernet: bool) -> Program:
    """What libpcap makes of an expression; on links other than Ethernet it sees the IP packet only.

    Raises UsageError with libpcap's own words, MissingExtra or SourceError where libpcap is not there.
    """
    try:
        from scapy.arch.common import compile_filter
        from scapy.error import Scapy_Exception
    except ImportError as error:
        raise MissingExtra("--bpf", "all") from error
    except OSError as error:
        raise SourceError(f"--bpf needs libpcap, which does not load: {error}") from error
    try:
        program = compile_filter(expression, linktype=_DLT_ETHERNET if ethernet else _DLT_RAW)
    except Scapy_Exception as error:
        text = str(error).partition("\n")[0]
        if "libpcap" in text.lower() and "not" in text.lower() and "available" in text.lower():
            raise SourceError("--bpf needs libpcap (apt install libpcap0.8)") from error
        says = _IN_BRACKETS.search(text)
        # scapy before 2.8 keeps libpcap's words to itself and shows a number
        raise UsageError(f"--bpf {expression!r}: {says[1] if says else 'libpcap takes it for no filter'}") from error
    except (ImportError, OSError) as error:
        raise SourceError("--bpf needs libpcap (apt install libpcap0.8)") from error
    found = [(int(i.code), int(i.jt), int(i.jf), int(i.k)) for i in (program.bf_insns[n] for n in range(program.bf_len))]
    return found if ethernet else [_from_network_header(step) for step in found]


def _from_network_header(step: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    code, jt, jf, k = step
    loads = code & 7 == 0 and code & 0xE0 in (0x20, 0x40)  # BPF_LD of BPF_ABS or BPF_IND
    if (loads or code == _LDX_MSH) and k < 0x80000000:
        return code, jt, jf, (k + _NET) & 0xFFFFFFFF
    return step


def attach_filter(sock: socket.socket, program: Program) -> None:
    """Give the kernel a program for a socket; in place of the one it had."""
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    layout = "HxxxxxxP" if struct.calcsize("P") == 8 else "HxxP"
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack(layout, len(program), ctypes.addressof(buffer)))
