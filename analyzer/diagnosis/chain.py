"""Judgement of a server's certificate chain at the time of the capture: everything a client could object to.

The path is built from what was sent, by issuer and key identifiers, as clients do; each fault becomes a
``Problem`` under the id of the cause it would be. Hard problems are facts of the bytes (a date, a name); soft
ones depend on the client's trust store or policy, which a capture does not show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.diagnosis.host_names import common_name_matches, covers_name, is_address, wildcard_beside
from analyzer.diagnosis.trust import TrustStore, is_signed_by, load_certificate
from analyzer.model.hello import Certificate

__all__ = ["FIRST_DAY", "ChainJudgement", "Problem", "build_path", "judge_chain"]

_DAY = 86_400 * 10**9
_SERVER_AUTH = frozenset({"1.3.6.1.5.5.7.3.1", "2.5.29.37.0", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"})
_WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
_MEASURED_KEYS = 8_192
"""Bits of the longest key whose signatures are checked: longer ones cost too much time."""
FIRST_DAY = 9_131 * _DAY
"""The first day of 1995, when there was no TLS yet: ns since the epoch."""
_TOO_FAR = 366 * _DAY
"""ns: nobody issues a certificate for so long from now; a clock that lost its battery is years behind."""
_LONGEST_LIFE = 398
"""Days: CA/Browser Forum Baseline Requirements since September 2020 (less from 2026 on)."""


class Problem(NamedTuple):
    """One thing a client may object to."""

    cause: str
    place: int
    """Index of the certificate in the chain as sent."""
    says: str
    """A plain sentence without its full stop."""
    hard: bool = True
    """A fact of the bytes; False where the client's store or policy decides."""


@dataclass(slots=True)
class ChainJudgement:
    """What is wrong with a chain. ``problems`` are in the order in which verifiers mostly report them."""

    certificates: tuple[Certificate, ...]
    name: str | None
    time: int
    path: tuple[int, ...] = ()
    """Indices from the leaf upwards, as far as what was sent goes."""
    problems: list[Problem] = field(default_factory=list)
    trusted: bool | None = None
    """The path ends at a root of the store; None where there is no store, or it cannot be told."""
    covers: bool | None = None
    """The leaf covers the name asked for; None without a name."""
    product: str | None = None
    """An interception product its issuer names."""
    address: str = ""
    """Where a client without a name connected to: names go into a hello, addresses do not (RFC 6066 section 3)."""

    @property
    def leaf(self) -> Certificate:
        """The server's own certificate."""
        return self.certificates[0]

    def of(self, cause: str) -> Problem | None:
        """The problem of a cause, or None."""
        return next((problem for problem in self.problems if problem.cause == cause), None)


def build_path(certificates: tuple[Certificate, ...]) -> tuple[int, ...]:
    """Indices of the certificates that lead upwards from the leaf (RFC 5280 section 6: names, then key identifiers)."""
    path = [0]
    while True:
        current = certificates[path[-1]]
        if _is_root(current) or not current.issuer_der:
            return tuple(path)
        above = [
            place
            for place, candidate in enumerate(certificates)
            if place not in path and candidate.subject_der == current.issuer_der and not _other_key(current, candidate)
        ]
        if not above:
            return tuple(path)
        path.append(above[0])


def _other_key(certificate: Certificate, authority: Certificate) -> bool:
    """Whether the key identifiers say that this authority's key did not sign the certificate."""
    wanted, has = certificate.authority_key_id, authority.subject_key_id
    return bool(wanted and has and wanted != has)


def _is_root(certificate: Certificate) -> bool:
    """Whether a certificate is issued under its own name, and not by another key: home-made authorities often have the server's name."""
    return certificate.self_issued and not _other_key(certificate, certificate)


def judge_chain(
    certificates: tuple[Certificate, ...],
    name: str | None,
    now: int,
    store: TrustStore,
    *,
    known_issuer: Callable[[bytes], Certificate | None] | None = None,
    static_rsa: bool = False,
    complete: bool = True,
    address: str = "",
) -> ChainJudgement:
    """Judge a chain (not empty, leaf first) at ``now`` (ns since the epoch).

    ``known_issuer`` gives a CA certificate seen elsewhere in the capture by its subject (DER);
    ``static_rsa`` says that the key exchange encrypts to the leaf's key; ``complete`` that no certificate is missing
    because the capture lacks bytes; ``address`` is the server's, for a client that named nobody.
    """
    judged = ChainJudgement(certificates, name, now, address=address)
    leaf = certificates[0]
    if leaf.fault and not leaf.subject_der and not leaf.not_after:
        judged.problems.append(Problem("cert-malformed", 0, f"The server's certificate cannot be read: {words.shown(leaf.fault)}"))
        return judged
    judged.path = build_path(certificates)
    _check_trust(judged, store)
    for check in (_check_dates, _check_names, _check_purpose, _check_strength, _check_constraints):
        check(judged)
    if static_rsa:
        _check_encipherment(judged)
    if complete:
        _check_ends(judged, store, known_issuer)
        _check_order(judged)
    for place, certificate in enumerate(certificates):
        if certificate.fault:
            _add(judged, "cert-malformed", place, f"{_which(place)} is malformed: {words.shown(certificate.fault)}")
    if judged.trusted and not store.given:
        _check_policies(judged)
    judged.problems.sort(key=lambda problem: _ORDER.index(problem.cause))
    return judged


