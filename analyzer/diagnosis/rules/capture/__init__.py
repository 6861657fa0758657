"""Causes in the capture: why nothing, or not all, can be said."""
