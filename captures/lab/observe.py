"""What a capture shows, read with tshark: an opinion independent of our own analyzer."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

FIELDS = (
    "frame.number", "frame.time_epoch", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.len",
    "tls.record.content_type", "tls.record.opaque_type", "tls.handshake.type", "tls.alert_message.level", "tls.alert_message.desc",
    "tls.handshake.version", "tls.handshake.extensions.supported_version", "tls.handshake.ciphersuite",
    "tls.handshake.extensions_server_name", "tls.handshake.extension.type", "tls.handshake.random",
    "tls.handshake.certificates_length", "tls.handshake.extensions_alpn_str", "tls.handshake.extension.len", "icmp.type",
)  # fmt: skip
ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate",
    44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
    49: "access_denied", 50: "decode_error", 51: "decrypt_error", 60: "export_restriction", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
    109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response",
    115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}  # fmt: skip
VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
HRR = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
QUIET = {"close_notify", "user_canceled"}


@cache
def suite_names() -> dict[int, str]:
    """IANA names by number, as the local OpenSSL lists them (all it ever had, and the signalling ones)."""
    out = subprocess.run(["openssl", "ciphers", "-stdname", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True).stdout
    names = {0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV", 0x1304: "TLS_AES_128_CCM_SHA256", 0x1305: "TLS_AES_128_CCM_8_SHA256"}
    for line in out.splitlines():
        words = line.split()
        high, low = words[0].split(",")
        names[int(high, 16) << 8 | int(low, 16)] = words[2]
    return names


@dataclass
class Row:
    number: int
    time: float
    stream: int
    sender: str
    flags: int
    length: int
    records: list[int]
    messages: list[int]
    alerts: list[tuple[int, str]]
    raw: dict[str, list[str]]

    fin = property(lambda self: bool(self.flags & 1))
    rst = property(lambda self: bool(self.flags & 4))
    syn = property(lambda self: bool(self.flags & 2))


@dataclass
class Seen:
    """The judged stream, and how many there are."""

    streams: int
    rows: list[Row]
    version: str | None = None
    cipher_suite: str | None = None
    server_name: str | None = None
    resumption: str | None = None
    hello_retry_request: bool | None = None
    client_certificate_requested: bool | None = None
    client_certificate_sent: bool | None = None
    alpn: str | None = None
    alert: dict[str, Any] | None = None
    closed_by: str | None = None
    completed: bool = False
    randoms: set[str] = field(default_factory=set)

    def story(self) -> str:
        """What happens, in a sentence: who says what, until the end."""
        words: list[str] = []
        names = {1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 8: "EncryptedExtensions", 11: "Certificate", 12: "ServerKeyExchange",
                 13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished", 0: "HelloRequest",
                 22: "CertificateStatus", 24: "KeyUpdate", 5: "EndOfEarlyData"}  # fmt: skip
        for r in self.rows:
            who = "client" if r.sender == "client" else "server"
            said = [f"{names.get(m, f'message {m}')}{f' ({n} times)' if n > 1 else ''}" for m, n in _runs(r.messages)]
            said += [f"alert {d}" for _, d in r.alerts]
            if not said and 23 in r.records:
                said = ["application data"]
            if not said and r.length and not r.records:
                said = [f"{'plain bytes'}"]
            if r.rst:
                said.append("RST")
            elif r.fin:
                said.append("FIN")
            elif r.syn:
                said.append("SYN-ACK" if r.flags & 16 else "SYN")
            if said:
                text = f"{who}: {', '.join(said)}"
                if not words or words[-1] != text:
                    words.append(text)
        if len(words) > 22:
            words = [*words[:14], "...", *words[-7:]]
        return "; ".join(words)


def _runs(messages: list[int]) -> list[tuple[int, int]]:
    """Each message and how often it comes in a row."""
    return [(message, len(list(same))) for message, same in groupby(messages)]


def frames(capture: Path, keylog: Path | None, tls_ports: tuple[int, ...] = ()) -> list[dict[str, list[str]]]:
    argv = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", "-E", "separator=\t"]
    argv += ["-o", "tcp.desegment_tcp_streams:TRUE", "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "tls.desegment_ssl_records:TRUE",
             "-o", "tls.desegment_ssl_application_data:TRUE", "-o", "tcp.analyze_sequence_numbers:TRUE"]  # fmt: skip
    if keylog and keylog.exists():
        argv += ["-o", f"tls.keylog_file:{keylog}"]
    for port in tls_ports:
        argv += ["-d", f"tcp.port=={port},tls"]
    for f in FIELDS:
        argv += ["-e", f]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    rows = []
    for line in out.splitlines():
        values = line.split("\t")
        rows.append({k: v.split(",") if v else [] for k, v in zip(FIELDS, values, strict=False)})
    return rows


def _number(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


def _rows(found: list[dict[str, list[str]]], server_port: int) -> list[Row]:
    rows: list[Row] = []
    for f in found:
        if not f["tcp.stream"] or f["icmp.type"] or not f["tcp.flags"] or not f["tcp.len"]:
            continue  # what ICMP quotes is not a segment
        source = int(f["tcp.srcport"][0])
        alerts = list(
            zip(
                (_number(x) for x in f["tls.alert_message.level"]),
                (ALERTS.get(_number(x), x) for x in f["tls.alert_message.desc"]),
                strict=False,
            )
        )
        rows.append(Row(
            int(f["frame.number"][0]), float(f["frame.time_epoch"][0]), int(f["tcp.stream"][0]),
            "server" if source == server_port else "client", _number(f["tcp.flags"][0]), int(f["tcp.len"][0]),
            [_number(x) for x in f["tls.record.content_type"] + f["tls.record.opaque_type"]],
            [_number(x) for x in f["tls.handshake.type"]], alerts, f,
        ))  # fmt: skip
    return rows


def observe(capture: Path, keylog: Path | None, server_port: int, stream: int = 0, tls: bool = True) -> Seen:
    ports = (server_port,) if tls and server_port not in (25, 110, 143, 21, 389, 5222, 5432, 3306, 119, 443) else ()
    plain = _rows(frames(capture, None, ports), server_port)
    rows = _rows(frames(capture, keylog, ports), server_port) if keylog and keylog.exists() else plain
    in_clear = {(r.number, d) for r in plain for _, d in r.alerts}
    seen = Seen(streams=1 + max((r.stream for r in rows), default=-1), rows=[r for r in rows if r.stream == stream])
    client_hello: Row | None = None
    ended: set[str] = set()
    finished: set[str] = set()
    spoke: dict[str, int] = {"client": 0, "server": 0}
    certificate_seen = key_exchange_seen = False
    for r in seen.rows:
        for value in r.raw["tls.handshake.random"]:
            seen.randoms.add(value.replace(":", "").lower())
        if 1 in r.messages and r.sender == "client":
            client_hello = r
            if r.raw["tls.handshake.extensions_server_name"]:
                seen.server_name = r.raw["tls.handshake.extensions_server_name"][0]
            for value in r.raw["tls.handshake.random"]:
                seen.randoms.add(value.replace(":", "").lower())
        if 2 in r.messages and r.sender == "server":
            random = "".join(r.raw["tls.handshake.random"]).replace(":", "").lower()
            seen.hello_retry_request = bool(seen.hello_retry_request) or HRR in random
            chosen = r.raw["tls.handshake.extensions.supported_version"] or r.raw["tls.handshake.version"]
            seen.version = VERSIONS.get(_number(chosen[0]), chosen[0]) if chosen else None
            if r.raw["tls.handshake.ciphersuite"]:
                number = _number(r.raw["tls.handshake.ciphersuite"][0])
                seen.cipher_suite = suite_names().get(number, f"0x{number:04x}")
            types = r.raw["tls.handshake.extension.type"]
            if "41" in types and seen.version == "TLS 1.3":
                seen.resumption = "psk"
        if r.sender == "server" and r.raw["tls.handshake.extensions_alpn_str"]:
            seen.alpn = r.raw["tls.handshake.extensions_alpn_str"][0]
        if 13 in r.messages and r.sender == "server":
            seen.client_certificate_requested = True
        if 11 in r.messages:
            if r.sender == "server":
                certificate_seen = True
                seen.client_certificate_requested = bool(seen.client_certificate_requested)
            else:
                sizes = r.raw["tls.handshake.certificates_length"]
                seen.client_certificate_sent = bool(sizes and int(sizes[-1]) > 0)
        key_exchange_seen |= 16 in r.messages
        for level, description in r.alerts:
            effect = (ended - {r.sender}) and description in ("decode_error", "unexpected_message", "handshake_failure", "close_notify")
            if description not in QUIET and not effect and seen.alert is None and not (level == 1 and description == "unrecognized_name"):
                seen.alert = {"description": description, "from": r.sender, "encrypted": (r.number, description) not in in_clear}
        if 20 in r.messages:
            finished.add(r.sender)
        if 23 in r.records:
            spoke[r.sender] += 1
        if r.fin or r.rst:
            ended.add(r.sender)
            seen.closed_by = seen.closed_by or r.sender
    if seen.version and seen.version != "TLS 1.3" and not certificate_seen and not key_exchange_seen and client_hello is not None:
        rows_ccs = [r for r in seen.rows if 20 in r.records]
        if rows_ccs and rows_ccs[0].sender == "server":
            sizes = dict(
                zip(client_hello.raw["tls.handshake.extension.type"], client_hello.raw["tls.handshake.extension.len"], strict=False)
            )
            ticket = int(sizes.get("35", "0")) > 0
            seen.resumption = "ticket" if ticket else "session-id"
    both_ccs = {r.sender for r in seen.rows if 20 in r.records} == {"client", "server"}
    least = 1 if both_ccs else 2  # not every TLS 1.3 stack sends ChangeCipherSpec
    seen.completed = finished == {"client", "server"} or (seen.version is not None and min(spoke.values()) >= least)
    return seen
