"""Two handshakes side by side: "it works from there, why not from here?"

``compare`` lists what differs in the offer, the answer, the certificate, the path and the end, leaves out what always differs
(randoms, session ids, key shares, ports, times), and ranks each difference by how well it explains the failure:

* the server built on something that the failing side did not offer: nearly proves it;
* the difference is what the cause of the failure is about;
* the difference belongs to the stage at which the failing one stopped (a certificate cannot explain a refused hello);
* otherwise it is only a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.diagnosis import differences
from analyzer.diagnosis.differences import Difference
from analyzer.model.handshake import Handshake, Stage
from analyzer.model.shown import Shown

__all__ = ["Comparison", "compare"]

EXPLAINS = 0.5
"""From here on a difference explains the failure, as far as one can see."""
_PROVES = 0.85


@dataclass(slots=True)
class Comparison(Shown):
    """What differs between a handshake that works and one that does not, best explanation first."""

    good: Handshake
    bad: Handshake
    same_client: bool
    same_server: bool
    differences: list[Difference] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    """Names of what was compared and does not differ."""

    @property
    def explanation(self) -> Difference | None:
        """The difference that explains best, None when none does."""
        return next((d for d in self.differences[:1] if d.explains >= EXPLAINS), None)

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        return _sentence(self)

    def __str__(self) -> str:
        lines = [f"{d.name}: {d.good} | {d.bad}" for d in self.differences]
        return "\n".join([*lines, self.sentence])


def compare(good: Handshake, bad: Handshake) -> Comparison:
    """Compare two judged handshakes; ``bad`` is the one to be explained."""
    comparison = Comparison(
        good,
        bad,
        same_client=good.flow.client_address == bad.flow.client_address,
        same_server=(good.flow.server_address, good.flow.server_port) == (bad.flow.server_address, bad.flow.server_port),
    )
    early = Stage.RANK[bad.stage] <= Stage.RANK[Stage.SERVER_ALERT]
    about = _about(bad)
    for found, name in differences.find(good, bad):
        if found is None:
            comparison.same.append(name)
            continue
        score = found.explains or _base(found, bad, early)
        if found.part == "offer" and bad.server_hello is not None:
            score = min(score, _base(found, bad, early))  # the server found enough in this offer to go on
        if found.name in about:
            score = max(score, 0.7) + 0.1
        comparison.differences.append(found.ranked(min(score, 1.0) if bad.outcome != "completed" else 0.0))
    comparison.differences.sort(key=lambda d: -d.explains)
    return comparison


_OF_THE_OFFER = {
    "versions": 0.45,
    "cipher suites": 0.45,
    "groups": 0.4,
    "signature schemes": 0.35,
    "server name": 0.5,
    "ALPN": 0.35,
    "extensions": 0.25,
    "size of the hello": 0.3,
    "way to TLS": 0.5,
}
_OF_THE_ANSWER = {
    "certificate": 0.5,
    "certificate flight": 0.45,
    "version chosen": 0.4,
    "suite chosen": 0.25,
    "client certificate": 0.45,
    "server": 0.4,
}
_OF_THE_PATH = {"segment size": 0.35, "loss": 0.35, "server's TTL": 0.35, "round trip": 0.2}
_SILENT = frozenset({Stage.SYN, Stage.REFUSED, Stage.CONNECTED, Stage.CLIENT_HELLO_UNACKED, Stage.CLIENT_HELLO})


def _base(d: Difference, bad: Handshake, early: bool) -> float:
    """How well a difference of this kind explains a failure at this stage, knowing nothing else."""
    silent = bad.stage in _SILENT and not bad.alerts
    if d.name in _OF_THE_PATH:
        return _OF_THE_PATH[d.name] + (0.15 if silent else -0.15)
    if d.name == "size of the hello" and silent:
        return 0.5
    if d.name in _OF_THE_OFFER:
        return _OF_THE_OFFER[d.name] if early else _OF_THE_OFFER[d.name] / 2
    return _OF_THE_ANSWER.get(d.name, 0.1) if not early or d.name == "server" else 0.1


_ABOUT: tuple[tuple[str, tuple[str, ...]], ...] = (
    # what a cause is about, by the begin of its id; the longest that fits counts
    ("client-version", ("versions",)),
    ("version-", ("versions",)),
    ("tls13-middlebox", ("versions", "size of the hello")),
    ("sslv2", ("versions",)),
    ("inappropriate-fallback", ("versions",)),
    ("downgrade", ("version chosen",)),
    ("no-common-cipher", ("cipher suites",)),
    ("insufficient-security", ("cipher suites", "versions")),
    ("no-common-group", ("groups",)),
    ("hrr-", ("groups",)),
    ("dh-key", ("cipher suites",)),
    ("no-common-sigalg", ("signature schemes",)),
    ("legacy-sigalg", ("signature schemes",)),
    ("cert-key-type", ("cipher suites", "signature schemes")),
    ("alpn-", ("ALPN",)),
    ("http2-", ("ALPN", "suite chosen")),
    ("sni-", ("server name",)),
    ("ech-", ("server name", "extensions")),
    ("ems-", ("extensions",)),
    ("missing-extension", ("extensions",)),
    ("unsafe-legacy", ("extensions",)),
    ("grease", ("extensions",)),
    ("unsupported-extension", ("extensions",)),
    ("psk-", ("extensions", "resumption")),
    ("ticket-", ("resumption",)),
    ("early-data", ("extensions",)),
    ("large-client-hello", ("size of the hello",)),
    ("pmtu-blackhole-client", ("size of the hello", "segment size")),
    ("pmtu-blackhole-server", ("segment size", "certificate")),
    ("client-hello-unacked", ("size of the hello", "loss")),
    ("loss", ("loss",)),
    ("cert-", ("certificate", "certificate flight")),
    ("ocsp-", ("certificate",)),
    ("tls-interception", ("certificate",)),
    ("clock-skew", ("certificate",)),
    ("client-cert", ("client certificate",)),
    ("mtls-", ("client certificate",)),
    ("starttls-", ("way to TLS",)),
    ("proxy-", ("way to TLS",)),
    ("middlebox-", ("server's TTL",)),
)


def _about(bad: Handshake) -> tuple[str, ...]:
    cause = bad.finding.cause if bad.finding is not None else ""
    fitting = [(len(begin), names) for begin, names in _ABOUT if cause.startswith(begin)]
    return max(fitting)[1] if fitting else ()


def _sentence(c: Comparison) -> str:
    bad, good = c.bad, c.good
    if bad.outcome == "completed":
        return "Both completed: there is no failure to explain." if good.outcome == "completed" else (
            "The second one completed; the other way round there may be something to explain."
        )  # fmt: skip
    failed = {"failed": "failed", "unfinished": "does not end in the capture", "no-handshake": "never began"}[bad.outcome]
    named = f" of {bad.finding.cause}" if bad.finding is not None and bad.outcome == "failed" else ""
    both = "" if good.outcome == "completed" else f" (the other one did not complete either: {_verdict(good)})"
    best = c.explanation
    if best is not None:
        proved = best.explains >= _PROVES and (bad.finding is None or bad.finding.confidence != "possible")
        sure = "because" if proved else "probably because"
        return f"The second handshake {failed}{named}{both}, {sure} {best.says}."
    telling = [d for d in c.differences if d.part != "end"]
    if not telling:
        return (
            f"The second handshake {failed}{named}{both}, and nothing that shows differs: what decides lies with the server, "
            "its state or the moment."
        )
    return f"The second handshake {failed}{named}{both}; nothing that differs explains it well, first to look at: {telling[0].says}."


def _verdict(h: Handshake) -> str:
    return h.finding.cause if h.finding is not None else h.outcome
