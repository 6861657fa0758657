"""What the rules of the client-auth family share: the client's certificate as the server saw it."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.diagnosis import words
from analyzer.diagnosis.chain import FIRST_DAY
from analyzer.diagnosis.chains import time_of
from analyzer.diagnosis.evidence import first_message
from analyzer.diagnosis.losses import has_holes
from analyzer.diagnosis.refusals import Refusal, refusal_by_server
from analyzer.diagnosis.renegotiations import Renegotiation, find_renegotiation
from analyzer.diagnosis.weighing import refusal_text
from analyzer.model.finding import Evidence
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Certificate

__all__ = [
    "CLIENT_GENERAL",
    "ClientFault",
    "asked_for_issuer",
    "client_faults",
    "is_proved",
    "later_evidence",
    "refused_later",
    "refused_text",
    "sent_evidence",
    "server_refusal",
]

CLIENT_GENERAL = ("client-cert-rejected", "refused-encrypted", "server-closed-mid-handshake", "decrypt-error")
"""What every named fault of a client's certificate explains away."""

_CLIENT_AUTH = frozenset({"1.3.6.1.5.5.7.3.2", "2.5.29.37.0"})


class ClientFault(NamedTuple):
    """One fault that the client's certificates show."""

    cause: str
    says: str
    """A plain sentence without its full stop."""
    place: int = 0
    """Index of the certificate among those sent."""


def server_refusal(handshake: Handshake) -> Refusal | None:
    """The server's refusal of a client that sent a certificate; None for any other end."""
    refusal = refusal_by_server(handshake)
    return refusal if refusal is not None and handshake.client_certificate_sent else None


def refused_later(handshake: Handshake) -> Renegotiation | None:
    """The renegotiation of a completed handshake that the server asked for and ended with an alert; None for any other end."""
    if has_holes(handshake):
        return None
    second = find_renegotiation(handshake)
    return second if second is not None and second.begun else None


def later_evidence(second: Renegotiation, says: str) -> list[Evidence]:
    """The server's request, what the client did, and the alert."""
    return [
        Evidence(second.asked.frame, "the server asked for another handshake in the established connection (HelloRequest)"),
        Evidence(None, says),
        Evidence(second.alert.frame, f"the server sent {words.alert_text(second.alert)}"),
    ]


def client_faults(handshake: Handshake) -> list[ClientFault]:
    """Faults of the client's certificates at the time of the handshake; empty where they are hidden or faultless."""
    certificates = handshake.client_certificates or ()
    now = time_of(handshake)
    faults = []
    for place, certificate in enumerate(certificates):
        if not certificate.not_after or (place and certificate.self_issued) or now < FIRST_DAY:
            continue
        which = "The client's certificate" if place == 0 else "An intermediate of the client's certificate"
        named = f"{which} ({words.shown(certificate.common_name or certificate.subject, 60)})"
        if certificate.not_after < now:
            ago = words.span_text(now - certificate.not_after)
            faults.append(
                ClientFault("client-cert-expired", f"{named} expired {ago} before, on {words.day_text(certificate.not_after)}", place)
            )
        elif certificate.not_before > now:
            when = words.day_text(certificate.not_before)
            faults.append(ClientFault("client-cert-expired", f"{named} is not valid before {when}", place))
    if certificates and _lacks_purpose(certificates[0]):
        says = "The client's certificate is not made for clients: its extended key usage lacks clientAuth"
        faults.append(ClientFault("client-cert-bad-purpose", says))
    return faults


def asked_for_issuer(handshake: Handshake) -> bool | None:
    """Whether the server listed an issuer of the client's certificates among those it takes; None where it listed none, or it is hidden."""
    request, certificates = handshake.certificate_request, handshake.client_certificates
    if request is None or not request.certificate_authorities or not certificates:
        return None
    return bool({certificate.issuer_der for certificate in certificates} & set(request.certificate_authorities))


def is_proved(fault: ClientFault, faults: list[ClientFault], handshake: Handshake) -> bool:
    """Whether a general alert (42, 46) can be for this fault only: the client's own certificate has no other, and the server knows
    its issuer. Go and Java say the same of an unknown one."""
    return len(faults) == 1 and fault.place == 0 and asked_for_issuer(handshake) is True


def sent_evidence(handshake: Handshake, says: str) -> Evidence:
    """The client's Certificate message; without a readable one no frame."""
    message = first_message(handshake, "certificate", True)
    if message is None and handshake.client_certificate_inferred:
        says += " (told from record lengths)"
    return Evidence(message.frame if message else handshake.client_finished_frame or None, says)


def refused_text(handshake: Handshake, refusal: Refusal) -> str:
    """'server (address) refused it with unknown_ca (48)'."""
    return f"{words.server_text(handshake)} refused it {refusal_text(refusal)}"


def _lacks_purpose(certificate: Certificate) -> bool:
    uses = certificate.extended_key_usage
    return uses is not None and not _CLIENT_AUTH & set(uses)
