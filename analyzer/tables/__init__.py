"""Floor 5: rows of every table, in schema order, with names in place of wire numbers.

``rows`` one handshake at a time · ``alike`` many that stayed columns · ``collect`` certificates and servers, gathered over a run ·
``frames`` DataFrames (pandas is imported there only).
"""

from analyzer.tables.rows import Row, alert_rows, community_id, finding_rows, flow_row, handshake_row, history_of, record_rows, rows_of

__all__ = ["Row", "alert_rows", "community_id", "finding_rows", "flow_row", "handshake_row", "history_of", "record_rows", "rows_of"]
