"""Records one case: build the network, start the parties, run the client, keep and label what was on the wire."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import artefacts, pcap
from .case import Case
from .network import CLIENT, ROUTER_LEFT, SERVER, Network
from .observe import Seen, observe
from .pki import Pki
from .stacks import PROGRAMS, Command, Lab, Options, Stack, all_stacks
from .stacks.proxies import PROGRAM, PROXIES

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent
KEYS = (
    "cause",
    "cause_without_keys",
    "outcome",
    "aborted_by",
    "stream",
    "tls_version",
    "alert",
    "client",
    "server",
    "facts",
    "keylog",
    "also",
    "notes",
)
# What a plaintext alert lets one say when the certificate cannot be seen.
TELLING = {"certificate_expired": "cert-expired", "certificate_revoked": "cert-revoked", "unknown_ca": "cert-unknown-ca",
           "decrypt_error": "decrypt-error"}  # fmt: skip


class Disagreement(Exception):
    """The recording does not show what the row says."""


class Recorder:
    def __init__(self, work: Path | None = None, target: Path = CAPTURES) -> None:
        self.base = work or HERE / ".work"
        self.target = target
        self.pki = Pki(self.base / "pki")
        if target.is_dir():
            trust, root = target / "trust.pem", self.pki.ca("root").read_bytes()
            known = trust.read_bytes() if trust.exists() else b""
            if root.strip() not in known:  # what was recorded with another laboratory's root stays
                trust.write_bytes(known + root)

    def missing(self, case: Case) -> list[str]:
        stacks = all_stacks()
        if case.made_from:
            return []
        need = [n for s in (case.client, case.server) if s in stacks for n in stacks[s].missing()]
        kind = (case.middle or {}).get("kind")
        if kind in PROXIES and not shutil.which(PROGRAM.get(kind, kind)):
            need.append(kind)
        return need + [n for n in ("tcpdump", "tshark", "ip", "ethtool") if not shutil.which(n)]

    def record(self, case: Case) -> Path:
        with tempfile.TemporaryDirectory(prefix="handshake-lab-", ignore_cleanup_errors=True) as name:
            work = Path(name)
            work.chmod(0o755)
            if case.made_from:
                frames, reports, keys = artefacts.make(case, self.target, work)
            else:
                frames, reports, keys = self._perform(case, work)
            for left in Path("/var/tmp").glob(f"handshake-lab-pg-*-{work.name}"):
                shutil.rmtree(left, ignore_errors=True)
            return self._keep(case, frames, reports, keys, work)

    # -- the performance ------------------------------------------------------------------------------------------
    def _lab(self, work: Path, role: str, case: Case, address: str = SERVER) -> Lab:
        folder = work / role
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        return Lab(self.pki, folder, self.base / "build", address, case.port, folder / "keys.log")

    def _perform(self, case: Case, work: Path) -> tuple[list[pcap.Frame], dict[str, str | None], str]:
        stacks = all_stacks()
        client, server = stacks[case.client], stacks[case.server]
        settings = dict(case.network)
        kernel = bool(case.firewall) or bool(case.middle and not case.middle.get("explicit")) or settings.pop("forward", "box") == "kernel"
        delay, hops = settings.pop("delay", 0.005), settings.pop("hops", 3)
        sysctls = settings.pop("sysctl", ())
        with Network(forward="kernel" if kernel else "box", **settings) as net:
            for role, key, value in sysctls:
                net.sysctl(role, key, value)
            server_lab = self._lab(work, "server", case)
            command = server.server(Options(case.s), server_lab)
            process = self._start(net, "server", command, work / "server.out")
            if not kernel:
                config = {"delay": delay, "hops": hops, "faults": list(case.faults)}
                box = net.start("router", [sys.executable, str(PROGRAMS / "box.py"), json.dumps(config)], output=work / "box.out")
                self._await(work / "box.out", b"forwarding", box)
            if case.middle:
                self._middle(net, case, work)
            for role, *rule in case.firewall:
                net.firewall(role, *rule)
            if command.ready_port:
                net.wait_listening(process, command.ready_port, 25)
            raw = work / "raw.pcap"
            recording = net.record(case.at, raw, *([case.filter] if case.filter else []))
            address = ROUTER_LEFT if case.middle and case.middle.get("explicit") else SERVER
            client_lab = self._lab(work, "client", case, address)
            runs = case.c if isinstance(case.c, tuple) else (case.c,)
            for number, options in enumerate(runs):
                o = Options(options)
                if case.client == "nobody":
                    break
                self._run(net, client.client(o, client_lab), work / "client.out", number, case, recording)
            if not kernel and box.poll() is not None:
                raise RuntimeError("the box on the way broke down: " + (work / "box.out").read_text()[-300:])
            if not case.early_stop:
                self._quiet(raw, case.settle)
            net.stop(recording)
            net.stop(process)
        output = {r: (work / f"{r}.out").read_text(errors="replace") if (work / f"{r}.out").exists() else "" for r in ("client", "server")}
        reports = {"client": client.reported(output["client"]), "server": server.reported(output["server"])}
        frames = list(pcap.read(raw))
        keys = "".join((work / r / "keys.log").read_text() for r in ("client", "server", "middle") if (work / r / "keys.log").exists())
        if not frames:
            raise Disagreement("nothing was recorded; client said: " + output["client"][-300:])
        self.last_output = output
        return frames, reports, keys

    def _middle(self, net: Network, case: Case, work: Path) -> None:
        m = dict(case.middle or {})
        lab = self._lab(work, "middle", case)
        port = m.pop("port", 8443)
        if m["kind"] in PROXIES:
            command = PROXIES[m["kind"]](lab, port, m.get("lines", []))
            process = net.start("router", command.argv, env=command.env, output=work / "middle.out", cwd=lab.work)
            net.wait_listening(process, port)
            time.sleep(0.3)
            self._redirect(net, case, port)
            return
        argv = [sys.executable, str(PROGRAMS / "proxy.py"), m.pop("kind"), "--port", str(port), "--to", m.pop("to", f"{SERVER}:443")]
        leaf = m.pop("cert", None)
        if leaf:
            argv += ["--cert", str(self.pki.leaf(leaf).chain), "--key", str(self.pki.leaf(leaf).key), "--keylog", str(lab.keylog)]
        m.pop("explicit", None)
        for key, value in m.items():
            argv += [f"--{key}", str(value)]
        process = net.start("router", argv, output=work / "middle.out")
        net.wait_listening(process, port)
        self._redirect(net, case, port)

    @staticmethod
    def _redirect(net: Network, case: Case, port: int) -> None:
        """Lead what is meant for the server to the box in the middle, unless the client knows of it."""
        if not (case.middle or {}).get("explicit"):
            rule = ["-t", "nat", "-A", "PREROUTING", "-i", "left", "-p", "tcp", "--dport"]
            net.firewall("router", *rule, str(case.port), "-j", "REDIRECT", "--to-ports", str(port))

    @staticmethod
    def _start(net: Network, role: str, command: Command, output: Path) -> subprocess.Popen[bytes]:
        stdin = subprocess.PIPE if command.stdin is not None else subprocess.DEVNULL
        process = net.start(role, command.argv, env=command.env, output=output, stdin=stdin)
        if command.stdin and process.stdin:
            process.stdin.write(command.stdin.encode("latin-1"))
            process.stdin.flush()
        return process

    @staticmethod
    def _await(path: Path, text: bytes, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end and text not in path.read_bytes():
            if process.poll() is not None:
                raise RuntimeError(path.read_text())
            time.sleep(0.02)

    def _run(self, net: Network, command: Command, output: Path, number: int, case: Case, recording: subprocess.Popen[bytes]) -> None:
        one = output.with_suffix(f".{number}")
        argv = (["faketime", "-f", case.clock] if case.clock else []) + command.argv
        stdin = subprocess.PIPE if command.stdin is not None else subprocess.DEVNULL
        process = net.start("client", argv, env=command.env, output=one, stdin=stdin)
        end = time.monotonic() + command.patience
        try:
            if command.stdin is not None and process.stdin:
                time.sleep(0.4)
                try:
                    for part in command.stdin.split("\x00"):
                        process.stdin.write(part.encode("latin-1"))
                        process.stdin.flush()
                        time.sleep(0.1)
                    stop = time.monotonic() + command.linger
                    while time.monotonic() < stop and process.poll() is None:
                        time.sleep(0.02)
                    process.stdin.close()
                except BrokenPipeError:
                    pass
            if case.early_stop:
                time.sleep(0.2)
                net.stop(recording)
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            net.stop(process)
        finally:
            with output.open("ab") as all_of_it:
                all_of_it.write(one.read_bytes() + b"\n")

    @staticmethod
    def _quiet(raw: Path, seconds: float) -> None:
        """Wait until nothing has been recorded for a while."""
        size, since, end = -1, time.monotonic(), time.monotonic() + seconds + 4
        while time.monotonic() < end and time.monotonic() - since < seconds:
            now = raw.stat().st_size if raw.exists() else 0
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.05)

    # -- keeping and labelling ------------------------------------------------------------------------------------
    def _keep(self, case: Case, frames: list[pcap.Frame], reports: dict[str, str | None], keys: str, work: Path) -> Path:
        draft = work / "draft"
        draft.mkdir()
        capture, keylog = draft / "capture.pcapng", draft / "keys.log"
        pcap.write(capture, frames, snaplen=case.cut.get("size", 262144) if case.cut.get("do") == "snaplen" else 262144)
        everything = b"".join(f.data for f in frames)
        kept = []
        for line in dict.fromkeys(keys.splitlines()):
            words = line.split()
            if len(words) == 3 and bytes.fromhex(words[1]) in everything:
                kept.append(line)
        if kept and case.keep_keys:
            keylog.write_text("\n".join(kept) + "\n")
        elif case.cut.get("keep_foreign_keys"):
            keylog.write_text(keys)
        has_keys = keylog.exists()
        if case.stream < 0:
            case = dataclasses.replace(case, stream=self._judged(case, capture, keylog if has_keys else None))
        seen = observe(capture, keylog if has_keys else None, case.seen_port, case.stream)
        expected = self._label(case, seen, reports, has_keys)
        self._check(case, seen, expected)
        (draft / "expected.json").write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n")
        (draft / "README.md").write_text(readme(case, seen, expected))
        folder = self.target / case.folder
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(draft, folder)
        return folder

    @staticmethod
    def _judged(case: Case, capture: Path, keylog: Path | None) -> int:
        """Browsers open several connections: the one to judge is the first that gets as far as the row says."""
        first = observe(capture, keylog, case.seen_port, 0)
        for stream in range(first.streams):
            seen = observe(capture, keylog, case.seen_port, stream)
            if seen.completed if case.expected_outcome == "completed" else seen.alert:
                return stream
        return 0

    def _label(self, case: Case, seen: Seen, reports: dict[str, str | None], has_keys: bool) -> dict[str, Any]:
        stacks = all_stacks()
        outcome = case.expected_outcome
        alert = seen.alert if case.alert == "seen" else case.alert
        if outcome in ("completed", "no-handshake", "unfinished") and case.alert == "seen":
            alert = None
        facts: dict[str, Any] = {}
        if seen.server_name:
            facts["server_name"] = seen.server_name
        if seen.version:
            facts |= {"selected_version": seen.version, "cipher_suite": seen.cipher_suite, "resumption": seen.resumption,
                      "hello_retry_request": seen.hello_retry_request}  # fmt: skip
        for key in ("client_certificate_requested", "client_certificate_sent", "alpn"):
            if getattr(seen, key) is not None:
                facts[key] = getattr(seen, key)
        if case.via:
            facts["via"] = case.via
        facts |= case.facts

        def party(name: str, role: str) -> dict[str, Any]:
            stack: Stack | None = stacks.get(name)
            return {
                "stack": name,
                "version": stack.version() if stack else "",
                "reported": None if outcome == "completed" and not case.also else reports.get(role),
            }

        by = (
            case.by
            or {"completed": "none", "no-handshake": "none", "unfinished": "unknown"}.get(outcome)
            or (alert or {}).get("from")
            or seen.closed_by
            or "unknown"
        )
        return {
            "cause": case.cause,
            "cause_without_keys": _without_keys(case, seen.version, alert),
            "outcome": outcome,
            "aborted_by": by,
            "stream": case.stream,
            "tls_version": seen.version,
            "alert": alert,
            "client": party(case.client, "client"),
            "server": party(case.server, "server"),
            "facts": facts,
            "keylog": "keys.log" if has_keys else None,
            "also": list(case.also),
            "notes": case.notes,
        }

    @staticmethod
    def _check(case: Case, seen: Seen, expected: dict[str, Any]) -> None:
        """The row against the recording; `sure` in the row says why a disagreement is right."""
        if case.sure or case.made_from:
            return
        wrong = []
        outcome = expected["outcome"]
        if outcome == "completed" and not seen.completed:
            wrong.append("it should complete and does not")
        if outcome == "completed" and seen.alert:
            wrong.append(f"it should complete and there is {seen.alert}")
        if (
            outcome == "failed"
            and expected["alert"]
            and expected["aborted_by"] in ("client", "server")
            and expected["alert"]["from"] != expected["aborted_by"]
        ):
            wrong.append(f"{expected['aborted_by']} should end it and there is {expected['alert']}")
        if (
            outcome == "failed"
            and not expected["alert"]
            and expected["aborted_by"] in ("client", "server")
            and seen.closed_by != expected["aborted_by"]
        ):
            wrong.append(f"{expected['aborted_by']} should end it, {seen.closed_by} closes first")
        if (
            outcome == "failed"
            and seen.completed
            and not seen.alert
            and expected["aborted_by"] != "middlebox"
            and not expected["client"]["reported"]
        ):
            wrong.append("it should fail and completes")
        early = seen.version != "TLS 1.3" and all(
            any(r.sender == who and 23 in r.records for r in seen.rows) for who in ("client", "server")
        )
        if outcome == "failed" and seen.completed and expected["alert"] and early:
            wrong.append("the alert comes after the handshake")
        if outcome == "failed" and seen.completed and expected["aborted_by"] in ("middlebox", "unknown"):
            wrong.append("it should fail and completes")
        if outcome == "failed" and case.s.get("expect") and (expected["alert"] or {}).get("description") != case.s["expect"]:
            wrong.append(f"the alert should be {case.s['expect']} and is {expected['alert']}")
        if wrong:
            raise Disagreement(
                "; ".join(wrong)
                + " | "
                + seen.story()
                + f" | client: {expected['client']['reported']} | server: {expected['server']['reported']}"
            )


def _without_keys(case: Case, version: str | None, alert: dict[str, Any] | None) -> str | None:
    """What remains to be said without the key log, for causes a TLS 1.3 handshake hides."""
    if case.without_keys is not None:
        return None if case.without_keys == "nothing" else case.without_keys
    cause = case.cause
    if cause is None or version != "TLS 1.3":
        return cause
    if cause.startswith("client-cert-") and cause != "client-cert-missing":
        return "client-cert-rejected"
    hidden = cause.startswith(("cert-", "ocsp-")) or cause in ("clock-skew", "tls-interception", "sni-default-cert")
    if hidden and cause != "cert-rejected":
        if alert is None:
            return "client-silent-reject"
        return "cert-rejected" if alert["encrypted"] else TELLING.get(alert["description"], "cert-rejected")
    if alert and alert["encrypted"] and cause in ("alpn-mismatch", "no-common-sigalg", "unexpected-message", "decode-error", "illegal-parameter",
                                                  "internal-error", "decrypt-error", "bad-record-mac", "psk-failure", "data-corruption"):  # fmt: skip
        return "refused-encrypted"
    return cause


def readme(case: Case, seen: Seen, expected: dict[str, Any]) -> str:
    title = f"# {case.folder}\n\n"
    arranged = case.arranged or f"{all_stacks()[case.client].title} connects to {all_stacks()[case.server].title}."
    story = seen.story()
    shown = f"The judged stream shows: {story}." if story else "The judged stream shows no TCP payload."
    notice = case.notice or {
        "completed": "Notice that nothing is wrong: the handshake completes.",
        "no-handshake": "Notice that no handshake was tried.",
        "unfinished": "Notice that the capture, not the connection, is what falls short.",
    }.get(expected["outcome"], f"Notice who ends it: the {expected['aborted_by']}.")
    return title + f"{arranged}\n{shown}\n{notice}" + "\n"


__all__ = ["CAPTURES", "CLIENT", "KEYS", "Disagreement", "Recorder"]
