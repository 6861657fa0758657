"""Judgement of a certificate chain at the time of the capture."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ChainJudgement"]


@dataclass(slots=True)
class ChainJudgement:
    """What is wrong with a chain."""
