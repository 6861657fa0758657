"""Opening one handshake's records with what a key log has of it.

An ``Opener`` is driven record by record, each direction in order, from the ServerHello on. Which keys
a record is under is not told but tried: a record that authenticates under the next epoch's keys is the
first of that epoch. So a log that lacks some of the secrets opens all that the others fit, a rejected
0-RTT flight is stepped over, and KeyUpdate needs no one to announce it.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from typing import Any

from analyzer.registries.suite_facts import SuiteFacts, suite_facts
from analyzer.tls.key_schedule import finished_tls12, finished_tls13, key_block
from analyzer.tls.keylog import KeyLog
from analyzer.tls.protection import BadRecord, NotSupported, Protection, Tls13Protection, protect
from analyzer.tls.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC

__all__ = ["Opener"]

_EPOCHS = {
    True: ("CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"),
    False: ("SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"),
}
_EARLY_RECORDS = 32
"""0-RTT records that may have gone by before the ServerHello told the suite."""
_FRAGMENT_BYTES = 16_384
"""Longest plaintext of a record (RFC 5246 section 6.2.1): no more is unpacked from a compressed one (RFC 3749)."""
_FAILURES = 64
"""Records in a row that do not open before a direction is given up: trying costs time on every record of a download."""


class _Side:
    """One direction: which keys are in use, and how often they failed."""

    __slots__ = ("epoch", "failures", "given_up", "inflate", "opened", "protection")

    def __init__(self) -> None:
        self.epoch = -1
        self.protection: Protection | None = None
        self.failures = 0
        self.given_up = False
        self.inflate: Any = None
        self.opened = 0


class Opener:
    """Opens the records of both directions of one handshake."""

    def __init__(
        self,
        keylog: KeyLog,
        client_random: bytes,
        version: int,
        cipher_suite: int,
        *,
        server_random: bytes = b"",
        encrypt_then_mac: bool = False,
        compression: int = 0,
    ) -> None:
        self._keylog = keylog
        self._random = client_random
        self._server_random = server_random
        self._version = version
        self._encrypt_then_mac = encrypt_then_mac
        self._facts: SuiteFacts | None = suite_facts(cipher_suite)
        self.is_tls13 = version == 0x0304 or version >> 8 in (0x7F, 0xFB)
        self._sides = {True: _Side(), False: _Side()}
        self._notes: dict[str, None] = {}
        self._pair: tuple[Protection, Protection] | None = None
        self._successor: Opener | None = None
        if self._facts is None:
            self._give_up(f"cipher suite 0x{cipher_suite:04X} is not known")
        elif self.is_tls13 != self._facts.tls13:
            self._give_up(f"{self._facts.name} does not belong to the chosen version")
        elif version < 0x0301:
            self._give_up("decryption of SSL 3.0 is not supported")
        elif compression > 1 and not self.is_tls13:
            self._give_up(f"compression method {compression} is not supported")
        elif compression == 1 and not self.is_tls13:
            for side in self._sides.values():
                side.inflate = zlib.decompressobj()

    @classmethod
    def for_handshake(
        cls,
        keylog: KeyLog,
        client_random: bytes,
        version: int,
        cipher_suite: int,
        *,
        server_random: bytes = b"",
        encrypt_then_mac: bool = False,
        compression: int = 0,
    ) -> Opener | None:
        """Set up for what the ServerHello chose; None where the key log has nothing of this connection.

        ``version`` is the selected one (drafts keep their number); ``server_random`` and
        ``encrypt_then_mac`` (the ServerHello's extension) matter up to TLS 1.2 only, and so does
        ``compression``, the method that the ServerHello chose.
        """
        if client_random not in keylog:
            return None
        return cls(
            keylog,
            client_random,
            version,
            cipher_suite,
            server_random=server_random,
            encrypt_then_mac=encrypt_then_mac,
            compression=compression,
        )

    @property
    def note(self) -> str:
        """Why something could not be opened; '' while all could."""
        return "; ".join(self._notes)

    @property
    def opened(self) -> int:
        """Records that were opened, both directions."""
        return self._sides[True].opened + self._sides[False].opened

    def _give_up(self, says: str) -> None:
        self._notes[says] = None
        for side in self._sides.values():
            side.given_up = True

    def open(self, from_client: bool, content_type: int, body: bytes) -> list[tuple[int, bytes]] | None:
        """Open the next protected record of a direction: (inner content type, plaintext) in a list; None when it cannot be.

        Protected is, in TLS 1.3, what says application data; before it, all that follows a side's first
        ChangeCipherSpec, those of a renegotiation included. What travels in the clear is not for here.
        """
        side = self._sides[from_client]
        if side.given_up or (self.is_tls13 and content_type != APPLICATION_DATA):
            return None
        if self.is_tls13:
            opened = self._open_tls13(side, from_client, body)
        else:
            opened = self._open_tls12(side, from_client, content_type, body)
        if opened is None:
            return None
        side.failures = 0
        side.opened += 1
        if not self.is_tls13 and opened[0] == CHANGE_CIPHER_SPEC:
            self._renew(side, from_client)
        return [opened]

    def pass_over(self, from_client: bool, content_type: int, body: bytes) -> None:
        """Step over a record of no interest: cheaper than opening it, and later ones still open.

        A KeyUpdate that is stepped over ends decryption of that direction.
        """
        side = self._sides[from_client]
        if side.protection is not None and side.inflate is None and (not self.is_tls13 or side.epoch == len(_EPOCHS[from_client]) - 1):
            side.protection.pass_over(body)
        else:
            self.open(from_client, content_type, body)

    def _fail(self, side: _Side, says: str) -> None:
        side.failures += 1
        self._notes[says] = None
        if side.failures >= _FAILURES:
            side.given_up = True

    def _open_tls13(self, side: _Side, from_client: bool, body: bytes) -> tuple[int, bytes] | None:
        assert self._facts is not None
        labels = _EPOCHS[from_client]
        missing = ""
        if side.protection is not None:
            opened = _try(side.protection, body)
            if opened:
                return opened
        for epoch in range(side.epoch + 1, len(labels)):
            secret = self._keylog.secret(self._random, labels[epoch])
            if secret is None:
                if epoch or not from_client:
                    missing = missing or f"no {labels[epoch]} in the key log"
                continue
            try:
                protection = Tls13Protection(self._facts, secret, self._version)
            except NotSupported as error:
                self._give_up(str(error))
                return None
            opened = _try(protection, body)
            while opened is None and epoch == 0 and from_client and protection.sequence < _EARLY_RECORDS:
                protection.sequence += 1
                opened = _try(protection, body)
            if opened:
                side.epoch, side.protection = epoch, protection
                return opened
        if isinstance(side.protection, Tls13Protection) and side.epoch == len(labels) - 1:
            updated = side.protection.updated()
            opened = _try(updated, body)
            if opened:
                side.protection = updated
                return opened
        who = "client" if from_client else "server"
        self._fail(side, missing or f"the secrets in the key log do not open the {who}'s records")
        return None

    def _open_tls12(self, side: _Side, from_client: bool, content_type: int, body: bytes) -> tuple[int, bytes] | None:
        if side.protection is None and not self._derive(side, from_client):
            return None
        assert side.protection is not None
        who = "client" if from_client else "server"
        try:
            opened = side.protection.open_record(content_type, self._version, body)
        except BadRecord as error:
            self._fail(side, f"the master secret in the key log does not open the {who}'s records: {error}")
            return None
        if side.inflate is None:
            return opened
        try:
            return opened[0], side.inflate.decompress(opened[1], _FRAGMENT_BYTES)
        except zlib.error:
            self._notes[f"the compressed records of the {who} do not unpack"] = None
            side.given_up = True
            return None

    def _derive(self, side: _Side, from_client: bool) -> bool:
        assert self._facts is not None
        master = self._keylog.secret(self._random, "CLIENT_RANDOM")
        if master is None:
            self._fail(side, "no CLIENT_RANDOM line in the key log")
            return False
        if self._pair is None:
            hash_name = self.hash_name
            try:
                self._pair = protect(
                    self._facts,
                    self._version,
                    lambda length: key_block(self._version, hash_name, master, self._random, self._server_random, length),
                    encrypt_then_mac=self._encrypt_then_mac,
                )
            except NotSupported as error:
                self._give_up(str(error))
                return False
        side.protection = self._pair[0 if from_client else 1]
        return True

    def update_key(self, from_client: bool) -> None:
        """Go on to the next keys after a KeyUpdate of a side. Not to be told is no harm: the next record shows it."""
        side = self._sides[from_client]
        if isinstance(side.protection, Tls13Protection):
            side.protection = side.protection.updated()

    def adopt(self, successor: Opener) -> None:
        """Give the opener of a renegotiation (TLS 1.2 and below), whose keys follow the next ChangeCipherSpec."""
        self._successor = successor

    def _renew(self, side: _Side, from_client: bool) -> None:
        """A ChangeCipherSpec that came encrypted: the keys of the renegotiation take over."""
        if self._successor is None:
            self._notes["the secrets of a renegotiation are not known"] = None
            side.given_up = True
            return
        side.protection = None
        if self._successor._derive(side, from_client):
            return
        self._notes.update(self._successor._notes)
        side.given_up = True

    @property
    def hash_name(self) -> str:
        """Hash of the key schedule, as ``hashlib`` names it."""
        return ((self._facts.prf_hash if self._facts else None) or "SHA256").lower()

    def verify_finished(self, from_client: bool, transcript: bytes, verify_data: bytes) -> bool | None:
        """Tell whether a Finished is right; None where its secret is not known.

        ``transcript`` is every handshake message before it, headers included, in order; after a
        HelloRetryRequest the first ClientHello is replaced (``key_schedule.transcript_after_retry``).
        ``verify_data`` is the body of the Finished.
        """
        if self._facts is None or self.hash_name not in hashlib.algorithms_available:
            return None
        if self.is_tls13:
            secret = self._keylog.secret(self._random, _EPOCHS[from_client][-2])
            if secret is None:
                return None
            digest = hashlib.new(self.hash_name, transcript).digest()
            expected = finished_tls13(self.hash_name, secret, digest, self._version)
        else:
            master = self._keylog.secret(self._random, "CLIENT_RANDOM")
            if master is None or self._version < 0x0301:
                return None
            expected = finished_tls12(self._version, self.hash_name, master, from_client, transcript)
        return hmac.compare_digest(expected, verify_data)


def _try(protection: Protection, body: bytes) -> tuple[int, bytes] | None:
    try:
        return protection.open_record(APPLICATION_DATA, 0x0303, body)
    except BadRecord:
        return None
