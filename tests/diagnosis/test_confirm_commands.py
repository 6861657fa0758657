"""The commands that confirm a finding are run: they have no mistake, they end, and they show what the page says they show."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analyzer.diagnosis import registry
from analyzer.diagnosis.commands import fill_commands
from analyzer.model.handshake import Handshake
from analyzer.model.options import Options
from analyzer.pipeline.run import Run

CAPTURES = Path(__file__).resolve().parents[2] / "captures"

pytestmark = [
    pytest.mark.skipif(not (CAPTURES / "labels.csv").exists(), reason="the bundled captures are not here"),
    pytest.mark.skipif(not shutil.which("openssl") or not shutil.which("tshark"), reason="needs openssl and tshark"),
]

TRUST = {**os.environ, "SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
"""No roots to load: that is most of what openssl does when it starts."""
PAGES = [registry.read_page(cause) for cause in registry.list_causes()]


def recorded(name: str) -> Handshake:
    """The first attempt of a capture."""
    return next(iter(Run([str(CAPTURES / name / "capture.pcapng")], Options()).handshakes()))


def shell(command: str, folder: Path, seconds: float = 20) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody at a terminal does, whose keyboard stays silent."""
    listener, silent = os.pipe()
    try:
        return subprocess.run(
            ["bash", "-c", command], cwd=folder, env=TRUST, stdin=listener, capture_output=True, text=True, timeout=seconds
        )
    finally:
        os.close(listener)
        os.close(silent)


# --- without a mistake -----------------------------------------------------------------------------------------------

CLIENTS = ("curl", "gnutls", "go", "java", "boringssl", "rustls", "node24", "nss", "wolfssl", "mbedtls", "chromium", "firefox")
FACES = (
    "completed--curl-nginx-tls12-server-side", "completed--openssl-python-smtp-tls13", "completed--openssl-prosody-xmpp", "cert-expired--curl-nginx-squid",
    "client-version-too-old--openssl-openssl-tls11", "tcp-syn-refused--curl-nobody-ipv6",
)  # fmt: skip
"""What makes commands look different: the version, STARTTLS, a proxy, an old version, IPv6."""


