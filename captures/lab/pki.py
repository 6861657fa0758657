"""The laboratory's own certificates, made once and kept in the work folder.

Three roots (`root`, which clients trust; `other`, which nobody does; `proxy`, of the intercepting box), one issuing
CA under `root`, and a leaf for every way a certificate can be wrong.  `leaf(name)` gives file names:

    chain   the leaf and what a server should send with it
    key     its private key
    cert    the leaf alone

The lines of `LEAVES` are the table; add one to get another kind of certificate.
"""

from __future__ import annotations

import base64
import datetime as dt
import fcntl
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
SERVER_NAMES = ("server.test", "*.server.test")

# name -> what differs from the plain server certificate (see `Pki._leaf` for the words)
LEAVES: dict[str, dict[str, Any]] = {
    "server": {},
    "server-ecdsa": {"key": "p256"},
    "server-p384": {"key": "p384"},
    "server-ed25519": {"key": "ed25519"},
    "server-rsa4096": {"key": "rsa4096"},
    "legacy": {"names": ("legacy.test",)},
    "other-host": {"names": ("other.test",)},
    "expired": {"days": (-400, -30)},
    "expired-yesterday": {"days": (-91, -1)},
    "not-yet": {"days": (30, 400)},
    "fresh": {"days": (-1, 90)},
    "self-signed": {"issuer": None},
    "unknown-ca": {"issuer": "other-issuing"},
    "no-intermediate": {"send": ("leaf",)},
    "expired-intermediate": {"issuer": "expired-issuing"},
    "disorder": {"send": ("leaf", "root", "other", "issuing")},
    "wrong-name": {"names": ("wrong.test",)},
    "no-san": {"names": (), "common_name": "server.test"},
    "ip-only": {"names": ("other.test",)},
    "sha1": {"digest": "sha1"},
    "rsa1024": {"key": "rsa1024"},
    "bad-eku": {"eku": (Eku.CLIENT_AUTH,)},
    "code-signing": {"eku": (Eku.CODE_SIGNING,)},
    "no-digital-signature": {"usage": ("key_cert_sign",)},
    "critical": {"critical_extension": True},
    "must-staple": {"must_staple": True},
    "revoked": {"revoked": True},
    "path-length": {"issuer": "too-deep"},
    "not-a-ca": {"issuer": "not-a-ca"},
    "name-constraint": {"issuer": "constrained"},
    "ca-leaf": {"ca": True},
    "long-lived": {"days": (-1, 4000)},
    "malformed": {"malformed": True},
    "large": {"names": ("server.test", *(f"host-{n:03}.of-many.server.test" for n in range(250)))},
    "huge": {"names": ("server.test", *(f"host-{n:05}.of-very-many-hosts.server.test" for n in range(2400)))},
    "pinned-elsewhere": {"key": "p256"},
    "intercepted": {"issuer": "proxy", "names": ("server.test",), "days": (0, 7)},
    "client": {"names": (), "common_name": "a client", "eku": (Eku.CLIENT_AUTH,)},
    "client-ecdsa": {"names": (), "common_name": "a client", "eku": (Eku.CLIENT_AUTH,), "key": "p256"},
    "client-unknown-ca": {"names": (), "common_name": "a stranger", "eku": (Eku.CLIENT_AUTH,), "issuer": "other-issuing"},
    "client-self-signed": {"names": (), "common_name": "a stranger", "eku": (Eku.CLIENT_AUTH,), "issuer": None},
    "client-expired": {"names": (), "common_name": "an old client", "eku": (Eku.CLIENT_AUTH,), "days": (-400, -30)},
    "client-revoked": {"names": (), "common_name": "a lost client", "eku": (Eku.CLIENT_AUTH,), "revoked": True},
    "client-bad-eku": {"names": ("client.test",), "eku": (Eku.SERVER_AUTH,)},
    "client-huge": {"names": tuple(f"account-{n:05}.of-very-many.client.test" for n in range(2400)), "eku": (Eku.CLIENT_AUTH,)},
}  # fmt: skip


