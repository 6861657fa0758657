"""Say why a TLS handshake failed."""
