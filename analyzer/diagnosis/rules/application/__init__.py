"""Causes above and beside TLS: nobody speaks, somebody speaks another protocol, somebody closes without a word."""
