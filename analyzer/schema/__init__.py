"""Floor 0: the schema. Every column of every table is written once, in ``columns``.

``alike``: rows that share most of their values.
"""

from analyzer.schema.alike import AlikeRow, Pattern
from analyzer.schema.columns import (
    ALERTS,
    CERTIFICATES,
    FINDINGS,
    FLOWS,
    HANDSHAKES,
    OFFER,
    RECORDS,
    SERVERS,
    TABLES,
    Column,
    Dtype,
)

__all__ = [
    "ALERTS",
    "CERTIFICATES",
    "FINDINGS",
    "FLOWS",
    "HANDSHAKES",
    "OFFER",
    "RECORDS",
    "SERVERS",
    "TABLES",
    "AlikeRow",
    "Column",
    "Dtype",
    "Pattern",
]
