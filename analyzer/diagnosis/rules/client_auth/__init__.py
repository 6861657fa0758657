"""Causes in the client's certificate and in the server's judgement of it."""
