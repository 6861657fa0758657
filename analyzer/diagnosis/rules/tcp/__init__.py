"""Causes in TCP itself: connections that never were, or that stopped moving."""
