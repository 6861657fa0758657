"""The sieve of handshakes that did not complete leaves out no rule that would have said something."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from analyzer.diagnosis import registry
from analyzer.diagnosis.context import Context
from analyzer.diagnosis.oddities import Oddity, find_signs
from analyzer.diagnosis.rule import Rule, bit_of_alert
from analyzer.model.handshake import Dialogue, Handshake, Stage
from analyzer.model.hello import Alert
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).resolve().parents[3] / "shared" / "corpus"))
ABOUT_ALERTS = frozenset({
    "access-denied", "bad-record-mac", "client-cert-key-mismatch", "client-cert-revoked", "decode-error", "decrypt-error",
    "illegal-parameter", "inappropriate-fallback", "insufficient-security", "internal-error", "legacy-sigalg-seclevel",
    "missing-extension", "unexpected-message", "unsafe-legacy-renegotiation", "unsupported-extension",
})  # fmt: skip
"""What they hear is what they are about: asked beside another alert they would say what is not so."""
FEW = 3
"""Recordings of a family taken for altering."""


def settled(capture: Path) -> list[tuple[Handshake, Context]]:
    """The handshakes of a recording that did not complete, settled and not judged."""
    run = Run([str(capture)])
    run.diagnosis._apply = lambda handshake, rules: None
    return [(h, run.diagnosis.context) for h in run.handshakes() if h.outcome != "completed"]


def admitted(handshake: Handshake, context: Context) -> set[str]:
    """Rules that the sieve lets through."""
    alert = handshake.closing_alert
    odd = find_signs(handshake, context)
    rules = registry.load_causes(handshake.stage, handshake.outcome, odd, bit_of_alert(alert))
    return {rule.cause for rule in rules if rule.hears(alert) and _is_named(rule, handshake, context)}


def _is_named(rule: Rule, handshake: Handshake, context: Context) -> bool:
    look = rule.candidates(handshake.stage, handshake.closing_alert)
    return look is None or rule.cause in look(handshake, context)


def sifted_out(handshake: Handshake, context: Context) -> list[str]:
    """Rules that it keeps away and that have something to say."""
    kept = admitted(handshake, context)
    rules = (rule for rule in registry.load_causes(handshake.stage, handshake.outcome) if rule.cause not in kept)
    asked = (rule for rule in rules if rule.cause not in ABOUT_ALERTS or rule.hears(handshake.closing_alert))
    return [rule.cause for rule in asked if rule.examine(handshake, context) is not None]


@cache
def families() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for capture in sorted(CAPTURES.glob("*/capture.pcapng")):
        found.setdefault(capture.parent.name.partition("--")[0], []).append(capture)
    return found


@pytest.mark.parametrize("family", families())
def test_recorded(family: str) -> None:
    failed = [pair for capture in families()[family] for pair in settled(capture)]
    assert [(pair[0], sifted_out(*pair)) for pair in failed if sifted_out(*pair)] == []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus")
def test_corpus() -> None:
    captures = [path for path in sorted(CORPUS.rglob("*")) if path.suffix in (".pcap", ".pcapng") and path.stat().st_size < 4_000_000]
    failed = [pair for capture in captures for pair in settled(capture)]
    assert [(pair[0], sifted_out(*pair)) for pair in failed if sifted_out(*pair)] == []


def altered(rng: random.Random) -> Iterator[tuple[Handshake, Context]]:
    """Copies of the recorded ones with some things changed that a rule might look at, most often the alert that closed them."""
    flow_values = {
        "client_gaps": (0, 9), "server_gaps": (0, 9), "duplicates": (0, 1, 2, 7), "truncated": (0, 3), "tunnel": (0, 1), "syn_frame": (0, 1),
        "syn_ack_frame": (0, 2), "client_mss": (0, 300, 1_460), "server_mss": (0, 300, 1_460), "client_frames": (0, 9),
        "server_frames": (0, 9), "client_fin_frame": (0, 900), "server_fin_frame": (0, 900), "client_rsts": (0, 1), "server_rsts": (0, 1),
        "server_rst_frame": (0, 900),
    }  # fmt: skip
    values = {
        "decryption": ("", "failed", "full"), "client_hello": (None,), "server_hello": (None,), "hello_retry": (None,), "faults": ([],),
        "dialogue": (None, Dialogue("http-connect", "refused"), Dialogue("smtp-starttls", "asked")), "ocsp_response": (None, b"0"),
        "server_hello_time": (0, 4_000_000_000 * 10**9), "client_hello_segments": (1, 2), "client_hello_incomplete": (0, 700),
        "client_certificate_requested": (True, None), "client_certificate_sent": (True, False, None), "renegotiations": (0, 1),
        "stage": tuple(Stage.RANK), "outcome": ("failed", "failed", "unfinished", "no-handshake"), "server_certificates": ((),),
    }  # fmt: skip
    spoken = (
        0, 10, 20, 22, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 86, 90, 100, 109, 110, 112, 113, 115, 116, 120, 121,
    )  # fmt: skip
    for captures in families().values():
        for handshake, context in (pair for capture in captures[:FEW] for pair in settled(capture)):
            for _ in range(8):
                copied = copy.copy(handshake)
                copied.alike = 0  # altered, it is like no other
                copied.flow = copy.copy(handshake.flow)
                if rng.random() < 0.7:
                    from_client = rng.random() < 0.5
                    alert = Alert(900, 0, from_client, rng.choice((1, 2)), rng.choice([*spoken, None]), position=len(handshake.messages))
                    copied.alerts = [*([] if rng.random() < 0.5 else handshake.alerts), alert]
                    copied.closing_alert, copied.aborted_by = alert, "client" if from_client else "server"
                elif rng.random() < 0.5:
                    copied.alerts, copied.closing_alert = [], None
                    copied.aborted_by = rng.choice(("client", "server", "unknown"))
                for _ in range(rng.randint(0, 3)):
                    changed, choices = (copied.flow, flow_values) if rng.random() < 0.4 else (copied, values)
                    name = rng.choice(list(choices))
                    setattr(changed, name, rng.choice(choices[name]))
                other = Context(context.options)
                other.__dict__.update(context.__dict__)
                other.remembered = {}
                other.in_order, other.longest_segment = rng.choice((True, False, None)), rng.choice((0, 300, 1_460, 9_000))
                yield copied, other


def test_altered() -> None:
    rng = random.Random(7)
    seen = 0
    for handshake, context in altered(rng):
        assert sifted_out(handshake, context) == [], handshake
        seen |= find_signs(handshake, context)
    declared = {rule.signs for rule in registry.load_rules().values()} - {0, Oddity.TWIN}
    assert [bit for bit in declared if not seen & bit] == []


def test_a_wrong_declaration_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = [pair for capture in families()["alpn-mismatch"][:FEW] for pair in settled(capture)]
    monkeypatch.setattr(type(registry.find_rule("alpn-mismatch")), "signs", Oddity.HEARTBEAT)
    registry.load_causes.cache_clear()
    try:
        assert any("alpn-mismatch" in sifted_out(*pair) for pair in failed)
    finally:
        registry.load_causes.cache_clear()
