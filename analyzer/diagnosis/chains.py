"""Memory of chains: judgements made once, and what other handshakes of the run showed of issuers and servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from analyzer.diagnosis.chain import ChainJudgement, judge_chain
from analyzer.diagnosis.host_names import site_of
from analyzer.diagnosis.recent import make_room
from analyzer.diagnosis.staple import Staple, read_staple
from analyzer.diagnosis.trust import TrustStore
from analyzer.model.finding import Outcome
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Certificate
from analyzer.registries.suite_facts import suite_facts

__all__ = ["Chains", "Served", "name_of", "time_of"]

_MOST = 8_192
_SITES = 64
_MINUTE = 60 * 10**9

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def time_of(handshake: Handshake) -> int:
    """When the certificates were judged by the client: ns since the epoch."""
    return handshake.server_hello_time or handshake.client_hello_time or handshake.flow.first_seen


def name_of(handshake: Handshake) -> str | None:
    """The name the client meant: server_name, else the host a proxy was asked for."""
    hello = handshake.client_hello
    if hello is not None and hello.server_name:
        return hello.server_name
    if handshake.dialogue is not None and handshake.dialogue.target:
        return handshake.dialogue.target.rpartition(":")[0].strip("[]") or handshake.dialogue.target
    return None


def _address_of(handshake: Handshake, name: str | None) -> str:
    """The address a client without a name may have asked for; after a dialogue in clear it knows the name from elsewhere."""
    hello = handshake.client_hello
    return "" if name or hello is None or handshake.dialogue is not None else handshake.flow.server_address


def _where(handshake: Handshake) -> tuple[str, int, str | None]:
    """The server, and the name it was asked for."""
    flow, hello = handshake.flow, handshake.client_hello
    return flow.server_address, flow.server_port, hello.server_name if hello is not None else None


@dataclass(slots=True, eq=False, repr=False)
class Served:
    """What is remembered of a handshake that showed a chain; with its segments and messages it would weigh ten times as much."""

    capture: int
    stream: int
    certificates: tuple[Certificate, ...]
    outcome: Outcome

    def is_of(self, handshake: Handshake) -> bool:
        """Whether it is this handshake that showed it."""
        return self.stream == handshake.flow.stream and self.capture == handshake.flow.capture


class Chains:
    """Chains of one run. Every table is bounded: the oldest entry goes."""

    def __init__(self, store: TrustStore) -> None:
        self.store = store
        self._judged: dict[tuple[object, ...], ChainJudgement] = {}
        self._authorities: dict[bytes, Certificate] = {}
        self._sites: dict[bytes, set[str]] = {}
        self._latest: dict[tuple[str, int, str | None], Served] = {}
        self._several: dict[tuple[str, int, str | None], None] = {}
        self._client_issuers: dict[str, set[bytes]] = {}
        self._seen: dict[tuple[str, str | None], None] = {}

    def learn(self, handshake: Handshake) -> None:
        """Remember the chain, its issuer's sites and its authorities; once for each leaf and name."""
        certificates = handshake.server_certificates
        if certificates:
            hello = handshake.client_hello
            name = hello.server_name if hello is not None else None
            key = (certificates[0].sha256, name)
            if key not in self._seen:
                _keep(self._seen, key, None)
                self._learn_chain(handshake, certificates, name)
        mine = handshake.client_certificates
        if mine:
            issuers = self._client_issuers.get(handshake.flow.client_address)
            if issuers is None:
                issuers = _keep(self._client_issuers, handshake.flow.client_address, set())
            if len(issuers) < _SITES:
                issuers.add(mine[0].issuer_der)

    def knows(self, handshake: Handshake, name: str | None) -> bool:
        """Whether the chain of this handshake was learned, for this name."""
        certificates = handshake.server_certificates
        return bool(certificates) and (certificates[0].sha256, name) in self._seen

    def _learn_chain(self, handshake: Handshake, certificates: tuple[Certificate, ...], name: str | None) -> None:
        flow, where = handshake.flow, _where(handshake)
        before = self._latest.get(where)
        if before is not None and before.certificates[0].sha256 != certificates[0].sha256:
            _keep(self._several, where, None)
        _keep(self._latest, where, Served(flow.capture, flow.stream, certificates, handshake.outcome))
        for certificate in certificates[1:]:
            if certificate.is_ca and certificate.subject_der not in self._authorities:
                _keep(self._authorities, certificate.subject_der, certificate)
                self._judged.clear()  # some may be judged otherwise now
        leaf = certificates[0]
        if name and leaf.issuer_der and not leaf.self_issued:
            sites = self._sites.get(leaf.issuer_der)
            if sites is None:
                sites = _keep(self._sites, leaf.issuer_der, set())
            if len(sites) < _SITES:
                sites.add(site_of(name))

    def note_outcome(self, handshake: Handshake) -> None:
        """Its outcome is another than when it was learned."""
        served = self._latest.get(_where(handshake)) if handshake.server_certificates else None
        if served is not None and served.is_of(handshake):
            served.outcome = handshake.outcome

    def judge(self, handshake: Handshake) -> ChainJudgement | None:
        """Judgement of the chain a handshake carries; None where it carries none that could be read."""
        certificates = handshake.server_certificates
        if not certificates:
            return None
        answer = handshake.server_hello
        facts = suite_facts(answer.cipher_suite) if answer is not None else None
        static_rsa = facts is not None and facts.key_exchange == "RSA" and facts.authentication == "RSA"
        return self._judge(certificates, handshake, static_rsa=static_rsa, complete=handshake.server_certificates_complete)

    def _judge(
        self, certificates: tuple[Certificate, ...], handshake: Handshake, *, static_rsa: bool = False, complete: bool = True
    ) -> ChainJudgement:
        """Judgement of a chain at the time and for the name of a handshake, made once for those of a minute."""
        now, name = time_of(handshake), name_of(handshake)
        in_time = tuple([c.not_before <= now <= c.not_after for c in certificates])  # which may change within the minute
        address = _address_of(handshake, name)
        key = (tuple([c.sha256 for c in certificates]), name or address, now // _MINUTE, in_time, static_rsa, complete)
        judged = self._judged.get(key)
        if judged is None:
            judged = judge_chain(
                certificates,
                name,
                now,
                self.store,
                known_issuer=self._authorities.get,
                static_rsa=static_rsa,
                complete=complete,
                address=address,
            )
            _keep(self._judged, key, judged)
        return judged

    def elsewhere(self, handshake: Handshake) -> tuple[ChainJudgement, int] | None:
        """Judgement, at this handshake's time, of the chain that its server showed for its name in another handshake.

        With it the stream number of that handshake. For handshakes that hide theirs (TLS 1.3). None where the server
        showed more than one certificate for the name: which of them the hidden one is cannot be told.
        """
        where = _where(handshake)
        other = self._latest.get(where)
        if other is None or other.is_of(handshake) or where in self._several:
            return None
        return self._judge(other.certificates, handshake), other.stream

    def served(self) -> Iterator[tuple[str, int, str | None, Served]]:
        """(address, port, name, what was served there last)."""
        for (address, port, name), served in self._latest.items():
            yield address, port, name, served

    def staple(self, handshake: Handshake) -> Staple | None:
        """The stapled OCSP response; None where there is none."""
        chain = handshake.server_certificates
        return read_staple(handshake.ocsp_response, chain[0].serial if chain else 0) if handshake.ocsp_response else None

    def sites_of_issuer(self, certificate: Certificate) -> int:
        """How many unrelated sites the issuer of a certificate signed for, as this run saw."""
        return len(self._sites.get(certificate.issuer_der, ()))

    def client_issuers(self, client_address: str) -> set[bytes]:
        """Issuers (DER) of certificates that a client sent anywhere in the run."""
        return self._client_issuers.get(client_address, set())


def _keep(table: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    make_room(table, _MOST)
    table[key] = value
    return value
