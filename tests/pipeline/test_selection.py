from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.errors import UsageError
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run
from analyzer.pipeline.selection import Selection, check_cause

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture(scope="module")
def both() -> list[Handshake]:
    names = ("cert-expired--curl-nginx-tls12", "completed--curl-nginx-tls13")
    return list(Run([str(CAPTURES / name / "capture.pcapng") for name in names]).handshakes())


def outcomes(both: list[Handshake], **wanted: object) -> list[str]:
    selection = Selection(Options(**wanted))
    return sorted(handshake.outcome for handshake in both if selection.accepts(handshake))


def test_without_a_filter_everything_is_shown(both: list[Handshake]) -> None:
    assert Selection(Options()).everything
    assert outcomes(both) == ["completed", "failed"]


def test_filters_by_outcome_cause_and_server(both: list[Handshake]) -> None:
    assert outcomes(both, failed_only=True) == ["failed"]
    assert outcomes(both, cause="cert-expired") == ["failed"]
    assert outcomes(both, cause="cert-*") == ["failed"]
    assert outcomes(both, cause="ocsp-*") == []
    assert outcomes(both, server="SERVER.test") == ["completed", "failed"]
    assert outcomes(both, server="*.test") == ["completed", "failed"]
    assert outcomes(both, server="198.51.100.20:443") == ["completed", "failed"]
    assert outcomes(both, server="server") == []


def test_since_is_included_and_until_is_not(both: list[Handshake]) -> None:
    times = {handshake.outcome: handshake.flow.first_seen for handshake in both}
    failed, done = times["failed"], times["completed"]
    assert outcomes(both, since=failed, until=failed + 1) == ["failed"]
    assert outcomes(both, until=min(failed, done)) == []
    assert outcomes(both, since=max(failed, done) + 1) == []
    with pytest.raises(UsageError, match="nothing began between them"):
        Selection(Options(since=5, until=5))


def test_fail_on_matches_a_cause_a_pattern_or_any(both: list[Handshake]) -> None:
    def failing(*wanted: str) -> int:
        selection = Selection(Options(), wanted)
        return sum(selection.fails(handshake) for handshake in both)

    assert [failing(), failing("any"), failing("cert-expired"), failing("cert-*"), failing("cert-revoked")] == [0, 1, 1, 1, 0]


def test_a_cause_that_does_not_exist_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean cert-expired"):
        check_cause("cert-expird")
    with pytest.raises(UsageError, match="no cause is like"):
        check_cause("nothing-*", patterns=True)
    with pytest.raises(UsageError):
        Selection(Options(), ["cert-expird"])