_ORDER = (
    "cert-malformed",
    "cert-critical-extension",
    "tls-interception",
    "cert-self-signed",
    "cert-revoked",
    "cert-expired",
    "cert-not-yet-valid",
    "cert-chain-constraint",
    "cert-weak-signature",
    "cert-weak-key",
    "cert-bad-purpose",
    "cert-no-san",
    "cert-name-mismatch",
    "cert-missing-intermediate",
    "cert-unknown-ca",
    "cert-lifetime-policy",
    "ct-policy",
    "cert-chain-disorder",
)


def _add(judged: ChainJudgement, cause: str, place: int, says: str, hard: bool = True) -> None:
    if judged.of(cause) is None:
        judged.problems.append(Problem(cause, place, says, hard))


def _which(place: int) -> str:
    return "The server's certificate" if place == 0 else "An intermediate certificate"


def _named(certificate: Certificate) -> str:
    return words.shown(certificate.common_name or certificate.subject or "without a subject", 60)


def _check_trust(judged: ChainJudgement, store: TrustStore) -> None:
    """Whether the path reaches a root of the store, and who signed on the way."""
    from analyzer.registries.interception_products import interception_product

    certificates, path = judged.certificates, judged.path
    judged.product = interception_product(judged.leaf.issuer)
    if any(certificates[place].key_bits > _MEASURED_KEYS for place in path):
        return
    if not store.available:
        return
    top = certificates[path[-1]]
    linked = all(_signed(certificates[lower], certificates[upper]) for lower, upper in pairwise(path))
    judged.trusted = linked and (
        any(store.holds(certificates[place].der) for place in path) or any(store.has_issuer_of(certificates[place].der) for place in path)
    )
    if not judged.trusted and judged.name and not top.self_signed:
        judged.trusted = store.verifies([certificate.der for certificate in certificates], judged.name, judged.time)


def _signed(certificate: Certificate, issuer: Certificate) -> bool:
    lower, upper = load_certificate(certificate.der), load_certificate(issuer.der)
    return lower is not None and upper is not None and is_signed_by(lower, upper)


def _check_dates(judged: ChainJudgement) -> None:
    """Dates against the time of the capture, which is the clock of who captured: one that was never set proves nothing."""
    if judged.time < FIRST_DAY:
        return
    for place in judged.path:
        certificate = judged.certificates[place]
        root = place > 0 and certificate.self_issued
        which = "The root that the server sent" if root else _which(place)
        if not certificate.not_after:
            continue
        if certificate.not_after < judged.time:
            ago = words.span_text(judged.time - certificate.not_after)
            when = words.day_text(certificate.not_after)
            # Java and GnuTLS do not look at a root's dates, and a client may hold a newer one
            _add(judged, "cert-expired", place, f"{which} ({_named(certificate)}) expired {ago} before, on {when}", not root)
        elif certificate.not_before > judged.time and not root:
            ahead = certificate.not_before - judged.time
            when = words.day_text(certificate.not_before)
            says = f"{which} ({_named(certificate)}) is not valid for another {words.span_text(ahead)}, until {when}"
            if ahead > _TOO_FAR:
                says += ", unless the clock of the capture is wrong"
            _add(judged, "cert-not-yet-valid", place, says, ahead <= _TOO_FAR)


def _check_names(judged: ChainJudgement) -> None:
    name, leaf = judged.name, judged.leaf
    if not name:
        if not leaf.has_san and not leaf.fault:
            _add(judged, "cert-no-san", 0, "The server's certificate has no subjectAltName", False)
        elif judged.address and not leaf.fault and not covers_name(leaf, judged.address):
            has = f"it is for {words.list_text(leaf.names, 3)}" if leaf.names else "it has no names"
            says = f"The client asked by no name, so perhaps for {judged.address}, which the server's certificate does not cover: {has}"
            _add(judged, "cert-name-mismatch", 0, says, False)
        return
    judged.covers = covers_name(leaf, name)
    if judged.covers or leaf.fault:
        return
    addresses_only = leaf.has_san and all(map(is_address, leaf.names)) and not is_address(name)  # the name still counts for Java, OpenSSL
    if (not leaf.has_san or addresses_only) and common_name_matches(leaf, name):
        has = "its subjectAltName holds no host" if leaf.has_san else "has no subjectAltName"
        says = f"The server's certificate names {words.shown(name)} in its common name only and {has}"
        _add(judged, "cert-no-san", 0, says)
        return
    has = f"it is for {words.list_text(leaf.names, 3)}" if leaf.names else f"it has no names but the common name {_named(leaf)}"
    near = wildcard_beside(leaf, name)
    if near:
        has += f" ({words.shown(near)} stands for one label there, no more and no less)"
    _add(judged, "cert-name-mismatch", 0, f"The server's certificate does not cover {words.shown(name)}: {has}")


