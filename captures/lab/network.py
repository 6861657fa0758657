"""Three network namespaces in a row: client - router - server.

Addresses are the documentation ones, the same in every laboratory, so that captures look alike; the names of
the namespaces carry the process id, so that several laboratories can run side by side.  The router forwards
either with the kernel (firewall rules, address translation) or with `programs/box.py` (delay, and every fault a
kernel will not make on purpose).  Where it is the kernel, `programs/wire.py` can be the cable on both of its sides.
Segmentation offload is off, so that the capture holds what a wire would hold.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

CLIENT = "192.0.2.10"
SERVER = "198.51.100.20"
SERVER_B = "198.51.100.21"
ROUTER_LEFT = "192.0.2.1"
ROUTER_RIGHT = "198.51.100.1"
CLIENT6 = "2001:db8:1::10"
SERVER6 = "2001:db8:2::20"
MACS = {
    "client": "02:00:00:00:01:10",
    "left": "02:00:00:00:01:01",
    "right": "02:00:00:00:02:01",
    "server": "02:00:00:00:02:20",
}
NAMES = (
    "server.test",
    "www.server.test",
    "other.test",
    "wrong.test",
    "blocked.test",
    "mail.server.test",
    "legacy.test",
)

_counter = itertools.count()


def run(*argv: str, check: bool = True, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=check, text=True, capture_output=True, **kwargs)


class Network:
    """One client, one router, one server; a context manager."""

    def __init__(
        self, *, forward: str = "box", offload: bool = False, mtu_right: int = 1500, wire: dict[str, object] | None = None
    ) -> None:
        self.forward = forward
        self.offload = offload
        self.mtu_right = mtu_right
        self.wire = wire
        tag = f"hl{os.getpid():x}x{next(_counter)}"
        roles = ("client", "router", "server") if wire is None else ("client", "router", "server", "wire")
        self.names = {role: f"{tag}{role[0]}" for role in roles}
        self.processes: list[subprocess.Popen[bytes]] = []

    # -- building -------------------------------------------------------------------------------------------------
    def __enter__(self) -> Network:
        c, r, s = self.names["client"], self.names["router"], self.names["server"]
        for name in self.names.values():
            run("ip", "netns", "add", name)
            etc = Path("/etc/netns") / name
            etc.mkdir(parents=True, exist_ok=True)
            (etc / "hosts").write_text(f"127.0.0.1 localhost\n{SERVER} {' '.join(NAMES)}\n{SERVER6} six.test\n")
            (etc / "resolv.conf").write_text("")
        try:
            self._wire(c, r, s)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wire(self, c: str, r: str, s: str) -> None:
        cables = [((c, "eth0", MACS["client"]), (r, "left", MACS["left"])), ((s, "eth0", MACS["server"]), (r, "right", MACS["right"]))]
        if self.wire is not None:
            w = self.names["wire"]
            inner = [(w, end, f"02:00:00:00:03:0{n}") for n, end in enumerate(("a1", "b1", "b2", "a2"), 1)]
            cables = [(cables[0][0], inner[0]), (inner[1], cables[0][1]), (cables[1][0], inner[2]), (inner[3], cables[1][1])]
        for (one, device, mac), (other, peer, peer_mac) in cables:
            run("ip", "link", "add", device, "netns", one, "address", mac, "type", "veth",
                "peer", "name", peer, "netns", other, "address", peer_mac)  # fmt: skip
        self._batch(
            c, f"addr add {CLIENT}/24 dev eth0", f"addr add {CLIENT6}/64 dev eth0 nodad", "link set eth0 up",
            "link set lo up", f"route add default via {ROUTER_LEFT}", "route add default via 2001:db8:1::1",
        )  # fmt: skip
        self._batch(
            s, f"addr add {SERVER}/24 dev eth0", f"addr add {SERVER_B}/24 dev eth0",
            f"addr add {SERVER6}/64 dev eth0 nodad", "link set eth0 up", "link set lo up",
            f"route add default via {ROUTER_RIGHT}", "route add default via 2001:db8:2::1",
        )  # fmt: skip
        self._batch(
            r, f"addr add {ROUTER_LEFT}/24 dev left", f"addr add {ROUTER_RIGHT}/24 dev right",
            "addr add 2001:db8:1::1/64 dev left nodad", "addr add 2001:db8:2::1/64 dev right nodad",
            "link set left up", "link set right up", "link set lo up",
        )  # fmt: skip
        if self.mtu_right != 1500:
            self._batch(r, f"link set right mtu {self.mtu_right}")
            self._batch(s, f"link set eth0 mtu {self.mtu_right}")
        if self.wire is not None:
            for end in ("a1", "b1", "a2", "b2"):
                self._batch(self.names["wire"], f"link set {end} mtu 9000 up")
                self.run_in(self.names["wire"], "ethtool", "-K", end, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
            program = Path(__file__).resolve().parent / "programs/wire.py"
            self.start("wire", [sys.executable, str(program), json.dumps(self.wire)])
        if not self.offload:
            for name, device in ((c, "eth0"), (s, "eth0"), (r, "left"), (r, "right")):
                self.run_in(name, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
        # static neighbours: no waiting for resolution in the first handshake
        self._batch(c, f"neigh add {ROUTER_LEFT} lladdr {MACS['left']} dev eth0",
                    f"neigh add 2001:db8:1::1 lladdr {MACS['left']} dev eth0")  # fmt: skip
        self._batch(s, f"neigh add {ROUTER_RIGHT} lladdr {MACS['right']} dev eth0",
                    f"neigh add 2001:db8:2::1 lladdr {MACS['right']} dev eth0")  # fmt: skip
        self._batch(r, f"neigh add {CLIENT} lladdr {MACS['client']} dev left",
                    f"neigh add {SERVER} lladdr {MACS['server']} dev right",
                    f"neigh add {SERVER_B} lladdr {MACS['server']} dev right",
                    f"neigh add {CLIENT6} lladdr {MACS['client']} dev left",
                    f"neigh add {SERVER6} lladdr {MACS['server']} dev right")  # fmt: skip
        forward = "1" if self.forward == "kernel" else "0"
        self.sysctl("router", "net.ipv4.ip_forward", forward)
        self.sysctl("router", "net.ipv6.conf.all.forwarding", forward)
        for role in ("client", "server"):
            self.sysctl(role, "net.ipv4.tcp_no_metrics_save", "1")

    def _batch(self, name: str, *lines: str) -> None:
        run("ip", "-n", name, "-batch", "-", input="\n".join(lines) + "\n")

    def run_in(self, name: str, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run("ip", "netns", "exec", name, *argv, check=check)

    def sysctl(self, role: str, key: str, value: str) -> None:
        self.run_in(self.names[role], "sysctl", "-qw", f"{key}={value}")

    def firewall(self, role: str, *rule: str) -> None:
        """One iptables rule (without the word iptables) in the namespace of `role`; one of `ip6tables` or `ip` says so."""
        self.run_in(self.names[role], *(rule if rule[0] in ("ip", "ip6tables") else ("iptables", *rule)))

    # -- processes ------------------------------------------------------------------------------------------------
    def start(
        self,
        role: str,
        argv: list[str],
        *,
        env: dict[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        output: Path | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        sink = output.open("wb") if output else subprocess.DEVNULL
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.names[role], *argv],
            env={**os.environ, **(env or {})},
            stdin=stdin,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )
        if output:
            sink.close()
        self.processes.append(process)
        return process

    def listening(self, process: subprocess.Popen[bytes], port: int) -> bool:
        """Whether someone listens on `port` in the namespace `process` lives in."""
        suffix = f":{port:04X}"
        for table in ("tcp", "tcp6"):
            try:
                lines = Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
            except OSError:
                continue
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and fields[1].endswith(suffix):
                    return True
        return False

    def wait_listening(self, process: subprocess.Popen[bytes], port: int, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.listening(process, port):
                return
            if process.poll() is not None:
                raise RuntimeError(f"server ended with status {process.returncode} before it listened on {port}")
            time.sleep(0.03)
        raise RuntimeError(f"nothing listens on port {port} after {seconds} s")

    def record(self, role: str, path: Path, expression: str = "tcp or icmp or (icmp6 and not ip6[40] >= 133)") -> subprocess.Popen[bytes]:
        device = {"client": "eth0", "server": "eth0", "router": "left", "router-right": "right", "router-any": "any"}[role]
        name = self.names[role.split("-")[0]]
        notes = path.with_suffix(".tcpdump")
        sink = notes.open("wb")
        process = subprocess.Popen(
            ["ip", "netns", "exec", name, "tcpdump", "-i", device, "-n", "-s", "0", "-B", "4096", "-U",
             "--immediate-mode", "--time-stamp-precision=nano", "-Z", "root", "-w", str(path), expression],
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
        sink.close()
        end = time.monotonic() + 10
        while time.monotonic() < end and b"listening on" not in notes.read_bytes():
            if process.poll() is not None:
                raise RuntimeError("tcpdump: " + notes.read_text())
            time.sleep(0.02)
        self.processes.append(process)
        return process

    @staticmethod
    def stop(process: subprocess.Popen[bytes], how: int = signal.SIGTERM, seconds: float = 2) -> None:
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, how)
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        except ProcessLookupError:
            pass

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            self.stop(process, signal.SIGKILL)
        for name in self.names.values():
            for number in run("ip", "netns", "pids", name, check=False).stdout.split():
                try:
                    os.kill(int(number), signal.SIGKILL)  # daemons that left the group they were started in
                except ProcessLookupError:
                    continue
            run("ip", "netns", "del", name, check=False)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
