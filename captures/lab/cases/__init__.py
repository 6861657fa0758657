"""The tables: each module has a list `CASES`; a row is one capture (see `captures/lab/case.py`)."""
