"""Causes that only other connections can tell: balancers without servers, limits, restarts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conversations import FIN, RST, Conversation, Wire, alert, data, finished_flights, hello, server_hello, verdict

from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture
def wire(tmp_path):
    return Wire(tmp_path / "wire.pcap")


def answered(wire, **how):
    first, second, third = finished_flights()
    talk = wire.connect(**how).client(hello()).server(first).client(second).server(third)
    talk.client(data()).server(data()).client(data()).server(data())
    wire.pause(0.5)


def shut(wire, how="fin", name="server.example", **ends):
    talk = wire.connect(**ends).client(hello(name), acknowledged=how == "fin")
    if how == "fin":
        talk.close(False, wait=0.5)
    else:
        talk.reset(False, wait=25)
    wire.pause(0.5)


def causes(wire):
    return [h.finding.cause if h.finding else None for h in wire.read()]


def test_every_client_is_shut_out(wire):
    for number in range(4):
        shut(wire, client=f"192.0.2.{number + 1}")
    assert causes(wire) == ["lb-no-backend"] * 4


def test_every_name_is_shut_out(wire):
    for name in ("a.example", "b.example", "c.example", "d.example"):
        shut(wire, name=name)
    assert causes(wire) == ["lb-no-backend"] * 4


def test_one_client_that_is_shut_out_proves_no_dead_balancer(wire):
    for _ in range(4):
        shut(wire)
    assert causes(wire) == ["server-fin-after-hello"] * 4


def test_server_that_answers_others_has_something_behind_it(wire):
    for number in range(3):
        shut(wire, client=f"192.0.2.{number + 1}")
    answered(wire, client="192.0.2.9")
    assert "lb-no-backend" not in causes(wire)


def test_resets_to_many_clients_may_be_a_filter(wire):
    for number in range(4):
        shut(wire, "rst", client=f"192.0.2.{number + 1}")
    assert causes(wire) == ["server-rst-after-hello"] * 4


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_limit_for_one_client(wire, how):
    answered(wire)
    answered(wire)
    shut(wire, how)
    shut(wire, how)
    found = wire.read()
    assert [h.outcome for h in found[:2]] == ["completed", "completed"]
    # alone it may as well be that what stands behind the server has gone
    assert [verdict(h) for h in found[2:]] == [("rate-limit-close", "possible", "failed", "server")] * 2


def test_limit_for_one_client_while_others_are_served(wire):
    answered(wire)
    answered(wire)
    shut(wire)
    shut(wire)
    answered(wire, client="192.0.2.9")
    assert [verdict(h) for h in wire.read()[2:4]] == [("rate-limit-close", "likely", "failed", "server")] * 2


def test_limit_that_is_an_alert(wire):
    answered(wire)
    answered(wire)
    for _ in range(2):
        wire.connect().client(hello()).server(alert(49)).close(False)
        wire.pause(0.5)
    assert causes(wire)[2:] == ["rate-limit-close"] * 2


def test_server_that_dies_for_everybody_is_no_limit(wire):
    answered(wire)
    answered(wire)
    shut(wire)
    shut(wire)
    shut(wire, client="192.0.2.8")
    assert "rate-limit-close" not in causes(wire)


def test_server_that_comes_back_is_no_limit(wire):
    answered(wire)
    answered(wire)
    shut(wire)
    shut(wire)
    answered(wire)
    assert "rate-limit-close" not in causes(wire)


def test_another_hello_is_refused_for_itself(wire):
    answered(wire)
    answered(wire)
    for _ in range(2):
        talk = wire.connect().client(hello(suites=(0x0005,)))
        talk.close(False, wait=0.5)
        wire.pause(0.5)
    assert "rate-limit-close" not in causes(wire)


def refused(wire, **how):
    Conversation(wire, **how).packet(True, 2).packet(False, RST | 16, wait=20)


def test_restart_told_by_the_refusals_after_it(wire):
    wire.connect().client(hello()).server(server_hello()).reset(False, wait=100)
    wire.pause(0.3)
    refused(wire, client="192.0.2.8")
    wire.pause(0.3)
    refused(wire, client="192.0.2.9")
    assert verdict(wire.read()[0]) == ("server-restart-mid-handshake", "likely", "failed", "server")


def test_crash_told_by_connections_that_fell_together(wire):
    talks = []
    for number in range(3):
        talks.append(wire.connect(client=f"192.0.2.{number + 1}").client(hello()).server(server_hello()))
        wire.pause(0.4)
    for talk in talks:
        talk.reset(False, wait=1)
    assert causes(wire) == ["server-restart-mid-handshake"] * 3


def test_resets_at_different_times_are_no_crash(wire):
    for number in range(3):
        wire.connect(client=f"192.0.2.{number + 1}").client(hello()).server(server_hello()).reset(False, wait=100)
        wire.pause(2)
    assert causes(wire) == ["server-closed-mid-handshake"] * 3


def test_refusal_long_before_is_no_restart(wire):
    refused(wire, client="192.0.2.8")
    wire.pause(5)
    wire.connect().client(hello()).server(server_hello()).reset(False, wait=100)
    assert causes(wire)[-1] == "server-closed-mid-handshake"


def test_health_check_of_a_balancer_says_how_often(wire):
    for _ in range(3):
        wire.connect().packet(True, FIN | 16).packet(False, FIN | 16, wait=20)
        wire.pause(5)
    last = wire.read()[-1]
    assert last.finding.cause == "connect-close-probe"
    assert any("2 more times" in item.says for item in last.finding.evidence)


# -- recorded -----------------------------------------------------------------------------------------------------------------------------

FAMILY = (
    "connect-close-probe", "happy-eyeballs-loser", "client-never-speaks", "client-hello-no-answer", "server-rst-after-hello",
    "server-fin-after-hello", "lb-no-backend", "server-slow", "client-timeout", "http-on-tls-port", "tls-on-plaintext-port",
    "non-tls-client-bytes", "proxy-protocol-mismatch", "starttls-not-offered", "starttls-refused", "implicit-vs-starttls",
    "proxy-connect-refused", "proxy-connect-timeout", "socks-failure", "http2-inadequate-security", "server-restart-mid-handshake",
    "rate-limit-close", "client-closed-mid-handshake", "server-closed-mid-handshake",
)  # fmt: skip

UNKNOWABLE = {
    "http2-inadequate-security--chromium-nginx-tls12": "named all the same, as possible",
    "http2-inadequate-security--curl-go-tls12": "the client closes first, when it has read that the server objects",
}


def recorded():
    return sorted(label.parent.name for label in CAPTURES.glob("*/expected.json") if label.parent.name.split("--")[0] in FAMILY)


@pytest.mark.parametrize("name", recorded())
def test_recorded(name):
    folder = CAPTURES / name
    expected = json.loads((folder / "expected.json").read_text())
    run = Run([str(folder / "capture.pcapng")], Options())
    handshake = next(h for h in run.handshakes() if h.flow.stream == expected["stream"])
    assert not run.diagnosis.bugs, run.diagnosis.bugs[0].traceback
    cause, _, outcome, by = verdict(handshake)
    want = expected.get("cause_without_keys") or expected["cause"]
    if name in UNKNOWABLE:
        assert (cause, by) != (want, expected["aborted_by"]), "no longer unknowable: take it off the list"
        return
    assert (cause, outcome, by) == (want, expected["outcome"], expected["aborted_by"])


def test_refusals_of_one_client_while_others_are_served_are_no_restart(wire):
    """A ban: this client is refused from then on."""
    wire.connect().client(hello()).server(server_hello()).reset(False, wait=100)
    wire.pause(0.3)
    wire.connect(client="192.0.2.8").client(hello()).server(server_hello())
    wire.pause(0.3)
    refused(wire, client="192.0.2.1")
    assert causes(wire)[0] == "server-closed-mid-handshake"
