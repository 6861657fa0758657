"""Floor 2: TLS as bytes. No I/O, no clock, no NumPy; nothing is remembered but bounded memos.

``records`` the record layer and how to tell TLS by its first bytes · ``messages`` one reader a
handshake message · ``templates`` those read once · ``x509`` certificates · ``order`` the legal order of
messages · ``keylog``, ``key_schedule``, ``protection`` and ``opener`` what a key log opens.

Any bytes give a message, its defects, or ``Malformed``: never another exception.
"""