def calls_of(command: str, program: str) -> Iterator[list[str]]:
    """The words of each call of a program in a shell command; what the shell would count is put in its place."""
    lexer = shlex.shlex(re.sub(r"\$\(seq[^)]*\)", "1,2", command), posix=True, punctuation_chars="|;&()<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)
    for start in (place for place, word in enumerate(words) if word == program):
        call = []
        for word in words[start:]:
            if set(word) <= set("|;&()<>"):
                break
            call.append(word)
        if call[-1:] == ["2"] and "2>" in command:
            call.pop()
        yield call


def distinct_calls(program: str) -> set[tuple[str, ...]]:
    faces = [recorded(name) for name in FACES]
    offering = [path for client in CLIENTS for path in sorted(CAPTURES.glob(f"completed--{client}-*/capture.pcapng"))[:2]]
    offers = [recorded(path.parent.name) for path in offering]
    found = set()
    for page in PAGES:
        repeats_an_offer = re.search(r"\{(cipher|groups|sigalgs|alpn)_flag\}", "".join(page.commands))
        for handshake in offers if repeats_an_offer else faces:
            for command in fill_commands(page.commands, handshake):
                found |= {tuple(call) for call in calls_of(command, program)}
    return found


def aimed_nowhere(call: tuple[str, ...]) -> tuple[str, ...]:
    places = {"-connect": "127.0.0.1:1", "-proxy": "127.0.0.1:1", "-servername": "NAME", "-verify_hostname": "NAME"}
    return tuple(places.get(before, word) for before, word in zip(("", *call), call, strict=False))


def quietly(call: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    nowhere = subprocess.DEVNULL
    return subprocess.run(call, cwd=folder, env=TRUST, stdin=nowhere, stdout=nowhere, stderr=subprocess.PIPE, text=True, timeout=20)


def test_openssl_takes_every_option(tmp_path):
    """Files and servers are missing here: that is said otherwise than a mistake in the options."""
    calls = {aimed_nowhere(call) for call in distinct_calls("openssl")}
    assert len(calls) > 150
    for call in calls:
        done = quietly(call, tmp_path)
        newer = re.search(r"MLKEM|tls13|mldsa", shlex.join(call))  # the local OpenSSL may be older than these
        mistake = re.search(r"Unknown option|SSL_CONF_cmd|-help for summary|Extra|Can't parse", done.stderr)
        assert newer or not mistake, (shlex.join(call), done.stderr)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_takes_every_option(tmp_path):
    for call in distinct_calls("curl"):
        aimed = [re.sub(r"^(\w+)://.*", r"\1://127.0.0.1:1/", word) for word in call]
        done = quietly((*aimed, "-m", "5"), tmp_path)
        assert done.returncode != 2, (shlex.join(call), done.stderr)


# --- on the capture it was given for ---------------------------------------------------------------------------------

OF_CAPTURES = {
    "cap-drops": "cap-drops--openssl-nginx-alert",
    "cap-duplicates": "completed--curl-nginx-tls13-each-frame-twice-routed",
    "cap-encapsulation": "completed--curl-nginx-tls13-gre",
    "cap-ended-early": "cap-ended-early--openssl-nginx-after-client-hello",
    "cap-keylog-mismatch": "completed--curl-nginx-tls13-gre",
    "cap-mid-stream": "cap-mid-stream--openssl-nginx-after-handshake",
    "cap-nat-double": "completed--go-nginx-both-sides-of-a-translator",
    "cap-offload": "completed--curl-nginx-tls13-offload",
    "cap-one-way": "cap-one-way--openssl-nginx-client-only-tls12",
    "cap-reordered": "completed--curl-nginx-tls13-unsorted",
    "cap-snaplen": "cap-snaplen--openssl-nginx-headers-only",
    "connect-close-probe": "connect-close-probe--raw-nginx",
    "data-corruption": "data-corruption--gnutls-openssl-two-versions",
    "idle-timeout-reset": "rst-with-text--curl-nginx",
    "non-tls-client-bytes": "non-tls-client-bytes--raw-go-ssh",
    "port-scan": "port-scan--raw-nginx",
    "rst-with-text": "rst-with-text--curl-nginx",
}  # fmt: skip
_READERS = re.compile(r"(tshark|capinfos|editcap|reordercap) ")


def reading(cause: str, handshake: Handshake) -> list[str]:
    return [command for command in fill_commands(registry.read_page(cause).commands, handshake) if _READERS.match(command)]


def test_every_page_that_reads_a_capture_is_tried_on_one():
    readers = {page.cause for page in PAGES if any(_READERS.match(command) for command in page.commands)}
    assert readers == set(OF_CAPTURES)


@pytest.mark.parametrize(("cause", "name"), OF_CAPTURES.items())
def test_display_filters_find_what_they_are_for(cause, name, tmp_path):
    shutil.copy(CAPTURES / name / "capture.pcapng", tmp_path / "CAPTURE")
    for command in reading(cause, recorded(name)):
        done = shell(command, tmp_path)
        said = [line for line in done.stderr.splitlines() if line and not line.startswith("Running as user")]
        assert done.returncode == 0, (command, said)
        if command.startswith("editcap"):
            continue  # says on stderr how many it dropped
        assert done.stdout.strip() and not said, (command, said)


@pytest.mark.parametrize("cause", ["connect-close-probe", "port-scan", "cap-nat-double"])
def test_display_filters_know_ipv6(cause, tmp_path):
    name = "completed--openssl-nginx-tls13-ipv6" if cause == "cap-nat-double" else "tcp-syn-refused--curl-nobody-ipv6"
    name = name if (CAPTURES / name).exists() else "tcp-syn-refused--curl-nobody-ipv6"
    shutil.copy(CAPTURES / name / "capture.pcapng", tmp_path / "CAPTURE")
    for command in reading(cause, recorded(name)):
        done = shell(command, tmp_path)
        assert done.returncode == 0 and (cause == "cap-nat-double" or done.stdout.strip() not in ("", "0")), (command, done.stderr)


# --- against a server --------------------------------------------------------------------------------------------------

ASKS = ["-Verify", "1", "-verify_return_error", "-CAfile", "CA.pem"]
REFUSED = "alert handshake failure"
SITUATIONS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    # (cause, capture with the client's offer): (options of the server, what each command shows)
    ("alpn-mismatch", "alpn-mismatch--openssl-nginx-tls12"): (["-alpn", "h2"], ["no application protocol", "ALPN protocol: h2"]),
    ("cert-expired", "cert-expired--curl-nginx-tls12"): (["-cert", "old.pem"], ["notAfter=Jan  1", "certificate has expired"]),
    ("cert-name-mismatch", "cert-name-mismatch--curl-nginx-tls12"): (["-cert", "old.pem"], ["hostname mismatch", "DNS:elsewhere.test", "IP address mismatch"]),
    ("cert-key-type-mismatch", "cert-key-type-mismatch--openssl-nginx-tls12"): (["-tls1_2"], [REFUSED, "rsaEncryption", REFUSED]),
    ("client-cert-missing", "client-cert-missing--openssl-openssl-tls12"): ([*ASKS, "-tls1_2"], [REFUSED, "Cipher is ECDHE(?s:(?!alert).)*$"]),
    ("client-cert-missing", "client-cert-missing--openssl-openssl-tls13"): (ASKS, ["alert certificate required", "TLSv1.3(?s:(?!alert).)*$"]),
    ("client-version-too-new", "client-version-too-new--openssl-openssl-tls13-only"):
        (["-tls1_2"], ["alert protocol version", "TLSv1.2, Cipher is [^(]", "alert protocol version"]),
    ("client-version-too-old", "client-version-too-old--openssl-openssl-tls11"): (["-tls1_3"], ["alert protocol version", "TLSv1.3"]),
    ("inappropriate-fallback", "inappropriate-fallback--openssl-openssl-tls12"): ([], ["inappropriate fallback", "TLSv1.3"]),
    ("large-client-hello-intolerance", "completed--curl-nginx-tls13"): ([], [r"and written (1[89]|2)\d\d\d? bytes", r"and written [3-9]\d\d bytes"]),
    ("no-common-cipher", "no-common-cipher--openssl-openssl-tls12"):
        (["-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], [REFUSED, "Cipher is ECDHE-RSA-AES256-GCM-SHA384", "ECDHE_RSA_WITH_AES_256_GCM_SHA384"]),
    ("no-common-cipher", "no-common-cipher--openssl-go-tls13-ccm"): (["-tls1_3"], [REFUSED, "Cipher is TLS_AES", "AES_256_GCM_SHA384"]),
    ("no-common-group", "no-common-group--openssl-openssl-tls12"): (["-groups", "P-256"], [REFUSED, "Temp Key: ECDH, prime256v1"]),
    ("no-common-sigalg", "no-common-sigalg--openssl-openssl-tls13"): ([], [REFUSED, "Peer signature type: (RSA-PSS|rsa_pss)"]),
    ("rate-limit-close", "completed--curl-nginx-tls13"): (["-naccept", "5"], [r"^(1\n){5}(0\n){15}"]),
    ("renegotiation-refused", "renegotiation-refused--openssl-nginx-tls12"): (["-no_renegotiation"], ["no renegotiation"]),
    ("ticket-rejected", "completed--curl-nginx-tls13"): ([], ["New, TLSv1.3", "Reused, TLSv1.3", "Reused, TLSv1.2"]),
    ("unclean-close", "completed--curl-nginx-tls13"): ([], ["<<< .*Alert(?s:.)*closed"]),
}  # fmt: skip


def write_certificates(folder: Path) -> None:
    """A server of one RSA key with a sound and an old certificate of another name, a client, and who signed them."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for name in ("CA", "server", "CLIENT"):
        openssl("genrsa", "-out", f"{name}.key", "2048")
    openssl("req", "-x509", "-key", "CA.key", "-subj", "/CN=Root", "-days", "30", "-out", "CA.pem")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n"
        "[p]\ncommonName=supplied\n"
    )
    (folder / "index").touch()
    old = ("-startdate", "20200101000000Z", "-enddate", "20210101000000Z")
    wanted = [("server", "server", "server.test", ()), ("old", "server", "elsewhere.test", old), ("CLIENT", "CLIENT", "me", ())]
    for name, key, host, days in wanted:
        openssl("req", "-new", "-key", f"{key}.key", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-out", "request")
        signing = ("-cert", "CA.pem", "-keyfile", "CA.key", "-in", "request", "-out", f"{name}.pem", "-notext")
        openssl("ca", "-batch", "-config", "ca.cnf", *signing, *(days or ("-days", "20")))
    shutil.copy(folder / "CA.pem", folder / "INTERMEDIATES.pem")


@contextmanager
def served(folder: Path, options: list[str]) -> Iterator[int]:
    """The port of an `openssl s_server` that listens on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    certificate = [] if "-cert" in options else ["-cert", "server.pem"]
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "server.key", *certificate, "-www", *options],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        while b"ACCEPT" not in server.stdout.readline():
            assert server.poll() is None
        yield port
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def try_one(folder: Path, cause: str, name: str, options: list[str], shows: list[str]) -> list[str]:
    """What went otherwise than the page says."""
    handshake: Any = recorded(name)
    wrong = []
    with served(folder, options) as port:
        handshake.flow.server_address, handshake.flow.server_port = "127.0.0.1", port
        commands = fill_commands(registry.read_page(cause).commands, handshake)
        assert len(commands) == len(shows), commands
        for command, pattern in zip(commands, shows, strict=True):
            if not shutil.which(shlex.split(command)[0].lstrip("(")):
                continue
            done = shell(command, folder)
            if not re.search(pattern, done.stdout + done.stderr, re.MULTILINE if pattern.startswith("<") else 0):
                wrong.append(f"$ {command}\nshows no {pattern}:\n{done.stdout}{done.stderr}")
    return wrong


@pytest.mark.skipif(not Path("/bin/bash").exists() or sys.platform != "linux", reason="needs a shell and GNU tools")
def test_commands_show_the_cause_on_a_server_that_has_it(tmp_path):
    write_certificates(tmp_path)
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:  # most of them wait
        tries = [pool.submit(try_one, folder_for(tmp_path, n), *key, *value) for n, (key, value) in enumerate(SITUATIONS.items())]
        wrong = [text for attempt in tries for text in attempt.result()]
    assert not wrong, "\n\n".join(wrong)
    assert time.monotonic() - begun < 120


def folder_for(base: Path, number: int) -> Path:
    """A folder of its own, for what commands leave there."""
    folder = base / str(number)
    folder.mkdir()
    for path in base.glob("*.*"):
        shutil.copy(path, folder)
    return folder
