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
    "name",  # the name asked for, else NAME
    "address",  # the server's address
    "port",  # the server's port
    "connect",  # address:port, IPv6 in brackets; behind a proxy what it was asked for, and s_client's option for it
    "name_connect",  # host:port; behind a proxy what it was asked for
    "url",  # https://host:port/; none where TLS is asked for in another protocol
    "starttls_url",  # smtp://host:port/ and the like; none where curl does not speak what TLS was asked for in
    "proxy",  # address:port of the proxy, or of the server where there is none
    "target",  # host:port that a proxy was asked for, else HOST:443
    "servername",  # -servername name, or -noservername
    "starttls",  # -starttls smtp and the like, or nothing
    "version_flag",  # -tls1_2 ...: version the server chose, else the best the client offered; nothing where it offered 1.3 and 1.2
    "version_alone",  # the same for a command that says itself which suites it offers
    "resolve",  # --resolve name:port:address; behind a proxy -x and its address
    "cipher_flag",  # -cipher A:B -ciphersuites C: what the client offered, as OpenSSL spells it
    "groups_flag",  # -groups X25519:P-256: what the client offered
    "sigalgs_flag",  # -sigalgs A:B: what the client offered
    "alpn_flag",  # -alpn h2,http/1.1: what the client offered
    "nmap_name",  # --script-args tls.servername=name, or nothing
    "family_flag",  # -6 where the server's address is one of IPv6: nmap has to be told
    "ping_size",  # what a ping may carry in a packet of 1500 bytes
    "ip",  # ip or ipv6: Wireshark's protocol of the addresses
    "client",  # the client's address
    "stream",  # tcp.stream of the connection
)
"""Every placeholder a Confirm section may use. A command is left out where one of its own has no value: where the client offered
something and OpenSSL has no name for any of it, the command would show what it never asked for."""

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?\Z", re.ASCII)
_ADDRESS = re.compile(r"[0-9a-fA-F:.]{2,45}\Z", re.ASCII)
_PROTOCOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,31}\Z", re.ASCII)
_OF_OFFER = ("cipher_flag", "groups_flag", "sigalgs_flag", "alpn_flag")
_NAMES = 24  # of one kind: a command has to stay readable
_STREAM = "\0"  # for the number of the stream: no value and no template holds one
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_FLAGS = {0x0301: "-tls1", 0x0302: "-tls1_1", 0x0303: "-tls1_2", 0x0304: "-tls1_3"}
_SIGNALS = (0x00FF, 0x5600)
"""Suites that are none: of renegotiation_info and of a fallback."""
_SSL3, _TLS12, _TLS13 = 0x0300, 0x0303, 0x0304
_NEWER = re.compile(r"MLKEM|tls13|mldsa")
"""Names that OpenSSL has learnt since 3.0, which refuses a whole list for one of them."""
_STARTTLS = {
    "smtp-starttls": "smtp",
    "lmtp-starttls": "lmtp",
    "imap-starttls": "imap",
    "pop3-stls": "pop3",
    "nntp-starttls": "nntp",
    "sieve-starttls": "sieve",
    "irc-starttls": "irc",
    "ftp-auth-tls": "ftp",
    "ldap-starttls": "ldap",
    "postgresql": "postgres",
    "mysql": "mysql",
}
_OF_CURL = ("smtp", "imap", "pop3", "ftp")
"""What curl speaks of these and shows line by line."""

_TUNNELS = {"http-connect": "http", "socks5": "socks5h", "socks4": "socks4a"}
"""By the way into them: the scheme by which curl is told of a proxy."""
_CLIENTS = {"psql": "postgresql"}
"""Programs that speak one protocol, by its dialogue: no help with any other."""
_INSTEAD = {
    "rdp": "nmap {family_flag} -Pn -p {port} --script rdp-enum-encryption {address}",
    "tds": "nmap {family_flag} -Pn -p {port} --script ssl-cert,ssl-enum-ciphers {address}",
    "proxy-protocol": "curl -vk --haproxy-protocol {resolve} {url}",
}
"""By what s_client cannot say before TLS: the command that can."""


def is_plain_host_name(name: str) -> bool:
    """Whether a name may stand in a command as it is: letters, digits, hyphens, underscores and dots only (RFC 952, 1123)."""
    return _HOST_NAME.match(name) is not None