def _check_purpose(judged: ChainJudgement) -> None:
    for place in judged.path:
        certificate = judged.certificates[place]
        uses = certificate.extended_key_usage
        if uses is not None and not _SERVER_AUTH & set(uses) and not (place and certificate.self_issued):
            _add(
                judged,
                "cert-bad-purpose",
                place,
                f"{_which(place)} is not made for servers: its extended key usage lacks serverAuth",
            )
    usage = judged.leaf.key_usage
    if usage is not None and not {"digitalSignature", "keyEncipherment", "keyAgreement"} & set(usage):
        _add(
            judged,
            "cert-bad-purpose",
            0,
            "The server's certificate may not sign a handshake: its key usage lacks digitalSignature",
        )


def _check_encipherment(judged: ChainJudgement) -> None:
    usage = judged.leaf.key_usage
    if usage is not None and "keyEncipherment" not in usage:
        says = "The server's certificate may not encrypt keys (no keyEncipherment), which the chosen suite asks of it"
        _add(judged, "cert-bad-purpose", 0, says)


def _check_strength(judged: ChainJudgement) -> None:
    for place in judged.path:
        certificate = judged.certificates[place]
        if certificate.signature_hash in _WEAK_HASHES and not certificate.self_issued:
            says = f"{_which(place)} ({_named(certificate)}) is signed with {certificate.signature_hash.upper()}"
            _add(judged, "cert-weak-signature", place, says)
        kind, bits = certificate.key_type, certificate.key_bits
        short = (kind in ("RSA", "RSA-PSS", "DSA") and 0 < bits < 2048) or (kind == "ECDSA" and 0 < bits < 224)
        if short:
            _add(
                judged,
                "cert-weak-key",
                place,
                f"{_which(place)} ({_named(certificate)}) has a key of {bits} bits only ({certificate.key})",
            )


def _check_constraints(judged: ChainJudgement) -> None:
    below = 0
    for place in judged.path:
        certificate = judged.certificates[place]
        if certificate.unknown_critical:
            oids = words.list_text(certificate.unknown_critical, 2)
            says = f"{_which(place)} holds a critical extension few clients know ({oids})"
            _add(judged, "cert-critical-extension", place, says)
        if place == judged.path[0]:
            continue
        if certificate.is_ca is not True:
            _add(
                judged,
                "cert-chain-constraint",
                place,
                f"{_named(certificate)} signed a certificate and is no authority (CA:FALSE)",
                not certificate.self_issued,  # a root of the first version says nothing of itself, and is trusted for being a root
            )
        elif certificate.key_usage is not None and "keyCertSign" not in certificate.key_usage:
            _add(judged, "cert-chain-constraint", place, f"{_named(certificate)} may not sign certificates (no keyCertSign)")
        elif certificate.path_length is not None and below > certificate.path_length:
            says = f"{_named(certificate)} allows {certificate.path_length} authorities below it and has {below}"
            _add(judged, "cert-chain-constraint", place, says)
        elif not _name_permitted(certificate, judged.leaf):
            _add(judged, "cert-chain-constraint", place, f"{_named(certificate)} may not sign for this name (name constraints)")
        below += not certificate.self_issued
    if judged.leaf.is_ca and not judged.leaf.self_issued:  # OpenSSL, Go and Java take it
        says = "The server's certificate is one of an authority (CA:TRUE), which strict clients refuse"
        _add(judged, "cert-chain-constraint", 0, says, False)


def _name_permitted(authority: Certificate, leaf: Certificate) -> bool:
    """RFC 5280 section 4.2.1.10, for DNS names."""
    if b"\x06\x03\x55\x1d\x1e" not in authority.der:
        return True
    loaded = load_certificate(authority.der)
    if loaded is None:
        return True
    from cryptography import x509

    try:
        constraints = loaded.extensions.get_extension_for_class(x509.NameConstraints).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return True
    permitted = [str(tree.value) for tree in constraints.permitted_subtrees or () if isinstance(tree, x509.DNSName)]
    excluded = [str(tree.value) for tree in constraints.excluded_subtrees or () if isinstance(tree, x509.DNSName)]
    for name in leaf.names:
        if is_address(name):
            continue  # a kind of its own, with constraints of its own
        lower = name.lower()
        if any(_is_within(lower, tree) for tree in excluded) or (permitted and not any(_is_within(lower, tree) for tree in permitted)):
            return False
    return True


