"""Floor 1: the things that are handed from floor to floor. No I/O, no logic beyond reading a field.

``batches`` columns of frames and segments · ``hello`` what the messages said · ``handshake`` one
attempt with all its facts · ``fingerprints`` JA3, JA3S and JA4 · ``finding`` what a rule says · ``faults`` what was wrong on the wire ·
``options`` what the caller asked for.
"""