def command_values(handshake: Handshake) -> dict[str, str | None]:
    """Value of each placeholder, safe to stand in a shell command; None where there is none to give."""
    return {**_values_of(*_told(handshake)), "stream": str(int(handshake.flow.stream))}


def _told(handshake: Handshake, *, whole: bool = True) -> tuple[Any, ...]:
    """What the commands depend on, but for the number of the stream; with ``whole`` what the client offered, which is long."""
    flow, hello = handshake.flow, handshake.client_hello
    version = _plain_version(handshake.selected_version or 0)
    if not version and hello is not None:
        version = hello.max_version
        if version == _TLS13 and _TLS12 in hello.supported_versions:
            version = 0  # as OpenSSL does by itself
    via = handshake.dialogue.via if handshake.dialogue is not None else ""
    target = (handshake.dialogue.target or "") if handshake.dialogue is not None else ""
    ends = flow.server_address, flow.server_port, flow.client_address, version, via, target
    if hello is None:
        return *ends, None, None
    if not whole:
        return *ends, hello.server_name, None
    offer = hello.cipher_suites, hello.max_version, hello.named_groups, hello.signature_schemes, hello.alpn
    return *ends, hello.server_name, offer


def _plain_version(version: int) -> int:
    """Drafts of TLS 1.3 are TLS 1.3."""
    return _TLS13 if version >> 8 in (0x7F, 0xFB) else version


@lru_cache(maxsize=256)
def _values_of(
    server: str, server_port: int, client: str, version: int, via: str, target: str, name: str | None, offer: tuple[Any, ...] | None
) -> dict[str, str | None]:
    plain = name if name and is_plain_host_name(name) else None
    address = server if _ADDRESS.match(server) else "ADDRESS"
    bracketed = f"[{address}]" if ":" in address else address
    port = str(int(server_port))
    at = f"{bracketed}:{port}"
    host_at = f"{plain or 'NAME'}:{port}" if name else at
    resolve = f"--resolve {shlex.quote(f'{plain}:{port}:{bracketed}')}" if plain else ""
    connect = shlex.quote(at)
    asked = _plain_target(target) if via in _TUNNELS else "HOST:443"
    if via in _TUNNELS:
        host_at, resolve = asked, f"-x {shlex.quote(f'{_TUNNELS[via]}://{at}')}"
        connect = shlex.quote(asked) + (f" -proxy {connect}" if via == "http-connect" else "")
    starttls = _STARTTLS.get(via, "")
    alone = None if version == _SSL3 else _FLAGS.get(version, "")  # no OpenSSL that is delivered speaks SSL 3.0
    return {
        "name": plain or "NAME",
        "address": address,
        "port": port,
        "connect": connect,
        "name_connect": shlex.quote(host_at),
        "url": shlex.quote(f"https://{host_at}/") if via in ("", "proxy-protocol", *_TUNNELS) else None,
        "starttls_url": shlex.quote(f"{starttls}://{host_at}/") if starttls in _OF_CURL else None,
        "proxy": shlex.quote(at),
        "target": shlex.quote(asked),
        "servername": f"-servername {plain or 'NAME'}" if name else "-noservername",
        "starttls": _starttls_of(via, plain or "NAME", server_port),
        "version_alone": alone,
        "version_flag": f"{alone} -cipher DEFAULT:@SECLEVEL=0" if alone in ("-tls1", "-tls1_1") else alone,
        "resolve": resolve,
        **(_flags_of(version, *offer) if offer is not None else dict.fromkeys(_OF_OFFER, "")),
        "nmap_name": f"--script-args tls.servername={plain}" if plain else "",
        "family_flag": "-6" if ":" in address else "",
        "ping_size": "1452" if ":" in address else "1472",
        "ip": "ipv6" if ":" in client else "ip",
        "client": client if _ADDRESS.match(client) else "CLIENT",
    }


def _starttls_of(via: str, name: str, port: int) -> str:
    """The option by which s_client asks for TLS; XMPP goes by the name of the server, which s_client would take from the address."""
    if via == "xmpp-starttls":
        return f"-starttls {'xmpp-server' if port == 5269 else 'xmpp'} -xmpphost {name}"
    return f"-starttls {_STARTTLS[via]}" if via in _STARTTLS else ""


