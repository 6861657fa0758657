"""Real proxies for the router: what `middle` of a row may name besides the boxes of `programs/proxy.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import Command, Lab


def squid(lab: Lab, port: int, lines: list[str]) -> Command:
    cache = lab.work / "cache"
    cache.mkdir(exist_ok=True)
    cache.chmod(0o777)
    text = "\n".join([
        f"http_port {port}", "pid_filename none", "access_log none", "cache_log /dev/null", "cache_store_log none", f"coredump_dir {cache}",
        "netdb_filename none", "cache_mem 8 MB", "shutdown_lifetime 0 seconds", "visible_hostname proxy.test", *lines, ""])  # fmt: skip
    return Command(["squid", "-N", "-f", str(lab.file("squid.conf", text)), "-d", "0"], ready_port=port)


def tinyproxy(lab: Lab, port: int, lines: list[str]) -> Command:
    text = "\n".join([f"Port {port}", "Timeout 5", "MaxClients 20", "LogLevel Critical", *lines, ""])
    return Command(["tinyproxy", "-d", "-c", str(lab.file("tinyproxy.conf", text))], ready_port=port)


def privoxy(lab: Lab, port: int, lines: list[str]) -> Command:
    lab.file("user.action", "{+block{laboratory}}\nblocked.test\n")
    text = "\n".join([f"listen-address 0.0.0.0:{port}", f"confdir {lab.work}", f"logdir {lab.work}", *lines, ""])
    return Command(["privoxy", "--no-daemon", str(lab.file("privoxy.conf", text))], ready_port=port)


def dante(lab: Lab, port: int, lines: list[str]) -> Command:
    text = "\n".join([
        "logoutput: stderr", f"internal: 0.0.0.0 port = {port}", "external: right", "user.privileged: root", "user.unprivileged: nobody",
        "clientmethod: none", *lines, ""])  # fmt: skip
    return Command(["danted", "-f", str(lab.file("danted.conf", text))], ready_port=port)


def microsocks(lab: Lab, port: int, lines: list[str]) -> Command:
    return Command(["microsocks", "-p", str(port), *lines], ready_port=port)


def haproxy(lab: Lab, port: int, lines: list[str]) -> Command:
    """An HTTP server in everybody's place."""
    text = "\n".join(["defaults", " mode http", " timeout client 5s", "frontend f", f" bind :{port}", *(f" {line}" for line in lines), ""])
    return Command(["haproxy", "-db", "-f", str(lab.file("haproxy.cfg", text))], ready_port=port)


def mitmproxy(lab: Lab, port: int, lines: list[str]) -> Command:
    """It ends TLS for whatever is led to it, with a CA that it makes for itself."""
    argv = ["mitmdump", "-q", "--mode", "transparent", "--listen-port", str(port), "--set", f"confdir={lab.work}", "--ssl-insecure", *lines]
    return Command(argv, ready_port=port)


PROXIES: dict[str, Callable[[Lab, int, list[str]], Command]] = {
    "squid": squid, "tinyproxy": tinyproxy, "privoxy": privoxy, "dante": dante, "microsocks": microsocks, "haproxy": haproxy,
    "mitmproxy": mitmproxy,
}  # fmt: skip
PROGRAM = {"dante": "danted", "mitmproxy": "mitmdump"}
STACKS: list[Any] = []
