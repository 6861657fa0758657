"""What one row of the tables in `cases/` says."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Case:
    """One capture to make.  Its folder is `<cause>--<client>-<server>[-<variant>]`; no cause means it completes."""

    cause: str | None
    client: str
    server: str
    variant: str = ""
    c: dict[str, Any] | tuple[dict[str, Any], ...] = field(default_factory=dict)  # client options; several: one run after another
    s: dict[str, Any] = field(default_factory=dict)  # server options
    by: str = ""  # who ended it: client, server, middlebox, unknown, none
    outcome: str = ""  # completed, failed, no-handshake, unfinished; "" follows from the cause
    arranged: str = ""  # sentence one of the README
    notice: str = ""  # sentence three
    via: str | None = None  # how TLS began, when not at once
    also: tuple[str, ...] = ()
    without_keys: str | None = (
        None  # the cause an honest observer can name without the key log; "nothing": none; None: follows from what is seen
    )
    port: int = 443
    stream: int = 0  # which connection is judged; -1: the first that gets as far as the row says
    faults: tuple[dict[str, Any], ...] = ()  # on the way: see programs/box.py
    firewall: tuple[tuple[str, ...], ...] = ()  # (role, iptables words...): the router forwards with its kernel; see network.firewall
    middle: dict[str, Any] | None = None  # a box on the router: see programs/proxy.py
    network: dict[str, Any] = field(default_factory=dict)  # forward, offload, mtu_right, delay, hops, sysctl
    at: str = "client"  # where it is recorded: client, server, router
    alert: dict[str, Any] | str | None = "seen"  # "seen": as found in the capture; None: none is causal
    facts: dict[str, Any] = field(default_factory=dict)  # on top of what is found
    settle: float = 0.4
    early_stop: bool = False  # the recording ends before the client does
    notes: str | None = None
    made_from: str = ""  # an artefact: the folder it is cut from (or "CASE+CASE")
    cut: dict[str, Any] = field(default_factory=dict)  # and how: see artefacts.py
    sure: str = ""  # why the label stands although the simple check disagrees
    clock: str = ""  # the client's clock is off by this (faketime's words)
    filter: str = ""  # capture filter, when not the usual
    keep_keys: bool = True

    @property
    def folder(self) -> str:
        return f"{self.cause or 'completed'}--{self.client}-{self.server}" + (f"-{self.variant}" if self.variant else "")

    @property
    def seen_port(self) -> int:
        """The server's port as the recording shows it: a proxy the client knows of has its own."""
        return int(self.middle["port"]) if self.middle and self.middle.get("explicit") else self.port

    @property
    def expected_outcome(self) -> str:
        return self.outcome or ("failed" if self.cause else "completed")


@cache
def all_cases() -> dict[str, Case]:
    from . import cases

    found: dict[str, Case] = {}
    for module in sorted(pkgutil.iter_modules(cases.__path__), key=lambda m: m.name):
        for case in importlib.import_module(f"{cases.__name__}.{module.name}").CASES:
            if case.folder in found:
                raise ValueError(f"two rows make {case.folder}")
            found[case.folder] = case
    return found