def _plain_target(target: str) -> str:
    """Host and port that a proxy was asked for, where they may stand in a command."""
    host, colon, port = target.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    plain = is_plain_host_name(host) or (host != bare and _ADDRESS.match(bare) is not None)
    return target if colon and plain and port.isascii() and port.isdigit() and len(port) < 6 else "HOST:443"


@lru_cache(maxsize=256)
def _flags_of(
    version: int, suites: tuple[int, ...], max_version: int, groups: tuple[int, ...], schemes: tuple[int, ...], alpn: tuple[str, ...]
) -> dict[str, str | None]:
    """What the client offered as options of s_client. What OpenSSL has no name for is left out; None where it has for nothing."""
    from analyzer.registries.named_groups import OPENSSL_GROUP_NAMES
    from analyzer.registries.openssl_names import OPENSSL_NAMES, OPENSSL_RETIRED_NAMES
    from analyzer.registries.signature_schemes import OPENSSL_SIGALG_NAMES

    real = [code for code in suites if code & 0x0F0F != 0x0A0A and code not in _SIGNALS]
    newer, older = [code for code in real if code >> 8 == 0x13], [code for code in real if code >> 8 != 0x13]
    flags: list[str | None] = []
    if version != _TLS13 and older:
        names = [OPENSSL_NAMES.get(code) or OPENSSL_RETIRED_NAMES.get(code) or "" for code in older]
        # with SECLEVEL it is what the client offered and not what the local OpenSSL thinks of it
        flags.append(f"{_flag('-cipher', names)}:@SECLEVEL=0" if any(code in OPENSSL_NAMES for code in older) else None)
    if version in (0, _TLS13) and max_version >= _TLS13 and newer:
        flags.append(_flag("-ciphersuites", [OPENSSL_NAMES.get(code, "") for code in newer]))
    return {
        "cipher_flag": None if None in flags else " ".join(flag for flag in flags if flag),
        "groups_flag": _flag("-groups", _oldest([OPENSSL_GROUP_NAMES.get(code, "") for code in groups])),
        "sigalgs_flag": _flag("-sigalgs", _oldest([OPENSSL_SIGALG_NAMES.get(code, "") for code in schemes])),
        "alpn_flag": _flag("-alpn", [name if _PROTOCOL.match(name) else "" for name in alpn], ","),
    }


def _oldest(names: list[str]) -> list[str]:
    """Those that every OpenSSL takes, else all."""
    return [name for name in names if name and not _NEWER.search(name)] or names


def _flag(option: str, names: list[str], between: str = ":") -> str | None:
    """The option with its list; nothing where nothing was offered, None where nothing of it has a name."""
    if not names:
        return ""
    value = between.join([name for name in names if name][:_NAMES])
    return f"{option} {value}" if value else None


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
    return [command for template in templates if (command := _filled(template, values))]


@lru_cache(maxsize=256)
def _shows_offer(templates: tuple[str, ...]) -> bool:
    return any(f"{{{name}}}" in template for template in templates for name in _OF_OFFER)


@lru_cache(maxsize=256)
def _fill(templates: tuple[str, ...], told: tuple[Any, ...]) -> tuple[str, ...]:
    """The commands of all handshakes of which the same is told; the stream's number is put in last."""
    values = {**_values_of(*told), "stream": _STREAM}
    via = told[4]
    fitting = [template for template in templates if _CLIENTS.get(template.split(" ", 1)[0], via) == via]
    if via in _INSTEAD:
        fitting = list(dict.fromkeys(_INSTEAD[via] if "s_client -connect" in template else template for template in fitting))
    return tuple(command for template in fitting if (command := _filled(template, values)))


def _filled(template: str, values: dict[str, str | None]) -> str:
    """The command; nothing where a value it needs is not to be had."""
    needed = {name: values[name] for name in _PLACEHOLDER.findall(template) if name in values}
    if None in needed.values():
        return ""
    return re.sub(r" {2,}", " ", _PLACEHOLDER.sub(lambda match: needed.get(match[1], match[0]) or "", template)).strip()
