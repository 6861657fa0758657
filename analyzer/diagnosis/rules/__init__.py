"""Every rule lives in ``rules/<family>/<cause_with_underscores>.py``: one cause, one file, one page.

Dropping a file here registers it (see ``analyzer.diagnosis.registry``).
"""