def _is_within(name: str, tree: str) -> bool:
    tree = tree.lower().lstrip(".")
    return not tree or name == tree or name.endswith("." + tree)


def _check_ends(judged: ChainJudgement, store: TrustStore, known_issuer: Callable[[bytes], Certificate | None] | None) -> None:
    """Where the path ends: self-signed, a private root, an intermediate that was not sent, an unknown issuer."""
    if judged.trusted:
        return
    path = judged.path
    top = judged.certificates[path[-1]]
    if judged.product is not None:
        says = f"The certificate was issued by {judged.product}, a product that opens TLS on the way"
        judged.problems.append(Problem("tls-interception", 0, says, False))
    if len(path) == 1 and _is_root(top):
        says = f"The server's certificate ({_named(top)}) is self-signed"
        _add(judged, "cert-self-signed", 0, says)
        return
    if _is_root(top):
        says = f"The chain ends at {_named(top)}, a root the trust store does not hold"
        _add(judged, "cert-unknown-ca", path[-1], says, store.given)
        return
    if judged.trusted is None and store.available:
        return
    issuer = words.shown(top.issuer, 60)
    above = known_issuer(top.issuer_der) if known_issuer is not None else None
    if above is not None and (_other_key(top, above) or (above.key_bits <= _MEASURED_KEYS and not _signed(top, above))):
        above = None  # an authority of the same name, renewed or not, did not sign this
    namesake = next((c for c in judged.certificates[1:] if c.subject_der == top.issuer_der and _other_key(top, c)), None)
    if namesake is not None and not namesake.self_issued:
        says = f"The server sent a {_named(namesake)} with another key than the one that signed its certificate, and not that one"
        _add(judged, "cert-missing-intermediate", path[-1], says, False)
    elif above is not None and not above.self_issued:
        says = f"The server did not send {_named(above)}, which signed its certificate; other handshakes of this capture carry it"
        _add(judged, "cert-missing-intermediate", path[-1], says)
    elif above is None and len(path) == 1 and _wants_intermediate(top):
        says = f"The server sent its certificate and not the intermediate that signed it ({issuer})"
        # no public root signs a server's certificate itself; a private one may, and says where it is fetched all the same
        _add(judged, "cert-missing-intermediate", 0, says, bool(top.ca_issuers) and top.scts > 0)
    else:
        says = f"The chain leads to an issuer the trust store does not hold ({issuer})"
        # of a leaf alone it cannot be told whether its issuer is a root that is not trusted, or an intermediate that was not sent
        _add(judged, "cert-unknown-ca", path[-1], says, store.given and len(path) > 1)


def _wants_intermediate(leaf: Certificate) -> bool:
    """Whether the issuer of a leaf sent alone is more likely an intermediate than a root: by what it calls itself, and by where it is
    to be fetched."""
    lower = leaf.issuer.lower()
    if leaf.ca_issuers and (leaf.scts or "root" not in lower):
        return True
    return "root" not in lower and any(word in lower for word in ("intermediate", "issuing", "subordinate", "sub ca", "subca"))


def _check_order(judged: ChainJudgement) -> None:
    certificates, path = judged.certificates, judged.path
    if len({certificate.sha256 for certificate in certificates}) < len(certificates):
        _add(judged, "cert-chain-disorder", 0, "The server sent a certificate of its chain twice", False)
    elif list(path) != sorted(path):
        _add(judged, "cert-chain-disorder", path[-1], "The server sent its chain in the wrong order", False)
    elif path != tuple(range(len(path))) or len(path) < len(certificates):
        stray = next(place for place in range(len(certificates)) if place not in path)
        says = f"The server sent a certificate that is no part of the chain ({_named(certificates[stray])})"
        _add(judged, "cert-chain-disorder", stray, says, False)


def _check_policies(judged: ChainJudgement) -> None:
    """What only some clients ask of certificates, and of public ones only."""
    leaf = judged.leaf
    if leaf.fault:
        return
    days = (leaf.not_after - leaf.not_before) // _DAY
    if days > _LONGEST_LIFE:
        says = f"The server's certificate is valid for {days} days, more than the {_LONGEST_LIFE} some clients accept"
        _add(judged, "cert-lifetime-policy", 0, says, False)
    if leaf.scts < 2:
        says = f"The server's certificate carries {words.count_text(leaf.scts, 'certificate transparency stamp')}, fewer than two"
        _add(judged, "ct-policy", 0, says, False)