@dataclass(frozen=True)
class Files:
    chain: Path
    key: Path
    cert: Path


class Pki:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self._keys: dict[str, Any] = {}
        self._cas: dict[str, tuple[x509.Certificate, Any, x509.Certificate | None]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several laboratories may start at once
            if not (folder / "complete").exists():
                self._make()
                (folder / "complete").touch()

    # -- what others ask for --------------------------------------------------------------------------------------
    def leaf(self, name: str) -> Files:
        f = self.folder
        return Files(f / f"{name}.chain.pem", f / f"{name}.key.pem", f / f"{name}.cert.pem")

    def ca(self, name: str = "root") -> Path:
        return self.folder / f"{name}.ca.pem"

    def crl(self, name: str = "issuing") -> Path:
        return self.folder / f"{name}.crl.pem"

    def staple(self, name: str) -> Path:
        """A stapled answer of the issuing CA: good, revoked, or out of date."""
        return self.folder / f"{name}.ocsp.der"

    def pkcs12(self, name: str, *ca: str) -> Path:
        """Key and chain of a leaf as a PKCS#12 file (password: handshake)."""
        path = self.folder / f"{name}.p12"
        if not path.exists():
            f = self.leaf(name)
            subprocess.run(
                ["openssl", "pkcs12", "-export", "-legacy", "-in", f.chain, "-inkey", f.key, "-out", path,
                 "-name", name, "-passout", "pass:handshake"], check=True, capture_output=True,
            )  # fmt: skip
        return path

    def truststore(self, name: str = "root") -> Path:
        path = self.folder / f"{name}.jks"
        if not path.exists():
            subprocess.run(
                ["keytool", "-importcert", "-noprompt", "-alias", name, "-file", self.ca(name), "-keystore", path,
                 "-storepass", "handshake"], check=True, capture_output=True,
            )  # fmt: skip
        return path

    def nss(self, *leaves: str, trust: str = "root") -> Path:
        """An NSS database with the given leaves and one trusted root."""
        path = self.folder / ("nss-" + "-".join([trust, *leaves]))
        if not (path / "complete").exists():
            path.mkdir(parents=True, exist_ok=True)
            db = f"sql:{path}"
            subprocess.run(["certutil", "-N", "-d", db, "--empty-password"], check=True, capture_output=True)
            for leaf in leaves:
                subprocess.run(["pk12util", "-i", self.pkcs12(leaf), "-d", db, "-W", "handshake"], check=True, capture_output=True)
            subprocess.run(["certutil", "-A", "-d", db, "-n", trust, "-t", "CT,C,C", "-i", self.ca(trust)], check=True)
            (path / "complete").touch()
        return path

    # -- making ---------------------------------------------------------------------------------------------------
    def _key(self, kind: str, owner: str) -> Any:
        """Keys of the same kind are shared between leaves that need no key of their own: making RSA keys is slow."""
        slot = owner if owner in ("root", "issuing", "other", "proxy", "pinned-elsewhere", "client") else kind
        if slot not in self._keys:
            if kind.startswith("rsa"):
                self._keys[slot] = rsa.generate_private_key(65537, int(kind[3:]))
            elif kind == "ed25519":
                self._keys[slot] = ed25519.Ed25519PrivateKey.generate()
            else:
                self._keys[slot] = ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])
        return self._keys[slot]

    @staticmethod
    def _name(common_name: str, organization: str = "Handshake Laboratory") -> x509.Name:
        return x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ])  # fmt: skip

    def _authority(self, slot: str, title: str, issuer: str | None = None, *, path_length: int | None = None, ca: bool = True,
                   days: tuple[int, int] = (-500, 3000), permitted: str | None = None,
                   organization: str = "Handshake Laboratory") -> None:  # fmt: skip
        key = self._key("rsa2048", slot)
        issuer_cert, issuer_key = (self._cas[issuer][:2]) if issuer else (None, key)
        name = self._name(title, organization)
        builder = self._builder(name, issuer_cert.subject if issuer_cert else name, key.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), True)
        usage = {"key_cert_sign": ca, "crl_sign": ca, "digital_signature": not ca}
        builder = builder.add_extension(_usage(**usage), True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        if issuer_cert:
            builder = builder.add_extension(_akid(issuer_cert), False)
        if permitted:
            builder = builder.add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), True)
        cert = builder.sign(issuer_key, hashes.SHA256())
        self._cas[slot] = (cert, key, issuer_cert)
        (self.folder / f"{slot}.ca.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        _write_key(self.folder / f"{slot}.cakey.pem", key)

    def _builder(self, subject: x509.Name, issuer: x509.Name, key: Any, days: tuple[int, int]) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + days[0] * DAY)
            .not_valid_after(self.now + days[1] * DAY)
        )

    def _make(self) -> None:
        self._authority("root", "Handshake Lab Root")
        self._authority("issuing", "Handshake Lab Issuing CA", "root", path_length=0)
        self._authority("other", "Somebody Else's Root", organization="Somebody Else")
        self._authority("other-issuing", "Somebody Else's Issuing CA", "other", organization="Somebody Else")
        self._authority("proxy", "Zscaler Intermediate Root CA (lab imitation)", organization="Zscaler Inc.")
        self._authority("expired-issuing", "Handshake Lab Expired CA", "root", days=(-500, -10))
        self._authority("limited", "Handshake Lab Limited CA", "root", path_length=0)
        self._authority("too-deep", "Handshake Lab Too Deep CA", "limited")
        self._authority("not-a-ca", "Handshake Lab Not A CA", "root", ca=False)
        self._authority("constrained", "Handshake Lab Constrained CA", "root", permitted="allowed.example")
        revoked = []
        for name, how in LEAVES.items():
            cert = self._leaf(name, **how)
            if how.get("revoked"):
                revoked.append(cert.serial_number)
            if name == "server":
                self._staples(cert)
        self._crl("issuing", revoked, (-1, 300))
        self._crl("root", [], (-1, 300))
        (self.folder / "expired-crl.crl.pem").write_bytes(self._crl_bytes("issuing", revoked, (-60, -30)))
        both = self.crl("issuing").read_bytes() + self.crl("root").read_bytes()
        (self.folder / "all.crl.pem").write_bytes(both)

    def _leaf(self, name: str, *, key: str = "rsa2048", names: tuple[str, ...] = SERVER_NAMES, common_name: str = "",
              issuer: str | None = "issuing", days: tuple[int, int] = (-20, 200), digest: str = "sha256",
              eku: tuple[Any, ...] = (Eku.SERVER_AUTH,), usage: tuple[str, ...] = ("digital_signature", "key_encipherment"),
              send: tuple[str, ...] = (), critical_extension: bool = False, must_staple: bool = False, ca: bool = False,
              revoked: bool = False, malformed: bool = False) -> x509.Certificate:  # fmt: skip
        own = self._key(key, name)
        subject = self._name((common_name or names[0])[:60])
        issuer_cert, issuer_key = self._cas[issuer][:2] if issuer else (None, own)
        if key.startswith(("p", "ed")):
            usage = tuple(u for u in usage if u != "key_encipherment")
        builder = self._builder(subject, issuer_cert.subject if issuer_cert else subject, own.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
        builder = builder.add_extension(_usage(**dict.fromkeys(usage, True), **({"key_cert_sign": True} if ca else {})), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(eku)), False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        if issuer_cert:
            builder = builder.add_extension(_akid(issuer_cert), False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        if critical_extension:
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x04\x03lab")
            builder = builder.add_extension(unknown, True)
        if must_staple:
            builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
        cert = builder.sign(issuer_key, None if key == "ed25519" and not issuer else hashes.SHA256())
        pem = cert.public_bytes(serialization.Encoding.PEM)
        files = self.leaf(name)
        _write_key(files.key, own)
        if digest == "sha1":
            pem = self._resign_sha1(cert, issuer_key)
        if malformed:
            pem = self._break_version(cert, issuer_key)
        files.cert.write_bytes(pem)
        chain = {"leaf": pem}
        order = list(send)
        if not order:
            order, at = ["leaf"], issuer
            while at and self._cas[at][2] is not None:
                order.append(at)
                at = next(k for k, v in self._cas.items() if v[0] is self._cas[at][2])
        for slot in order:
            if slot != "leaf":
                chain[slot] = self._cas[slot][0].public_bytes(serialization.Encoding.PEM)
        files.chain.write_bytes(b"".join(chain[slot] for slot in order))
        return cert

    def _resign_sha1(self, cert: x509.Certificate, key: Any) -> bytes:
        """The same certificate, signed with SHA-1 (the library will no longer do it): swap the OID, sign again."""
        sha256 = bytes.fromhex("300d06092a864886f70d01010b0500")
        sha1 = bytes.fromhex("300d06092a864886f70d0101050500")
        return _reseal(cert.tbs_certificate_bytes.replace(sha256, sha1), sha1, key, "sha1")

    def _break_version(self, cert: x509.Certificate, key: Any) -> bytes:
        """A certificate whose notAfter is no time at all, under a good signature."""
        tbs = cert.tbs_certificate_bytes
        at = tbs.index(b"\x17\x0d", tbs.index(b"\x17\x0d") + 15)
        tbs = tbs[: at + 2] + b"someday, soon" + tbs[at + 15 :]
        sha256 = bytes.fromhex("300d06092a864886f70d01010b0500")
        return _reseal(tbs, sha256, key, "sha256")

    def _crl(self, slot: str, serials: list[int], days: tuple[int, int]) -> None:
        self.crl(slot).write_bytes(self._crl_bytes(slot, serials, days))

    def _crl_bytes(self, slot: str, serials: list[int], days: tuple[int, int]) -> bytes:
        cert, key, _ = self._cas[slot]
        builder = x509.CertificateRevocationListBuilder().issuer_name(cert.subject)
        builder = builder.last_update(self.now + days[0] * DAY).next_update(self.now + days[1] * DAY)
        for serial in serials:
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self.now - 2 * DAY).build()
            builder = builder.add_revoked_certificate(one)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _staples(self, cert: x509.Certificate) -> None:
        issuer, key, _ = self._cas["issuing"]
        for name, status, days in (
            ("good", ocsp.OCSPCertStatus.GOOD, (-1, 6)),
            ("revoked", ocsp.OCSPCertStatus.REVOKED, (-1, 6)),
            ("stale", ocsp.OCSPCertStatus.GOOD, (-60, -50)),
        ):
            builder = ocsp.OCSPResponseBuilder().add_response(
                cert, issuer, hashes.SHA1(), status, self.now + days[0] * DAY, self.now + days[1] * DAY,
                self.now - 3 * DAY if status is ocsp.OCSPCertStatus.REVOKED else None, None,
            )  # fmt: skip
            answer = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(key, hashes.SHA256())
            self.staple(name).write_bytes(answer.public_bytes(serialization.Encoding.DER))


def _usage(**yes: bool) -> x509.KeyUsage:
    words = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{word: bool(yes.get(word)) for word in words})


def _akid(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)


def _write_key(path: Path, key: Any) -> None:
    kind = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
    path.chmod(0o644)  # some servers drop root before they read it; the keys guard nothing


def _der(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def _reseal(tbs: bytes, algorithm: bytes, key: Any, digest: str) -> bytes:
    """A PEM certificate around changed contents, signed by RSA arithmetic (no library policy in the way)."""
    prefix = {"sha1": "3021300906052b0e03021a05000414", "sha256": "3031300d060960864801650304020105000420"}[digest]
    block = bytes.fromhex(prefix) + hashlib.new(digest, tbs).digest()
    size = key.key_size // 8
    block = b"\x00\x01" + b"\xff" * (size - len(block) - 3) + b"\x00" + block
    numbers = key.private_numbers()
    signature = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")
    der = _der(0x30, tbs + algorithm + _der(0x03, b"\x00" + signature))
    lines = base64.encodebytes(der).replace(b"\n", b"")
    body = b"\n".join(lines[i : i + 64] for i in range(0, len(lines), 64))
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
