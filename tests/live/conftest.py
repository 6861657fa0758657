"""Network namespaces with a wire between them: real clients at one end, real servers and the sniffer at the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from live_network import SERVER, Sniff, Space, Wire, wait_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These listen, load and look at clocks: one after another, in one worker."""
    for item in items:
        if str(item.fspath).startswith(str(Path(__file__).parent)):
            item.add_marker(pytest.mark.xdist_group("live"))


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for tool in ("ip", "ethtool", "openssl"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    if subprocess.run(["ip", "netns", "add", "hsprobe"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no network namespaces")
    subprocess.run(["ip", "netns", "del", "hsprobe"], check=False)
    laid = Wire()
    yield laid
    laid.close()


@pytest.fixture
def sniff(wire: Wire) -> Iterator[Callable[..., Sniff]]:
    """Start a sniffer at the near end; it is ended with the test."""
    started: list[Sniff] = []

    def begin(*arguments: str, jsonl: bool = True) -> Sniff:
        started.append(Sniff(wire.near, *arguments, jsonl=jsonl))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.end()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(certificate, key) of a self-signed P-256 certificate."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = str(folder / "c.pem"), str(folder / "k.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/CN=server.test", "-addext", "subjectAltName=DNS:server.test", "-days", "3"], check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.fixture(scope="session")
def server(wire: Wire, certificate: tuple[str, str]) -> Iterator[int]:
    """Port of an OpenSSL server, and one above it a port of a server that never says a word, two above of one that speaks HTTP."""
    port = 4433
    silent = "import socket,sys,time\ns=socket.create_server(('', int(sys.argv[1])))\nk=[]\nwhile 1: k.append(s.accept())"
    started = [
        wire.near.start("openssl", "s_server", "-accept", str(port), "-cert", certificate[0], "-key", certificate[1], "-quiet"),
        wire.near.start(sys.executable, "-c", silent, str(port + 1)),
        wire.near.start(sys.executable, "-m", "http.server", str(port + 2)),
    ]
    for each in range(port, port + 3):
        wait_for(lambda each=each: f":{each} " in wire.near.run("ss", "-ltn").stdout)
    yield port
    for process in started:
        process.terminate()
        process.wait(10)


@pytest.fixture
def connect(wire: Wire, server: int) -> Callable[..., subprocess.CompletedProcess[str]]:
    """An OpenSSL client at the far end."""

    def client(*options: str, port: int = server, space: Space = wire.far) -> subprocess.CompletedProcess[str]:
        return space.run("openssl", "s_client", "-connect", f"{SERVER}:{port}", "-servername", "server.test", *options)

    return client
