"""Reports put together for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ladder_stories import flow, hello, message, refused

from analyzer.export.html import draw_page
from analyzer.export.report import Report
from analyzer.model.finding import Finding
from analyzer.model.handshake import Handshake
from analyzer.model.hello import Alert, Certificate, ServerHello

PAYLOADS = (
    "</script><script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1>",
    "'\"><svg onload=window.owned=1>",
    "{{7*7}}{% raw %}",
    "<!--<script>",
    "javascript:window.owned=1",
    "&lt;b&gt;&#x3c;i",
    "\u202egnp.exe\x1b[2J\x00\u2028",
)
DAY = 86_400_000_000_000


@dataclass
class Counts:
    frames: int = 1000
    bytes: int = 500_000
    flows: int = 100


def certificate(name: str = "server.test", days: int = 5, seen: int = 1_700_000_000_000_000_000) -> Certificate:
    return Certificate(
        der=name.encode("utf-8", "surrogatepass"),
        sha256=f"{abs(hash((name, days))):064x}",
        subject=f"CN={name}",
        issuer=f"CN=Authority of {name}",
        common_name=name,
        not_before=seen - 300 * DAY,
        not_after=seen + days * DAY,
        names=(name,),
        key="RSA 2048",
    )


def completed(stream: int, name: str = "server.test", **facts: object) -> Handshake:
    handshake = Handshake(flow(stream, **facts), stage="established", outcome="completed")
    handshake.client_hello = hello(name)
    handshake.server_hello = ServerHello(
        100, 0x0303, bytes(32), b"", 0x1301 if stream % 3 else 0xC02F, selected_version=0x0304 if stream % 3 else 0x0303
    )
    handshake.server_certificates = (certificate(name, 5 + stream % 60),)
    handshake.messages = [message(3, True, "client_hello"), message(4, False, "server_hello")]
    handshake.client_hello_time, handshake.server_hello_time = handshake.messages[0].timestamp, handshake.messages[1].timestamp
    handshake.named_group = 29
    return handshake


def failed(stream: int, cause: str = "server-fin-after-hello", name: str = "broken.test") -> Handshake:
    base = refused(name)
    base.flow = flow(stream, server_fin_frame=4, server_fin_time=1_700_000_000_004_000_000)
    assert base.finding is not None
    base.finding = Finding(
        cause,
        "likely",
        f"{name} failed in stream {stream}.",
        base.finding.evidence,
        remedy=base.finding.remedy,
        confirm=base.finding.confirm,
    )
    return base


def hostile(stream: int, payload: str) -> Handshake:
    """Markup in every text that comes off the wire."""
    handshake = failed(stream, "no-common-cipher", payload)
    handshake.client_hello = hello(payload, (payload,))
    handshake.alpn = payload
    handshake.server_certificates = (certificate(payload, 1),)
    handshake.messages.append(message(4, False, "certificate", 900))
    handshake.alerts = [Alert(5, 1_700_000_000_005_000_000, False, 2, 40)]
    assert handshake.finding is not None
    handshake.finding.confirm = [f"openssl s_client -servername {payload}"]
    return handshake


CAUSES = ("cert-expired", "no-common-cipher", "server-fin-after-hello")


@cache
def small_page() -> str:
    """Thirty handshakes, every third failed, then the hostile ones."""
    report = Report(["monday.pcap", PAYLOADS[0]])
    report.add_all(failed(n, CAUSES[n // 3 % 3], f"host{n}.test") if n % 3 == 0 else completed(n, f"host{n}.test") for n in range(30))
    report.add_all(hostile(100 + n, payload) for n, payload in enumerate(PAYLOADS))
    prevention = [
        Finding("certificate-ends-soon", "certain", f"{payload} ends soon", remedy=payload, kind="prevention") for payload in PAYLOADS
    ]
    return draw_page(report, Counts(), prevention=prevention, warnings=list(PAYLOADS))
