"""A stapled OCSP response, judged at the time of the capture (RFC 6960, RFC 6066 section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from analyzer.model.hello import Certificate

__all__ = ["Staple", "is_about", "read_staple"]

_MOST = 64
"""Certificates that a response may speak of, to be looked at."""


class Staple(NamedTuple):
    """What a response says. Times are ns since the epoch; 0 where there is none."""

    status: str
    """'good', 'revoked', 'unknown', or 'not usable' with the reason in ``fault``."""
    this_update: int = 0
    next_update: int = 0
    revoked_at: int = 0
    serial: int = 0
    fault: str = ""


def is_about(staple: Staple, chain: Sequence[Certificate]) -> bool:
    """Whether a response is for the leaf of a chain, as far as serial numbers tell. After a renewal a server may staple an old one."""
    return not chain or not chain[0].serial or not staple.serial or staple.serial == chain[0].serial


def read_staple(der: bytes, serial: int = 0) -> Staple:
    """Read an OCSPResponse, which may speak of several certificates: what it says of the one with this serial number, else of the
    first. What cannot be read is 'not usable', with the reason."""
    from cryptography.x509 import ocsp

    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Staple("not usable", fault=f"the responder answered {response.response_status.name.lower().replace('_', ' ')}")
        every = list(islice(response.responses, _MOST))
        single = next((one for one in every if one.serial_number == serial), every[0])
        return Staple(
            single.certificate_status.name.lower(),
            _nanoseconds(single.this_update_utc),
            _nanoseconds(single.next_update_utc),
            _nanoseconds(single.revocation_time_utc),
            single.serial_number,
        )
    except Exception:  # whatever a hostile response makes the parser raise
        return Staple("not usable", fault="the response cannot be read")


def _nanoseconds(moment: datetime | None) -> int:
    return 0 if moment is None else int((moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
