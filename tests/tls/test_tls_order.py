"""The order of messages: what real handshakes look like is legal, what was swapped is found once."""

from __future__ import annotations

import pytest

from analyzer.registries.handshake_types import HANDSHAKE_TYPES
from analyzer.tls.order import AFTER, BEGIN, find_disorder


def sequence(text: str) -> list[tuple[bool, str]]:
    return [(word[0] == ">", word[1:]) for word in text.split()]


FULL12 = (
    ">client_hello <server_hello <certificate <certificate_status <server_key_exchange <certificate_request "
    "<server_hello_done >certificate >client_key_exchange >certificate_verify >change_cipher_spec >finished "
    "<new_session_ticket <change_cipher_spec <encrypted_handshake >application_data <application_data >alert"
)
LEGAL = [
    (False, FULL12),
    (False, (">client_hello <server_hello <change_cipher_spec <encrypted_handshake >change_cipher_spec "
            ">encrypted_handshake >application_data <application_data")),
    (False, (">client_hello <server_hello <certificate <server_hello_done >client_key_exchange >change_cipher_spec "
            ">encrypted_handshake >application_data <change_cipher_spec <encrypted_handshake")),  # false start
    (False, FULL12.removesuffix(" >alert") + " <hello_request " + FULL12),  # renegotiation
    (False, ">client_hello <alert"),
    (True, (">client_hello <hello_retry_request <change_cipher_spec >change_cipher_spec >client_hello <server_hello "
           "<encrypted_extensions <certificate_request <certificate <certificate_verify <finished >certificate "
           ">certificate_verify >finished <new_session_ticket <new_session_ticket >key_update >application_data")),
    (True, (">client_hello >application_data <server_hello <encrypted_extensions <finished >application_data "
           ">end_of_early_data >finished <application_data")),
    (True, ">client_hello <server_hello <change_cipher_spec <application_data >change_cipher_spec >application_data"),
    (True, (">client_hello <server_hello <encrypted_extensions <compressed_certificate <certificate_verify <finished "
           ">finished <certificate_request >certificate >certificate_verify >finished")),
]  # fmt: skip


@pytest.mark.parametrize(("tls13", "text"), LEGAL)
def test_accepts_what_is_legal(tls13: bool, text: str) -> None:
    assert find_disorder(sequence(text), tls13=tls13) == []


@pytest.mark.parametrize(
    ("tls13", "text", "expected"),
    [
        (False, ">client_hello <certificate <server_hello_done", [(1, "certificate from the server as the first message")]),
        (False, ">client_hello <server_hello <server_hello_done <certificate <server_hello_done",
         [(3, "certificate from the server after server_hello_done")]),
        (False, ">client_hello >change_cipher_spec >client_key_exchange",
         [(2, "client_key_exchange from the client after change_cipher_spec")]),
        (False, ">server_hello", [(0, "server_hello from the client, which sends no such message in this version")]),
        (True, ">client_hello <server_hello <finished", [(2, "finished from the server after server_hello")]),
        (True, ">client_hello <server_hello <server_key_exchange",
         [(2, "server_key_exchange from the server, which sends no such message in this version")]),
    ],
)  # fmt: skip
def test_finds_what_is_not(tls13: bool, text: str, expected: list[tuple[int, str]]) -> None:
    assert find_disorder(sequence(text), tls13=tls13) == expected


def test_takes_a_begin_that_was_not_captured_as_it_is() -> None:
    cut = sequence("<certificate <server_hello_done >client_key_exchange >change_cipher_spec")
    assert find_disorder(cut, tls13=False, from_begin=False) == []
    assert len(find_disorder(cut, tls13=False)) == 2


def test_the_table_speaks_of_real_messages() -> None:
    known = set(HANDSHAKE_TYPES.values()) | {"change_cipher_spec", "application_data", "encrypted_handshake", BEGIN}
    for table in AFTER.values():
        for kind, before in table.items():
            assert kind in known
            assert before <= known
            assert before - {BEGIN} <= set(table) | {"key_update"}, kind
