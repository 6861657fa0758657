"""Findings on handshakes that completed: what is weak, or will fail next. Never causes."""
