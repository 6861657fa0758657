"""First bytes get the name a person would give them."""

from __future__ import annotations

import struct

import pytest
from dialogue_scripts import (
    HELLO,
    MYSQL_SSL_REQUEST,
    SOCKS_OK,
    SSL_REQUEST,
    START_TLS,
    mysql,
    mysql_greeting,
    negotiation,
    prelogin,
    proxy_v2,
    tds,
    x224,
)
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dialogues import name_protocol

QUESTION = b"\x12\x34%b\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1"
CLIENT = [
    (b"GET / HTTP/1.1\r\n", "http"),
    (b"POST /x HTTP/1.0\r\n", "http"),
    (b"CONNECT a:443 HTTP/1.1\r\n", "http"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
    (b"EHLO a\r\n", "smtp"),
    (b"ehlo a\r\n", "smtp"),
    (b"USER bob\r\n", "ftp"),
    (b"AUTH TLS\r\n", "ftp"),
    (b"CAPA\r\n", "pop3"),
    (b"a1 CAPABILITY\r\n", "imap"),
    (b"NICK bob\r\n", "irc"),
    (b"*1\r\n$4\r\nPING\r\n", "redis"),
    (SSL_REQUEST, "postgresql"),
    (b"\0\0\0\x10\0\3\0\0user\0a\0\0", "postgresql"),
    (x224(0xE0, negotiation(1, 1)), "rdp"),
    (tds(0x12, prelogin(1)), "mssql"),
    (b"\x10\x0e\0\4MQTT\4\2\0\x3c\0\2ab", "mqtt"),
    (b"\0\0\0\x55\xffSMBr\0\0", "smb"),
    (b"\0\0\0\x55\xfeSMB@\0", "smb"),
    (START_TLS, "ldap"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "proxy-protocol"),
    (proxy_v2(0x11, bytes(12)), "proxy-protocol"),
    (b"\5\1\0", "socks5"),
    (b"\4\1\x01\xbb\xc0\0\2\1bob\0", "socks4"),
    (b"<?xml version='1.0'?><stream:stream to='x'>", "xmpp"),
    (b"AMQP\0\0\x09\x01", "amqp"),
    (b"get key\r\n", "memcached"),
    (b"INVITE sip:a@b SIP/2.0\r\n", "sip"),
    (b"OPTIONS rtsp://a/b RTSP/1.0\r\n", "rtsp"),
    (struct.pack(">H", 29) + QUESTION % b"\1\0", "dns-over-tcp"),
    (HELLO, "tls"),
    (b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
    (b"\x13BitTorrent protocol", "bittorrent"),
]
SERVER = [
    (b"HTTP/1.1 400 Bad Request\r\n", "http"),
    (b"<html><head>", "http"),
    (b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64", "http2"),
    (b"SSH-2.0-x\r\n", "ssh"),
    (b"220 mx.example ESMTP Postfix\r\n", "smtp"),
    (b"500 5.5.1 unrecognized command\r\n", "smtp"),
    (b"220 (vsFTPd 3.0.3)\r\n", "ftp"),
    (b"220 ready\r\n", "ftp"),
    (b"+OK Dovecot ready.\r\n", "pop3"),
    (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "imap"),
    (b"200 news.example InterNetNews ready\r\n", "nntp"),
    (b'"IMPLEMENTATION" "Dovecot Pigeonhole"\r\n', "sieve"),
    (b"-ERR unknown command '\x16'\r\n", "redis"),
    (b"-ERR unknown command\r\n", "redis"),
    (mysql_greeting(0xFFFF), "mysql"),
    (mysql(0, b"\xff\x6a\4Host is not allowed"), "mysql"),
    (b"N", "postgresql"),
    (b"E\0\0\0\x84SFATAL\0C0A000\0", "postgresql"),
    (x224(0xD0, negotiation(2, 1)), "rdp"),
    (tds(4, prelogin(2)), "mssql"),
    (b"\x20\2\0\0", "mqtt"),
    (b"RFB 003.008\n", "vnc"),
    (b":irc.example NOTICE * :*** hi\r\n", "irc"),
    (b"ERROR\r\n", "memcached"),
    (b"\5\0", "socks5"),
    (b"\xff\xfb\1", "telnet"),
    (b"\x15\3\1\0\2\2\x46", "tls"),
    (struct.pack(">H", 29) + QUESTION % b"\x81\x80", "dns-over-tcp"),
]


@pytest.mark.parametrize(("data", "name"), CLIENT, ids=[f"{name}-{number}" for number, (_, name) in enumerate(CLIENT)])
def test_client_bytes_are_named(data: bytes, name: str) -> None:
    assert name_protocol(data, from_client=True) == name


@pytest.mark.parametrize(("data", "name"), SERVER, ids=[f"{name}-{number}" for number, (_, name) in enumerate(SERVER)])
def test_server_bytes_are_named(data: bytes, name: str) -> None:
    assert name_protocol(data, from_client=False) == name


@pytest.mark.parametrize("data", [b"", b"\0", b"hello world\r\n", bytes(64), bytes(range(128, 192)), b"{}", MYSQL_SSL_REQUEST, SOCKS_OK])
def test_what_is_nothing_known_has_no_name(data: bytes) -> None:
    assert name_protocol(data, from_client=True) is None


@given(st.binary(max_size=700), st.booleans())
def test_any_bytes_have_a_name_or_none(data: bytes, from_client: bool) -> None:
    name = name_protocol(data, from_client)
    assert name is None or name.isascii()
    assert name == name_protocol(data[:512], from_client) or name == "dns-over-tcp"
