"""DataFrames with the schema's dtypes, also when there are no rows. The only module of this floor that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from analyzer.schema import TABLES
from analyzer.tables.rows import Row

__all__ = ["make_frame"]

_DTYPES = {
    "string": "string",
    "int64": "Int64",
    "float64": "float64",
    "bool": "boolean",
    "timestamp": "datetime64[ns, UTC]",
    "list[string]": "object",
    "list[int64]": "object",
    "evidence": "object",
}


def make_frame(rows: Iterable[Row], table: str) -> pd.DataFrame:
    """A DataFrame of a table's rows: columns in schema order, nullable dtypes, timestamps in UTC."""
    columns = TABLES[table]
    held = list(rows)
    data: dict[str, Any] = {}
    for column in columns:
        values = [row[column.name] for row in held]
        if column.dtype == "timestamp":
            data[column.name] = pd.Series(pd.to_datetime(pd.array(values, dtype="Int64"), unit="ns", utc=True)).astype(
                "datetime64[ns, UTC]"
            )
        elif column.dtype == "evidence":
            data[column.name] = pd.Series([_evidence(v) for v in values], dtype="object")
        elif column.dtype.startswith("list"):
            data[column.name] = pd.Series([None if v is None else list(v) for v in values], dtype="object")
        else:
            data[column.name] = pd.Series(values, dtype=_DTYPES[column.dtype])
    return pd.DataFrame(data, columns=[c.name for c in columns])


def _evidence(value: Any) -> list[dict[str, Any]]:
    return [{"frame": frame, "says": says} for frame, says in value or ()]
