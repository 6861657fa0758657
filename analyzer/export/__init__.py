"""Floor 6: rows out of the house. One module a format, every format fed from the same rows.

A row is a mapping with the keys of ``analyzer.schema.columns`` (timestamps int ns, lists as
sequences, evidence as (frame, says) pairs, None where unknown). ``open_writer`` gives a
``Writer`` for one table, ``open_tables`` one for all of them (a database, or a folder with a file
a table). Files are written beside their final name and renamed when they are complete.

``escape`` what makes text off the wire safe to show · ``values`` times and numbers as text ·
``files`` written beside, then renamed · ``writer`` which format, which module ·
``forms`` what is made once of rows that are alike ·
``delimited`` CSV · ``jsonl`` · ``parquet`` · ``database`` sqlite and SQLAlchemy URLs ·
``zeek`` ssl.log and conn.log · ``ecs`` Elastic Common Schema.
"""

from analyzer.export.writer import FORMATS, TableWriters, Writer, format_of, open_tables, open_writer

__all__ = ["FORMATS", "TableWriters", "Writer", "format_of", "open_tables", "open_writer"]
