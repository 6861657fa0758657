"""A run as one page of HTML that needs nothing else: gathered handshake by handshake, then drawn.

``census`` counts (charts are drawn from it, in notebooks too) · ``gather`` holds what the page shows, bounded · ``page`` draws
it: ``page.html`` (Jinja2), ``page.css``, ``page.js``.
"""

from analyzer.export.report.census import Census
from analyzer.export.report.gather import Report

__all__ = ["Census", "Report"]
