"""Facts of TCP connections, out of the columns of the flow table."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.flows import FlowTable
from analyzer.model.handshake import Flow

__all__ = ["find_ends", "flows_of", "name_address", "read_flows"]

_KNOWN_BY = ("order", "syn", "hello", "port", "order")


@lru_cache(maxsize=8_192)
def name_address(high: int, low: int, version: int) -> str:
    """Text of an address held as two 64-bit halves."""
    if version == 4:
        return ".".join(map(str, (low & 0xFFFFFFFF).to_bytes(4, "big")))
    import socket  # takes longer to load than most captures have need of it

    return socket.inet_ntop(socket.AF_INET6, high.to_bytes(8, "big") + low.to_bytes(8, "big"))


def read_flows(table: FlowTable, rows: npt.NDArray[np.int64]) -> list[Flow]:
    """One ``Flow`` for each row; a flow whose client is unknown takes the higher port for it."""
    return flows_of({name: column[rows] for name, column in table.columns.items()})


def flows_of(c: dict[str, npt.NDArray[Any]]) -> list[Flow]:
    """The same for rows that were taken out of the table, column by column."""
    count = len(c["number"])
    if count == 0:
        return []
    client = c["client"].astype(np.int64)
    unknown = client < 0
    known_by = c["known_by"].copy()
    if unknown.any():
        # no SYN, no hello: the lower port is the server's
        client[unknown] = np.where(c["source_port"][unknown] < c["destination_port"][unknown], 1, 0)
        known_by[unknown] = 3
    at = np.arange(count)
    server = 1 - client

    def pick(name: str, who: npt.NDArray[np.int64]) -> list[int]:
        result: list[int] = c[name][at, who].tolist()
        return result

    client_address, client_port = find_ends(c, client == 0)
    server_address, server_port = find_ends(c, client != 0)
    columns: list[list[Any]] = [
        c["number"].tolist(), c["stream"].tolist(), c["capture"].tolist(), client_address, client_port, server_address, server_port,
        c["first_frame"].tolist(), c["last_frame"].tolist(), c["first_seen"].tolist(), c["last_seen"].tolist(),
        [_KNOWN_BY[k] for k in known_by.tolist()],
        c["syn_frame"].tolist(), c["syn_time"].tolist(), c["syn_ack_frame"].tolist(), c["syn_ack_time"].tolist(),
        c["ack_frame"].tolist(), c["syns"].tolist(), c["syn_acks"].tolist(),
        pick("frames", client), pick("frames", server), pick("bytes", client), pick("bytes", server),
        pick("fin_frame", client), pick("fin_frame", server), pick("rst_frame", client), pick("rst_frame", server),
        pick("fin_time", client), pick("fin_time", server), pick("rst_time", client), pick("rst_time", server),
        pick("rsts", client), pick("rsts", server),
        c["retransmissions"].tolist(), c["out_of_order"].tolist(), c["duplicates"].tolist(),
        [0] * count, [0] * count, c["truncated"].tolist(),
        pick("mss", client), pick("mss", server), pick("ttl", client), pick("ttl", server),
        [""] * count, [False] * count, [False] * count, c["tunnel"].tolist(), c["vlan"].tolist(),
    ]  # fmt: skip
    return [Flow(*values) for values in zip(*columns, strict=True)]


def find_ends(c: dict[str, npt.NDArray[Any]], is_source: npt.NDArray[np.bool_]) -> tuple[list[str], list[int]]:
    """Address and port of one end of each row: of the source where told, else of the destination."""
    high = np.where(is_source, c["source_high"], c["destination_high"]).tolist()
    low = np.where(is_source, c["source_low"], c["destination_low"]).tolist()
    port: list[int] = np.where(is_source, c["source_port"], c["destination_port"]).tolist()
    return list(map(name_address, high, low, c["ip_version"].tolist())), port
