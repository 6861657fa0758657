"""The commands that confirm a finding, filled with the handshake's own values.

Whatever came off the wire is hostile: a name is put into a command only when it is a plain host
name (letters, digits, hyphens, dots, underscores), an address or number only when it is one; all
else becomes a placeholder in capitals that the reader fills in.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from analyzer.model.handshake import Handshake

__all__ = ["PLACEHOLDERS", "command_values", "fill_commands", "is_plain_host_name"]

PLACEHOLDERS = (
    "host",  # the name asked for, else the address
    "name",  # the name asked for, else NAME
    "address",  # the server's address
    "port",  # the server's port
    "connect",  # address:port, IPv6 in brackets; behind a proxy what it was asked for, and s_client's option for it
    "name_connect",  # host:port; behind a proxy what it was asked for
    "proxy",  # address:port of the proxy, or of the server where there is none
    "target",  # host:port that a proxy was asked for, else HOST:443
    "servername",  # -servername name, or -noservername
    "starttls",  # -starttls smtp and the like, or nothing
    "version_flag",  # -tls1_2 ...: version the server chose, else the best the client offered
    "curl_version",  # --tlsv1.2 --tls-max 1.2 ...: the same for curl
    "resolve",  # --resolve name:port:address; behind a proxy -x and its address
    "cipher_flag",  # -cipher A:B -ciphersuites C: what the client offered, as OpenSSL spells it
    "groups_flag",  # -groups X25519:P-256: what the client offered
    "sigalgs_flag",  # -sigalgs A:B: what the client offered
    "alpn_flag",  # -alpn h2,http/1.1: what the client offered
    "client",  # the client's address
    "stream",  # tcp.stream of the connection
)
"""Every placeholder a Confirm section may use."""

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?\Z", re.ASCII)
_ADDRESS = re.compile(r"[0-9a-fA-F:.]{2,45}\Z", re.ASCII)
_PROTOCOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,31}\Z", re.ASCII)
_OF_OFFER = ("cipher_flag", "groups_flag", "sigalgs_flag", "alpn_flag")
_NAMES = 24  # of one kind: a command has to stay readable
_STREAM = "\0"  # for the number of the stream: no value and no template holds one
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_FLAGS = {0x0300: "ssl3", 0x0301: "tls1", 0x0302: "tls1_1", 0x0303: "tls1_2", 0x0304: "tls1_3"}
_CURL = {0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}
_STARTTLS = {
    "smtp-starttls": "smtp",
    "imap-starttls": "imap",
    "pop3-stls": "pop3",
    "ftp-auth-tls": "ftp",
    "ldap-starttls": "ldap",
    "xmpp-starttls": "xmpp",
    "postgresql": "postgres",
    "mysql": "mysql",
}


_TUNNELS = {"http-connect": "http", "socks5": "socks5h", "socks4": "socks4a"}
"""By the way into them: the scheme by which curl is told of a proxy."""
_CLIENTS = {"psql": "postgresql"}
"""Programs that speak one protocol, by its dialogue: no help with any other."""


def is_plain_host_name(name: str) -> bool:
    """Whether a name may stand in a command as it is: letters, digits, hyphens, underscores and dots only (RFC 952, 1123)."""
    return _HOST_NAME.match(name) is not None


def command_values(handshake: Handshake) -> dict[str, str]:
    """Value of each placeholder, safe to stand in a shell command."""
    return {**_values_of(*_told(handshake)), "stream": str(int(handshake.flow.stream))}


def _told(handshake: Handshake, *, whole: bool = True) -> tuple[Any, ...]:
    """What the commands depend on, but for the number of the stream; with ``whole`` what the client offered, which is long."""
    flow, hello = handshake.flow, handshake.client_hello
    version = handshake.selected_version or (hello.max_version if hello is not None else 0)
    via = handshake.dialogue.via if handshake.dialogue is not None else ""
    target = (handshake.dialogue.target or "") if handshake.dialogue is not None else ""
    ends = flow.server_address, flow.server_port, flow.client_address, version, via, target
    if hello is None:
        return *ends, None, None
    if not whole:
        return *ends, hello.server_name, None
    offer = hello.cipher_suites, hello.max_version, hello.named_groups, hello.signature_schemes, hello.alpn
    return *ends, hello.server_name, offer


@lru_cache(maxsize=256)
def _values_of(
    server: str, server_port: int, client: str, version: int, via: str, target: str, name: str | None, offer: tuple[Any, ...] | None
) -> dict[str, str]:
    plain = name if name and is_plain_host_name(name) else None
    address = server if _ADDRESS.match(server) else "ADDRESS"
    bracketed = f"[{address}]" if ":" in address else address
    port = str(int(server_port))
    host = plain or ("NAME" if name else address)
    if version >> 8 in (0x7F, 0xFB):
        version = 0x0304
    values = {
        "host": host,
        "name": plain or "NAME",
        "address": address,
        "port": port,
        "connect": f"{bracketed}:{port}",
        "name_connect": f"{bracketed if host == address else host}:{port}",
        "servername": f"-servername {plain or 'NAME'}" if name else "-noservername",
        "starttls": f"-starttls {_STARTTLS[via]}" if via in _STARTTLS else "",
        "version_flag": f"-{_FLAGS[version]}" if version in _FLAGS else "",
        "curl_version": f"--tlsv{_CURL[version]} --tls-max {_CURL[version]}" if version in _CURL else "",
        "resolve": f"--resolve {plain}:{port}:{bracketed}" if plain else "",
        **(_flags_of(*offer) if offer is not None else dict.fromkeys(_OF_OFFER, "")),
        "client": client if _ADDRESS.match(client) else "CLIENT",
        "proxy": f"{bracketed}:{port}",
        "target": "HOST:443",
    }
    if via in _TUNNELS:
        asked = _plain_target(target)
        values["target"] = asked
        values["name_connect"], values["resolve"] = asked, f"-x {_TUNNELS[via]}://{bracketed}:{port}"
        values["connect"] = f"{asked} -proxy {bracketed}:{port}" if via == "http-connect" else asked
    return values


def _plain_target(target: str) -> str:
    """Host and port that a proxy was asked for, where they may stand in a command."""
    host, colon, port = target.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    plain = is_plain_host_name(host) or (host != bare and _ADDRESS.match(bare) is not None)
    return target if colon and plain and port.isascii() and port.isdigit() and len(port) < 6 else "HOST:443"


@lru_cache(maxsize=256)
def _flags_of(
    suites: tuple[int, ...], max_version: int, groups: tuple[int, ...], schemes: tuple[int, ...], alpn: tuple[str, ...]
) -> dict[str, str]:
    """What the client offered as options of s_client; what OpenSSL has no name for is left out, an option without a value too."""
    from analyzer.registries.named_groups import OPENSSL_GROUP_NAMES
    from analyzer.registries.openssl_names import OPENSSL_NAMES, OPENSSL_RETIRED_NAMES
    from analyzer.registries.signature_schemes import OPENSSL_SIGALG_NAMES

    names = [OPENSSL_NAMES.get(code) or OPENSSL_RETIRED_NAMES.get(code) or "" for code in suites]
    older = _flag("-cipher", [name for name in names if not name.startswith("TLS_")])
    newer = _flag("-ciphersuites", [name for name in names if name.startswith("TLS_")]) if max_version >= 0x0304 else ""
    return {
        "cipher_flag": f"{older} {newer}".strip(),
        "groups_flag": _flag("-groups", [OPENSSL_GROUP_NAMES.get(code, "") for code in groups]),
        "sigalgs_flag": _flag("-sigalgs", [OPENSSL_SIGALG_NAMES.get(code, "") for code in schemes]),
        "alpn_flag": _flag("-alpn", [name for name in alpn if _PROTOCOL.match(name)], ","),
    }


def _flag(option: str, names: list[str], between: str = ":") -> str:
    value = between.join([name for name in names if name][:_NAMES])
    return f"{option} {value}" if value else ""


def fill_commands(templates: Iterable[str], handshake: Handshake, extra: dict[str, str] | None = None) -> list[str]:
    """Commands with their placeholders filled. ``extra`` adds values of a rule's own; they are quoted for the shell.

    A placeholder nobody knows stays as it is; a placeholder that is empty takes its space with it.
    """
    if not extra:
        stream, templates = str(int(handshake.flow.stream)), tuple(templates)
        told = _told(handshake, whole=_shows_offer(templates))
        return [command.replace(_STREAM, stream) for command in _fill(templates, told)]
    values = command_values(handshake)
    for key, value in extra.items():
        values[key] = shlex.quote(value)
    return [_filled(template, values) for template in templates]


@lru_cache(maxsize=256)
def _shows_offer(templates: tuple[str, ...]) -> bool:
    return any(f"{{{name}}}" in template for template in templates for name in _OF_OFFER)


@lru_cache(maxsize=256)
def _fill(templates: tuple[str, ...], told: tuple[Any, ...]) -> tuple[str, ...]:
    """The commands of all handshakes of which the same is told; the stream's number is put in last."""
    values = {**_values_of(*told), "stream": _STREAM}
    via = told[4]
    fitting = [template for template in templates if not via or _CLIENTS.get(template.split(" ", 1)[0], via) == via]
    return tuple(_filled(template, values) for template in fitting)


def _filled(template: str, values: dict[str, str]) -> str:
    return re.sub(r" {2,}", " ", _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)).strip()
