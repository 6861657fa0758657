"""A stapled OCSP response, judged at the time of the capture (RFC 6960, RFC 6066 section 8)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["Staple", "read_staple"]


class Staple(NamedTuple):
    """What a response says. Times are ns since the epoch; 0 where there is none."""

    status: str
    """'good', 'revoked', 'unknown', or 'not usable' with the reason in ``fault``."""
    this_update: int = 0
    next_update: int = 0
    revoked_at: int = 0
    serial: int = 0
    fault: str = ""


def read_staple(der: bytes) -> Staple:
    """Read an OCSPResponse; what cannot be read is 'not usable', with the reason."""
    from cryptography.x509 import ocsp

    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Staple("not usable", fault=f"the responder answered {response.response_status.name.lower().replace('_', ' ')}")
        single = next(iter(response.responses))
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
