"""Floor 3: the seam, where columns of segments become handshakes.

``tracker`` all flows of a run, batch by batch · ``whole`` flows whose payload is all there, told in columns · ``flight`` such a
flow, read in one pass · ``alike`` one that was read before but for its random bytes · ``herds`` those kept as columns, by their
``kinds`` · ``opening`` what was said before TLS · ``plain`` HTTP, set aside unread · ``bursts`` and ``connection`` flows that must be
followed · ``follower`` and ``side`` their records and messages · ``segments`` what path rules may ask for · ``progress``, ``stage`` and
``facts`` what follows from it · ``assemble`` the ``Handshake``.
"""
