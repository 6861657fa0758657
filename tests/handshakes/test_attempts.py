"""Which flows get a row, and how many servers are remembered for it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from analyzer.flows import FlowTable
from analyzer.handshakes import attempts
from analyzer.handshakes.attempts import Attempts


class Spoke:
    """What is held of a flow that carried TLS from the first byte on."""

    is_tls = True
    tls_offsets: ClassVar[tuple[int, int]] = (0, 0)


def flows(count: int) -> tuple[FlowTable, Attempts, dict[str, int]]:
    """That many connections of one client to servers of their own, on a port where TLS is not at home; all but the last carried TLS."""
    table = FlowTable()
    rows = table._allocate(count)
    for name, value in (
        ("destination_low", 0xFFFF_0A00_0000 + rows),
        ("destination_port", 7_777),
        ("ip_version", 4),
        ("client", 0),
        ("syn_frame", 1),
    ):
        table[name][rows] = value
    counted: dict[str, int] = {}
    spoke: dict[int, Any] = {row: Spoke() for row in rows.tolist()[:-1]}
    return table, Attempts((), table, spoke, lambda what, n: counted.update({what: counted.get(what, 0) + n})), counted


def test_a_silent_connection_is_an_attempt_where_its_server_speaks_tls() -> None:
    table, chosen, _ = flows(3)
    table["destination_low"][2] = table["destination_low"][0]
    assert chosen.choose(np.array([2])).tolist() == [False]
    chosen.note_servers(np.arange(3))
    assert chosen.choose(np.array([2])).tolist() == [True]
    assert chosen.are_known(np.arange(3)).tolist() == [True, True, True]


def test_where_too_many_servers_are_remembered_all_are_forgotten() -> None:
    _, chosen, _ = flows(6)
    chosen.note_servers(np.arange(6))
    chosen.forget_servers(5)
    assert chosen.are_known(np.arange(5)).all()
    chosen.forget_servers(4)
    assert not chosen.are_known(np.arange(5)).any()


def test_servers_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_SERVERS", 3)
    _, chosen, counted = flows(8)
    chosen.note_servers(np.arange(4))
    chosen.note_servers(np.arange(8))
    assert sum(counted.values()) == 1 + 4
    assert chosen.are_known(np.arange(7)).sum() == 3


def test_servers_at_the_ports_of_tls_are_not_remembered() -> None:
    table, chosen, _ = flows(3)
    table["destination_port"][:2] = 443
    chosen.note_servers(np.arange(3))
    assert not chosen.are_known(np.arange(2)).any()
    assert chosen.choose(np.arange(3)).tolist() == [True, True, False]
