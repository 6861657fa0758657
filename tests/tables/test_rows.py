"""Rows: every column of the schema, in its order, with names in place of numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

import analyzer
from analyzer.model.handshake import Message
from analyzer.schema import TABLES
from analyzer.tables import community_id, history_of
from analyzer.tables.frames import make_frame

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [
        # published with the specification: github.com/corelight/community-id-spec, baseline
        (("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("66.35.250.204", 80), ("128.232.110.120", 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ],
)
def test_community_id_is_the_published_one(client, server, expected) -> None:
    assert community_id(*client, *server) == expected


def test_history_has_zeeks_letters() -> None:
    kinds = [(True, "client_hello"), (False, "server_hello"), (False, "certificate"), (False, "server_hello_done"),
             (True, "client_key_exchange"), (True, "change_cipher_spec"), (True, "encrypted_handshake"), (False, "alert")]  # fmt: skip
    messages = [Message(1, 0, who, kind, 4, 1) for who, kind in kinds]
    assert history_of(messages) == "CsxnGIFl"


@pytest.fixture(scope="module")
def result() -> analyzer.pipeline.result.Result:
    folders = sorted(CAPTURES.glob("cert-expired--*"))[:4] + sorted(CAPTURES.glob("completed--*"))[:6]
    return analyzer.analyze([str(folder / "capture.pcapng") for folder in folders])


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_row_has_every_column_in_order(result, table: str) -> None:
    names = [column.name for column in TABLES[table]]
    rows = list(result.rows(table))
    assert rows or table == "alerts"
    for row in rows:
        assert list(row) == names


@pytest.mark.parametrize("table", sorted(TABLES))
def test_zero_rows_is_an_empty_frame_with_the_same_dtypes(result, table: str) -> None:
    empty = make_frame([], table)
    assert len(empty) == 0
    assert list(empty.columns) == [column.name for column in TABLES[table]]
    full = make_frame(result.rows(table), table)
    assert dict(empty.dtypes) == dict(full.dtypes)


def test_values_are_names_and_times(result) -> None:
    frame = result.handshakes
    assert set(frame["selected_version"].dropna()) <= {"TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"}
    assert frame["cipher_suite"].dropna().str.startswith("TLS_").all()
    assert str(frame["first_seen"].dtype) == "datetime64[ns, UTC]"
    failed = result.failed
    assert "cert-expired" in set(failed["cause"])
    assert set(failed["cause"]) <= {"cert-expired", "cert-rejected", "client-silent-reject"}
    for row in failed.to_dict("records"):
        assert row["evidence"]
        assert all(set(item) == {"frame", "says"} for item in row["evidence"])
        assert row["summary"]
        assert row["remedy"]
        assert row["confirm"]
    completed = frame[frame["outcome"] == "completed"]
    assert completed["cause"].isna().all()
    assert completed["aborted_by"].eq("none").all()


def test_of_a_certificate_that_cannot_be_read_nothing_is_known() -> None:
    damaged = analyzer.analyze(CAPTURES / "cert-malformed--curl-openssl-tls12" / "capture.pcapng")
    (row,) = damaged.rows("handshakes")
    assert row["certificate_sha256"]
    assert row["chain_length"]
    assert {row[f"certificate_{name}"] for name in ("subject", "issuer", "names", "not_before", "not_after", "key", "signature")} == {None}
    listed = next(c for c in damaged.rows("certificates") if c["certificate_sha256"] == row["certificate_sha256"])
    assert {listed[name] for name in ("subject", "issuer", "serial", "names", "not_before", "key", "is_ca", "self_signed")} == {None}


def test_result_speaks_of_itself(result) -> None:
    assert "completed" in repr(result)
    assert len(result) == len(result.handshakes)
    assert {h.flow.stream for h in result} == set(result.handshakes["stream"])
    with pytest.raises(analyzer.UsageError):
        result[9999]
    with pytest.raises(analyzer.UsageError):
        analyzer.analyze(str(CAPTURES), no_such_option=1)
