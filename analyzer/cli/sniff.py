"""``handshake sniff``: the same as ``analyze``, live."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from analyzer.cli import parameters as given
from analyzer.cli.declare import Argument, Option
from analyzer.cli.guard import FAIL_ON, complain
from analyzer.cli.watch import Watch
from analyzer.errors import AnalyzerError, UsageError
from analyzer.export.writer import format_of, select
from analyzer.schema.columns import HANDSHAKES

if TYPE_CHECKING:
    from analyzer.export.rotating import RotatingFile

__all__ = ["read_seconds", "read_size", "sniff"]

_FORMATS = ("table", "jsonl", "csv", "zeek", "ecs")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?)i?[bB]?")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")
_STEPS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_LENGTHS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _names() -> Iterator[str]:
    """What can be watched."""
    import socket

    yield "any"
    yield from (name for _, name in socket.if_nameindex())


def sniff(
    interface: Annotated[str, Argument(metavar="[INTERFACE]", help="Interface to watch, or any.", show_default=False, values=_names)] = "",
    also_interface: Annotated[
        str | None, Option("--interface", "-i", metavar="NAME", help="The same as an option. Default: any.", values=_names)
    ] = None,
    bpf: Annotated[
        str | None, Option("--bpf", metavar="EXPR", help="Only frames that pass this filter of libpcap too, e.g. 'host 192.0.2.1'.")
    ] = None,
    duration: Annotated[str | None, Option(metavar="TIME", help="Stop after so long: 90, 90s, 10m, 8h.")] = None,
    count: Annotated[int | None, Option(min=1, metavar="N", help="Stop after so many handshakes.")] = None,
    snaplen: Annotated[int, Option(min=64, max=262_144, metavar="BYTES", help="Bytes to take of each frame.")] = 262_144,
    timeout: Annotated[float, Option(min=0.1, metavar="SECONDS", help="Silence after which an attempt is judged.")] = 10.0,
    wait: Annotated[bool, Option("--wait", help="Wait for an interface that is not there, or goes away.")] = False,
    keylog: given.Keylog = None,
    ca_file: given.CaFile = None,
    server_port: given.ServerPort = None,
    failed: given.Failed = False,
    cause: given.Cause = None,
    server: given.Server = None,
    since: Annotated[str | None, Option(metavar="TIME", help="Leave out what began before then; what follows is watched.")] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Stop then: ISO 8601 (UTC unless it says so) or epoch seconds.")] = None,
    format_name: Annotated[
        str | None,
        Option("--format", "-f", metavar="NAME", help=f"{', '.join(_FORMATS)}. Default: from -o, else table.", values=lambda: _FORMATS),
    ] = None,
    output: Annotated[str | None, Option("--output", "-o", metavar="FILE", help="Write rows here as they happen.")] = None,
    fields: given.Fields = None,
    rotate_size: Annotated[str | None, Option(metavar="SIZE", help="Begin another file after so many bytes: 100M.")] = None,
    rotate_time: Annotated[str | None, Option(metavar="TIME", help="Begin another file after so long: 1h.")] = None,
    keep: Annotated[int | None, Option(min=1, metavar="N", help="Keep so many full files, delete older ones of this run.")] = None,
    write: Annotated[str | None, Option("--write", "-w", metavar="PCAPNG", help="Keep the frames of failed handshakes.")] = None,
    write_all: Annotated[str | None, Option(metavar="PCAPNG", help="Keep every frame.")] = None,
    metrics: Annotated[
        str | None, Option(metavar="[ADDRESS]:PORT", help="Serve numbers to Prometheus, on every address when it names none.")
    ] = None,
    fail_on: given.FailOn = None,
    quiet: given.Quiet = False,
    user: Annotated[
        str | None, Option(metavar="NAME", help="Whom root becomes once it listens. Default: who called sudo, else nobody.")
    ] = None,
    portable: Annotated[bool, Option("--portable", help="Listen through scapy, without the kernel's ring.")] = False,
    promiscuous: Annotated[bool, Option("--promiscuous/--no-promiscuous", help="Take frames for other machines too.")] = True,
    ring_size: Annotated[int, Option(min=1, max=4096, metavar="MB", help="Room for frames that wait to be read.")] = 64,
    workers: Annotated[int | None, Option(metavar="N", min=1, help="Accepted as by analyze; an interface is read by one process.")] = None,
    cluster: Annotated[str | None, Option(metavar="ADDRESS", help="Accepted as by analyze; an interface is read where it is.")] = None,
) -> None:
    """Watch an interface and say which TLS handshakes fail, and why, when they do.

    \b
    handshake sniff eth0
    handshake sniff --bpf 'host 192.0.2.1' --format jsonl eth0 | jq .cause
    handshake sniff eth0 -o rows.jsonl --rotate-size 100M --write failed.pcapng --metrics :9464
    handshake sniff any --failed --duration 10m --fields first_seen,server_name,cause
    handshake sniff eth0 --until 2026-05-01T06:00+02:00 -o night.jsonl

    A line is printed the moment a handshake fails. Ctrl-C or SIGTERM end it: what is open is told, the rest is summed up.
    SIGHUP begins new files. Started as root it becomes --user once it listens.

    Exit codes: 0 done, 1 could not be done (the interface went away), 2 usage, 3 --fail-on matched.
    """
    if interface and also_interface and interface != also_interface:
        raise UsageError(f"{interface} and --interface {also_interface} cannot both be watched")
    name = interface or also_interface or "any"
    chosen = _choose_format(format_name, output)
    columns = given.read_fields(fields)
    select(HANDSHAKES, columns)
    seconds = read_seconds(duration, "--duration") if duration is not None else None
    size, period = read_size(rotate_size) if rotate_size else None, read_seconds(rotate_time, "--rotate-time") if rotate_time else None
    if (size or period) and not (output or write or write_all):
        raise UsageError("--rotate-size and --rotate-time need a file: add -o FILE")
    from dataclasses import replace

    options = given.options_from(
        keylog=keylog, ca_file=ca_file, server_port=server_port, failed=failed, cause=cause, server=server, since=since, until=until
    )  # fmt: skip
    options = replace(options, live=True, timeout=timeout)

    from analyzer.pipeline.live import LiveRun, check_end
    from analyzer.pipeline.selection import Selection
    from analyzer.sources.live import open_live
    from analyzer.sources.privileges import forbid_new_privileges, target_user

    selection = Selection(options, fail_on or ())
    check_end(options)
    if not quiet and (cluster is not None or (workers or 1) > 1):
        complain("an interface is read here, by one process: --workers and --cluster make no difference")
    who = target_user(user)
    source = open_live(
        name, bpf=bpf, snaplen=snaplen, portable=portable, promiscuous=promiscuous, wait=wait, ring_megabytes=ring_size
    )  # fmt: skip
    with contextlib.closing(source):
        if not quiet:
            source.said = complain
        run = LiveRun(source, options)
        watch = Watch(run, selection, name, quiet)
        try:
            watch.open(chosen, output, columns, write, write_all, size, period, keep, who)
            forbid_new_privileges()
            address = watch.address(metrics)
            if address is not None and address[1] < 1024:
                watch.serve(address)  # only root can; in every other case its thread starts without a privilege
            watch.prepare()
            _load_all()
            run.warm_up()
            source.start()
            _become(who, watch.files)
            if address is not None and address[1] >= 1024:
                watch.serve(address)
            watch.go(seconds, count)
        finally:
            watch.close()
    if watch.matched:
        raise SystemExit(FAIL_ON)


def _choose_format(name: str | None, output: str | None) -> str:
    if name is None:
        name = "table" if output is None or output == "-" else format_of(output)
    if name not in _FORMATS:
        raise UsageError(f"live rows cannot be written as {name}: use {', '.join(_FORMATS[1:])}; or --write-all FILE, and analyze that")
    if name == "table" and output not in (None, "-"):
        raise UsageError("a file needs --format jsonl, csv, zeek or ecs")
    return name


def read_size(text: str) -> int:
    """``500k``, ``100M``, ``1G`` as bytes. Raises UsageError."""
    found = _SIZE.fullmatch(text.strip())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{text!r} is no size: write 100M")
    return max(1, int(float(found[1]) * _STEPS[found[2]]))


def read_seconds(text: str, option: str) -> float:
    """``90``, ``90s``, ``10m``, ``8h``, ``7d`` as seconds. Raises UsageError."""
    found = _TIME.fullmatch(text.strip())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{option} {text!r} is no length of time: write 90, 10m or 8h")
    return float(found[1]) * _LENGTHS[found[2]]


_LOADED_LATE = (
    "encodings.idna",
    "encodings.punycode",
    "numpy.ma",
    "ssl",
    "threading",
    "traceback",
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509.ocsp",
    "cryptography.x509.verification",
)
"""What is imported when the first frame asks for it, by us or by those we import."""


def _load_all() -> None:
    """Load now what a frame may ask for later: whom we become may not be able to read it."""
    import importlib
    import pkgutil

    for floor in ("registries", "decode", "flows", "reassembly", "tls", "dialogues", "handshakes", "diagnosis", "tables"):
        package = importlib.import_module(f"analyzer.{floor}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name != "analyzer.tables.frames":  # loads pandas
                importlib.import_module(found.name)
    for name in _LOADED_LATE:
        importlib.import_module(name)


def _become(who: tuple[str, int, int] | None, files: list[RotatingFile[Any]]) -> None:
    """Stop being root. Files opened so far go along; where more will be opened, that must be possible."""
    from analyzer.sources.privileges import drop_privileges

    for file in files:
        if who is not None:
            file.give_to(who[1], who[2])
    drop_privileges(who)
    for file in files:
        folder = file.path.absolute().parent
        if file.rotates and not os.access(folder, os.W_OK | os.X_OK):
            name = who[0] if who is not None else "this user"
            raise AnalyzerError(f"{folder}: {name} cannot begin new files there: give it the folder, or choose another --user")
