"""Write `analyzer/registries/` from the tables of the tools installed here; the result is checked in.

    python tools/make_registries.py            write what changed
    python tools/make_registries.py --check    exit 1 when a checked-in file is stale, write nothing

Sources: `tshark -G values`, `openssl ciphers -V`, libpcap's `pcap/dlt.h`, and `registry_additions.py` beside this file
for what they lack. Each module's first line says which versions it was made from. When the tools here have other
versions than those, a difference is told but is not a failure: only the version it was made with can judge a file.
A tool that is missing is named, and its modules are left alone.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import registry_additions as additions

TARGET = Path(__file__).resolve().parent.parent / "analyzer" / "registries"
DLT_HEADER = Path("/usr/include/pcap/dlt.h")


class MissingToolError(Exception):
    """A source of facts that is not installed here."""


class Sources:
    """The local tools, each asked at most once."""

    def __init__(self) -> None:
        self._tshark: dict[str, dict[int, str]] | None = None
        self._openssl: dict[int, str] | None = None

    def values(self, field: str) -> dict[int, str]:
        """The names tshark gives to the values of a field."""
        if self._tshark is None:
            self._tshark = {}
            for line in _run("tshark", "-G", "values").splitlines():
                kind, *rest = line.split("\t")
                if kind == "V" and rest[0].startswith("tls."):
                    self._tshark.setdefault(rest[0], {})[int(rest[1], 0)] = rest[2]
        return dict(self._tshark[field])

    def openssl_ciphers(self) -> dict[int, str]:
        if self._openssl is None:
            suites = ("-ciphersuites", ":".join(additions.OPENSSL_TLS13_SUITES))  # its default leaves two out
            listing = _run("openssl", "ciphers", "-V", *suites, "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
            rows = re.findall(r"0x([0-9A-F]{2}),0x([0-9A-F]{2}) - (\S+)", listing)
            self._openssl = {int(high + low, 16): name for high, low, name in rows}
        return dict(self._openssl)

    @staticmethod
    def link_types() -> dict[int, str]:
        if not DLT_HEADER.exists():
            raise MissingToolError(f"{DLT_HEADER} (libpcap's headers)")
        found: dict[int, str] = {}
        for name, number in re.findall(r"^#\s*define\s+DLT_(\w+)\s+(\d+)", DLT_HEADER.read_text(), re.MULTILINE):
            if not name.startswith("MATCHING_"):
                found.setdefault(int(number), name)
        return found

    @staticmethod
    def version(tool: str) -> str:
        if tool == "tshark":
            return "tshark " + _match(r"TShark \(Wireshark\) ([\d.]+\d)", _run("tshark", "--version"))
        if tool == "openssl":
            return _match(r"(OpenSSL [\d.]+\w*)", _run("openssl", "version")).replace("OpenSSL", "openssl")
        return "libpcap's pcap/dlt.h"


def _run(tool: str, *arguments: str) -> str:
    if shutil.which(tool) is None:
        raise MissingToolError(tool)
    return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout


def _match(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"cannot read a version from {text.splitlines()[:1]}")
    return found.group(1)


# --- from the tools' words to IANA's ---------------------------------------------------------------------------------


def is_grease(code: int) -> bool:
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def snake(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def without(names: Mapping[int, str], ranges: Iterable[range]) -> dict[int, str]:
    return {code: name for code, name in names.items() if not is_grease(code) and not any(code in unwanted for unwanted in ranges)}


# --- the modules -----------------------------------------------------------------------------------------------------


def alerts(sources: Sources) -> str:
    descriptions = {code: snake(name) for code, name in sources.values("tls.alert_message.desc").items()}
    levels = {code: snake(name) for code, name in sources.values("tls.alert_message.level").items()}
    return module(
        "TLS alerts: descriptions and levels (IANA TLS Alerts; RFC 8446 section 6).",
        table("ALERT_DESCRIPTIONS", descriptions | additions.ALERT_DESCRIPTIONS, 0),
        table("ALERT_LEVELS", levels, 0),
    )


def handshake_types(sources: Sources) -> str:
    messages = {
        code: snake(name) for code, name in sources.values("tls.handshake.type").items() if code not in additions.HANDSHAKE_TYPES_SSL2_ONLY
    }
    records = {code: snake(name) for code, name in sources.values("tls.record.content_type").items()}
    return module(
        "Handshake message types and record content types (IANA TLS HandshakeType, TLS ContentType).",
        table("HANDSHAKE_TYPES", messages | additions.HANDSHAKE_TYPES, 0),
        table("CONTENT_TYPES", records | additions.CONTENT_TYPES, 0),
        "# SSL 2.0 has messages of its own.\n" + table("SSL2_MESSAGE_TYPES", additions.SSL2_MESSAGE_TYPES, 0),
    )


def extensions(sources: Sources) -> str:
    names = without(sources.values("tls.handshake.extension.type"), ())
    return module(
        "TLS extensions (IANA TLS ExtensionType Values), with the private ones that browsers have shipped.",
        table("EXTENSIONS", names | additions.EXTENSIONS, 0),
    )


def named_groups(sources: Sources) -> str:
    found = without(sources.values("tls.handshake.extensions_supported_group"), additions.NAMED_GROUPS_NOT_IANA)
    names = found | additions.NAMED_GROUPS
    post_quantum = {code for code, name in names.items() if re.search(r"MLKEM|Kyber|CECPQ", name)}
    openssl = {
        code: name for code, name in names.items() if any(code in same for same in additions.OPENSSL_GROUPS_SAME_NAME)
    } | additions.OPENSSL_GROUP_NAMES
    return module(
        "Groups of the key exchange (IANA TLS Supported Groups), with the post-quantum experiments that were deployed.",
        table("NAMED_GROUPS", names, 4),
        codes("POST_QUANTUM_GROUPS", post_quantum, 4),
        "# What `openssl s_client -groups` calls them. A group newer than the local OpenSSL is refused by it.\n"
        + table("OPENSSL_GROUP_NAMES", openssl, 4),
        "# Octets of a key share: sent by the client, sent by the server.\n"
        + table("KEY_SHARE_LENGTHS", additions.KEY_SHARE_LENGTHS, 4, "tuple[int, int]"),
    )


def signature_schemes(sources: Sources) -> str:
    found = without(sources.values("tls.handshake.sig_hash_alg"), additions.SIGNATURE_SCHEMES_NOT_IANA)
    pairs = {
        hash_code << 8 | signature_code: f"{signature}_{hash_name}"
        for hash_code, hash_name in additions.TLS12_HASHES.items()
        for signature_code, signature in additions.TLS12_SIGNATURES.items()
    }
    return module(
        "Signature schemes (IANA TLS SignatureScheme), with the pairs of hash and signature TLS 1.2 has beside them.",
        table("SIGNATURE_SCHEMES", pairs | found | additions.SIGNATURE_SCHEMES, 4),
        "# What `openssl s_client -sigalgs` calls them. A scheme newer than the local OpenSSL is refused by it.\n"
        + table("OPENSSL_SIGALG_NAMES", additions.OPENSSL_SIGALG_NAMES, 4),
        KEY_TYPES,
    )


KEY_TYPES = '''
def scheme_key_type(code: int) -> str | None:
    """Tell which kind of key in the certificate can sign with a scheme; None when the scheme is unknown.

    `RSA` is a key marked rsaEncryption, `RSA-PSS` one marked id-RSASSA-PSS: alike, and not interchangeable.
    """
    name = SIGNATURE_SCHEMES.get(code)
    if name is None:
        return None
    for start, key_type in _KEY_TYPES:
        if name.startswith(start):
            return key_type
    return None


_KEY_TYPES = (
    ("rsa_pss_pss_", "RSA-PSS"),
    ("rsa_", "RSA"),
    ("ecdsa_", "ECDSA"),
    ("dsa_", "DSA"),
    ("ed25519", "Ed25519"),
    ("ed448", "Ed448"),
    ("sm2sig_", "SM2"),
    ("gostr34102012_256", "GOST-256"),
    ("gostr34102012_512", "GOST-512"),
    ("mldsa44", "ML-DSA-44"),
    ("mldsa65", "ML-DSA-65"),
    ("mldsa87", "ML-DSA-87"),
    ("slhdsa_", "SLH-DSA"),
    ("eccsi_", "ECCSI"),
    ("iso_", "IBS"),
)
'''


def versions(sources: Sources) -> str:
    names = without(sources.values("tls.handshake.version"), ())
    names = {code: re.sub(r"\(draft (\d+)\)", r"draft \1", name) for code, name in names.items()}
    drafts = {0x7F00 | draft: f"TLS 1.3 draft {draft}" for draft in additions.TLS13_DRAFTS}
    return module(
        "Protocol versions as they stand on the wire, drafts and DTLS included.",
        table("VERSIONS", names | drafts | additions.VERSIONS, 4),
        EFFECTIVE_VERSION,
    )


EFFECTIVE_VERSION = '''
def effective_version(code: int) -> int:
    """Tell the version whose rules apply: 0x0304 for every draft of TLS 1.3, else the code itself."""
    if code >> 8 == 0x7F or code in (0xFB17, 0xFB1A):
        return 0x0304
    return code
'''


def cipher_suites(sources: Sources) -> str:
    suites = without(sources.values("tls.handshake.ciphersuite"), ())
    ssl2 = {code: name for code, name in sources.values("tls.handshake.cipherspec").items() if code > 0xFFFF}
    return module(
        "Cipher suites (IANA TLS Cipher Suites), with the private ones that were deployed.",
        table("CIPHER_SUITES", suites | additions.CIPHER_SUITES, 4),
        "# SSL 2.0 names suites with three octets.\n" + table("SSL2_CIPHER_SPECS", ssl2, 6),
    )


def openssl_names(sources: Sources) -> str:
    names = sources.openssl_ciphers()
    retired = {code: name for code, name in additions.OPENSSL_RETIRED_NAMES.items() if code not in names}
    return module(
        "What OpenSSL calls the cipher suites: for `-cipher` up to TLS 1.2, for `-ciphersuites` in TLS 1.3.",
        table("OPENSSL_NAMES", names, 4),
        "# Names of suites that today's builds leave out; older ones, and configuration files, still have them.\n"
        + table("OPENSSL_RETIRED_NAMES", retired, 4),
    )


def link_types(sources: Sources) -> str:
    names = {code: name for code, name in sources.link_types().items() if code not in additions.LINK_TYPES_NOT_IN_FILES}
    return module(
        "Link types of pcap and pcapng files (LINKTYPE_ numbers and names).",
        table("LINK_TYPES", names | additions.LINK_TYPES, 0),
    )


MODULES: dict[str, tuple[str, str, Callable[[Sources], str]]] = {
    "alerts.py": ("tshark", "(-G values)", alerts),
    "cipher_suites.py": ("tshark", "(-G values)", cipher_suites),
    "extensions.py": ("tshark", "(-G values)", extensions),
    "handshake_types.py": ("tshark", "(-G values)", handshake_types),
    "link_types.py": ("libpcap", "", link_types),
    "named_groups.py": ("tshark", "(-G values)", named_groups),
    "openssl_names.py": ("openssl", "(ciphers -V)", openssl_names),
    "signature_schemes.py": ("tshark", "(-G values)", signature_schemes),
    "versions.py": ("tshark", "(-G values)", versions),
}


# --- writing ---------------------------------------------------------------------------------------------------------


def table(name: str, entries: Mapping[int, object], hex_digits: int, value_type: str = "str") -> str:
    def key(code: int) -> str:
        return f"0x{code:0{hex_digits}X}" if hex_digits else str(code)

    def value(entry: object) -> str:
        return f'"{entry}"' if isinstance(entry, str) else repr(entry)

    rows = "".join(f"    {key(code)}: {value(entries[code])},\n" for code in sorted(entries))
    return f"{name}: dict[int, {value_type}] = {{\n{rows}}}\n"


def codes(name: str, members: Iterable[int], hex_digits: int) -> str:
    rows = "".join(f"        0x{code:0{hex_digits}X},\n" for code in sorted(members))
    return f"{name}: frozenset[int] = frozenset(\n    {{\n{rows}    }}\n)\n"


def module(docstring: str, *parts: str) -> str:
    body = f'"""{docstring}"""\n\nfrom __future__ import annotations\n'
    for part in parts:
        body += ("\n\n" if part.lstrip().startswith(("def ", "class ")) else "\n") + part.lstrip("\n")
    return body


def split(text: str) -> tuple[str, str]:
    header, _, body = text.partition("\n")
    return header, body


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="tell what is stale and write nothing")
    check = parser.parse_args().check
    sources, stale = Sources(), False
    for file_name, (tool, how, make) in MODULES.items():
        path = TARGET / file_name
        try:
            made_from = " ".join(filter(None, (sources.version(tool), how)))
            body = make(sources)
        except MissingToolError as missing:
            print(f"{file_name}: left alone, {missing} is not installed here")
            continue
        header = f"# Generated by tools/make_registries.py from {made_from} and registry_additions.py; do not edit."
        old_header, old_body = split(path.read_text()) if path.exists() else ("", "")
        if old_body == body and (check or old_header == header):
            continue
        if not check:
            path.write_text(f"{header}\n{body}")
            print(f"{file_name}: written")
        elif old_header == header or not old_header:
            print(f"{file_name}: stale, run tools/make_registries.py")
            stale = True
        else:
            print(f"{file_name}: differs, but was made from other versions ({old_header.removeprefix('# ')})")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
