"""Causes in the server's certificate and in the client's judgement of it."""
