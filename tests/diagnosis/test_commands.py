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
        assert not value or all(shlex.quote(word) == word for word in value.split(" "))


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
    assert command == "openssl s_client -connect '[2001:db8::1]:443' -servername mail.example.com -starttls smtp -tls1_2 </dev/null"


def test_without_a_name_the_command_says_so():
    assert command_values(_handshake(None))["servername"] == "-noservername"
    assert command_values(_handshake(None))["name_connect"] == "192.0.2.1:443"


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
    assert len(fill_commands(psql, _handshake(None))) == 1


def test_where_tls_is_asked_for_in_another_protocol_there_is_no_url():
    filled = ["curl -v {resolve} {url}", "curl -v --ssl-reqd {resolve} {starttls_url}", "openssl s_client -connect {connect} {starttls}"]
    assert fill_commands(filled, _handshake(None)) == ["curl -v https://192.0.2.1:443/", "openssl s_client -connect 192.0.2.1:443"]
    assert fill_commands(filled, _handshake(None, via="imap-starttls")) == [
        "curl -v --ssl-reqd imap://192.0.2.1:443/", "openssl s_client -connect 192.0.2.1:443 -starttls imap",
    ]  # fmt: skip
    assert fill_commands(filled, _handshake(None, via="ldap-starttls")) == ["openssl s_client -connect 192.0.2.1:443 -starttls ldap"]


@pytest.mark.parametrize(("via", "program"), [("rdp", "nmap"), ("tds", "nmap"), ("proxy-protocol", "curl")])
def test_what_s_client_cannot_say_before_tls_another_program_says(via, program):
    both = ["openssl s_client -connect {connect}", "openssl s_client -connect {connect} -tls1_2"]
    (command,) = fill_commands(both, _handshake(None, via=via))
    assert command.startswith(program)


def test_xmpp_goes_by_the_name_of_the_server():
    assert command_values(_handshake("chat.example", via="xmpp-starttls"))["starttls"] == "-starttls xmpp -xmpphost chat.example"
    assert command_values(_handshake(None, via="xmpp-starttls"))["starttls"] == "-starttls xmpp -xmpphost NAME"


def _offering(max_version=0x0303, **offer) -> Handshake:
    handshake = _handshake("a.example")
    handshake.client_hello = ClientHello(100, max_version, b"", b"", offer.pop("suites", ()), **offer)
    return handshake


def test_an_offer_that_openssl_cannot_say_is_not_replaced_by_its_own():
    """GOST, SM4, RC4, an experiment, an unprintable protocol: a command that left them out would go through and refute what is so."""
    template = "openssl s_client {version_flag} {cipher_flag} {groups_flag} {sigalgs_flag} {alpn_flag}"
    unsaid = [("suites", 0xC100), ("suites", 0x0005), ("named_groups", 0x4138), ("signature_schemes", 0x0704), ("alpn", "\x01")]
    for kind, value in unsaid:
        offer = {kind: (value,)}
        assert fill_commands([template], _offering(**offer)) == [], offer
    assert fill_commands([template], _offering()) == ["openssl s_client -tls1_2"]


def test_an_offer_is_made_whatever_the_local_openssl_thinks_of_it():
    (command,) = fill_commands(["{version_alone} {cipher_flag}"], _offering(suites=(0x0A0A, 0x0005, 0x002F, 0x00FF)))
    assert command == "-tls1_2 -cipher RC4-SHA:AES128-SHA:@SECLEVEL=0"
    assert fill_commands(["{version_flag}"], _offering(0x0302)) == ["-tls1_1 -cipher DEFAULT:@SECLEVEL=0"]
    assert fill_commands(["{version_flag}"], _offering(0x0300)) == []


def test_names_newer_than_openssl_3_0_are_used_where_there_are_no_others():
    assert fill_commands(["{groups_flag}"], _offering(named_groups=(0x11EC, 0x001D))) == ["-groups X25519"]
    assert fill_commands(["{groups_flag}"], _offering(named_groups=(0x11EC,))) == ["-groups X25519MLKEM768"]


def test_a_client_that_takes_tls_1_3_and_1_2_is_not_narrowed_to_one():
    both = _offering(supported_versions=(0x0304, 0x0303), suites=(0x1304, 0xC02F))
    assert fill_commands(["x {version_flag} {cipher_flag}"], both) == [
        "x -cipher ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0 -ciphersuites TLS_AES_128_CCM_SHA256"
    ]
    assert fill_commands(["{version_flag}"], _offering(supported_versions=(0x0304,))) == ["-tls1_3"]


def test_addresses_of_ipv6_are_written_as_each_program_wants_them():
    handshake = _handshake(None, "2001:db8::1")
    handshake.flow.client_address = "2001:db8::2"
    templates = ["curl {url}", "nmap {family_flag} {address}", "tshark -Y '{ip}.src == {client}'", "ping -s {ping_size}"]
    filled = fill_commands(templates, handshake)
    assert filled == ["curl 'https://[2001:db8::1]:443/'", "nmap -6 2001:db8::1", "tshark -Y 'ipv6.src == 2001:db8::2'", "ping -s 1452"]
