"""Causes on the way between the two ends: what drops, resets, answers or changes packets."""
