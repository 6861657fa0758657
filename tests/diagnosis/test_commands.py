"""Commands to run: nothing that came off the wire reaches a shell unquoted."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.diagnosis import registry
from analyzer.diagnosis.commands import command_values, fill_commands, is_plain_host_name
from analyzer.model.handshake import Dialogue, Flow, Handshake
from analyzer.model.hello import ClientHello

HOSTILE = [
    "$(reboot).example", "a;reboot", "`id`", "a b", "-servername", "--help", "a\nb", "a'b", 'a"b', "a|b", "a&b", "a>b", "*", "~", "\x00",
    "a\u202eb", "..", "", "a..b", ".a", "é.example", "a/../b", "{port}", "x" * 300, "a%n", "!history", "#", "\\",
]  # fmt: skip


def _handshake(name: str | None, address: str = "192.0.2.1", via: str | None = None) -> Handshake:
    handshake = Handshake(Flow(0, 3, 0, "192.0.2.9", 4, address, 443, 1, 2, 1, 2, "syn"))
    handshake.client_hello = ClientHello(100, 0x0303, b"", b"", (), server_name=name)
    if via:
        handshake.dialogue = Dialogue(via, target=name)
    return handshake


def _templates() -> list[str]:
    return [command for cause in registry.load_rules() for command in registry.read_page(cause).commands]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_leaves_no_trace_in_any_command(name):
    assert not is_plain_host_name(name)
    if name:
        assert fill_commands(_templates(), _handshake(name)) == fill_commands(_templates(), _handshake(" "))


@given(st.text(max_size=80))
def test_any_name_is_one_plain_word_or_no_word(name):
    for value in command_values(_handshake(name)).values():
        assert value == "" or all(shlex.quote(word) == word for word in value.split(" "))


@given(st.text(max_size=30), st.text(max_size=30))
def test_values_of_a_rule_are_quoted(name, value):
    (command,) = fill_commands(["echo {thing}"], _handshake(name), {"thing": value})
    if "  " not in value and value == value.strip():
        assert shlex.split(command) == ["echo", value]


@pytest.mark.parametrize("address", ["$(id)", "1.2.3.4; id", "::1 -x", ""])
def test_address_that_is_none(address):
    assert command_values(_handshake("a.example", address))["connect"] == "ADDRESS:443"


def test_good_values_are_filled_in():
    (command,) = fill_commands(
        ["openssl s_client -connect {connect} {servername} {starttls} {version_flag} </dev/null"],
        _handshake("mail.example.com", "2001:db8::1", "smtp-starttls"),
    )
    assert command == "openssl s_client -connect [2001:db8::1]:443 -servername mail.example.com -starttls smtp -tls1_2 </dev/null"


def test_without_a_name_the_command_says_so():
    assert command_values(_handshake(None))["servername"] == "-noservername"
    assert command_values(_handshake(None))["host"] == "192.0.2.1"


@pytest.mark.parametrize("via", ["http-connect", "socks5", "socks4"])
@pytest.mark.parametrize("name", [name + port for name in HOSTILE if name for port in ("", ":443", ":", ":$(x)")])
def test_hostile_target_of_a_tunnel_leaves_no_trace(via, name):
    templates = _templates()
    tunnelled = _handshake("plain.example", via=via)
    tunnelled.dialogue.target = name
    nowhere = _handshake("plain.example", via=via)
    nowhere.dialogue.target = None
    assert fill_commands(templates, tunnelled) == fill_commands(templates, nowhere)


def test_behind_a_proxy_commands_go_through_it():
    handshake = _handshake("inner.example", address="192.0.2.7", via="http-connect")
    handshake.dialogue.target = "inner.example:8443"
    filled = fill_commands(["openssl s_client -connect {connect} {servername}", "curl -v {resolve} https://{name_connect}/"], handshake)
    assert filled == [
        "openssl s_client -connect inner.example:8443 -proxy 192.0.2.7:443 -servername inner.example",
        "curl -v -x http://192.0.2.7:443 https://inner.example:8443/",
    ]


def test_a_program_of_another_protocol_is_no_help():
    psql = ['psql "host={address}"', "openssl s_client -connect {connect} {starttls}"]
    assert len(fill_commands(psql, _handshake(None, via="smtp-starttls"))) == 1
    assert len(fill_commands(psql, _handshake(None, via="postgresql"))) == 2
    assert len(fill_commands(psql, _handshake(None))) == 2
