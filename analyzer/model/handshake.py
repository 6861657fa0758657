"""One handshake attempt: the facts, as the wire shows them, and at the end its verdict.

Built by ``analyzer.handshakes``, read by ``analyzer.diagnosis`` and ``analyzer.tables``. Times are
ns since the epoch, frames as Wireshark counts. Nothing here holds a buffer of the capture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from analyzer.model.faults import Fault
from analyzer.model.finding import AbortedBy, Evidence, Finding, Outcome
from analyzer.model.hello import Alert, Certificate, CertificateRequest, ClientHello, ServerHello, ServerKeyExchange
from analyzer.model.record import Record
from analyzer.model.shown import Shown
from analyzer.model.tcp import IcmpError

__all__ = ["Dialogue", "Flow", "Handshake", "Message", "Segment", "Stage"]


class Stage:
    """Where it stopped, in order. The value is the column; ``RANK`` orders them."""

    SYN = "syn"  # S0: SYN only
    REFUSED = "refused"  # S1: SYN answered by RST or ICMP
    CONNECTED = "connected"  # S2: handshake of TCP, no byte from the client
    CLIENT_NOT_TLS = "client-not-tls"  # S3: the client's bytes are not TLS (and no dialogue leads to it)
    DIALOGUE = "dialogue"  # S3: a dialogue that asks for TLS, which never began
    CLIENT_HELLO_UNACKED = "client-hello-unacked"  # S4
    CLIENT_HELLO = "client-hello"  # S5: acknowledged (or not known), no byte from the server
    SERVER_NOT_TLS = "server-not-tls"  # S6
    SERVER_ALERT = "server-alert"  # S7: alert in place of ServerHello
    SERVER_HELLO = "server-hello"  # S8: ServerHello or HelloRetryRequest, client's second flight not begun
    CLIENT_FLIGHT = "client-flight"  # S9: client's second flight begun, handshake not done
    FINISHED = "finished"  # S10: both Finished could be sent, no application data both ways
    ESTABLISHED = "established"  # S11: application data went on
    RANK: ClassVar[dict[str, int]] = {
        name: rank
        for rank, name in enumerate(
            (SYN, REFUSED, CONNECTED, CLIENT_NOT_TLS, DIALOGUE, CLIENT_HELLO_UNACKED, CLIENT_HELLO, SERVER_NOT_TLS,
             SERVER_ALERT, SERVER_HELLO, CLIENT_FLIGHT, FINISHED, ESTABLISHED)
        )
    }  # fmt: skip


class Message(NamedTuple):
    """A handshake message, or a record that is not (or not readable as) one, in causal order."""

    frame: int
    """Frame in which it ended."""
    timestamp: int
    from_client: bool
    kind: str
    """'client_hello', 'server_hello', 'hello_retry_request', 'certificate', 'server_key_exchange',
    'certificate_request', 'server_hello_done', 'client_key_exchange', 'certificate_verify',
    'new_session_ticket', 'certificate_status', 'encrypted_extensions', 'finished', 'hello_request',
    'key_update', 'end_of_early_data', 'compressed_certificate' ... (names as in RFC 8446 section 4);
    'change_cipher_spec', 'alert', 'application_data', 'heartbeat'; 'encrypted_handshake' (a handshake
    record that cannot be read), 'not_tls'."""
    length: int
    """Bytes of the message without its 4-byte header; of the record body when encrypted."""
    first_frame: int
    """Frame in which it began."""
    encrypted: bool = False
    """The body travelled encrypted."""
    decrypted: bool = False
    """... and the key log opened it."""
    offset: int = 0
    """Where its record began in the direction's stream of TLS bytes: two of one direction in one
    record have the same offset."""


class Segment(NamedTuple):
    """One TCP segment of a flow, as the path rules see it. Sequence numbers are relative to the
    sender's initial one where the SYN was seen, else to its first segment."""

    frame: int
    timestamp: int
    from_client: bool
    flags: int
    sequence: int
    """Relative; of the segment's first byte (SYN is 0)."""
    acknowledgment: int
    """Relative to the other side's initial sequence; -1 without ACK flag."""
    length: int
    """Payload bytes on the wire."""
    captured: int
    window: int
    ttl: int
    ip_id: int
    dont_fragment: bool
    options: int
    timestamp_value: int
    retransmission: bool
    """All its bytes (or its SYN/FIN) had been sent before."""
    duplicate: bool
    """A copy of another frame (SPAN, 'any' interface): not sent twice."""
    mss: int = 0
    interface: int = 0
    original_length: int = 0


@dataclass(slots=True, eq=False, repr=False)
class Flow(Record):
    """Facts of the TCP connection."""

    number: int
    """flow_id: within the run."""
    stream: int
    """tcp.stream: within the capture."""
    capture: int
    client_address: str
    client_port: int
    server_address: str
    server_port: int
    first_frame: int
    last_frame: int
    first_seen: int
    last_seen: int
    client_known_by: str
    """'syn', 'hello', 'port' or 'order': how it was told who is the client."""
    syn_frame: int = 0
    """0 where not seen, as for all frames below."""
    syn_time: int = 0
    syn_ack_frame: int = 0
    syn_ack_time: int = 0
    ack_frame: int = 0
    """First segment of the client that acknowledges the SYN-ACK."""
    syns: int = 0
    syn_acks: int = 0
    client_frames: int = 0
    server_frames: int = 0
    client_bytes: int = 0
    """Payload bytes on the wire, retransmissions included."""
    server_bytes: int = 0
    client_fin_frame: int = 0
    server_fin_frame: int = 0
    client_rst_frame: int = 0
    server_rst_frame: int = 0
    client_fin_time: int = 0
    server_fin_time: int = 0
    client_rst_time: int = 0
    server_rst_time: int = 0
    client_rsts: int = 0
    server_rsts: int = 0
    retransmissions: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    client_gaps: int = 0
    """Bytes of the client's stream that were sent but never captured."""
    server_gaps: int = 0
    truncated: int = 0
    """Frames cut by the snaplen."""
    client_mss: int = 0
    server_mss: int = 0
    client_ttl: int = 0
    """Of the SYN, else of the first segment."""
    server_ttl: int = 0
    community_id: str = ""
    segments_capped: bool = False
    evicted: bool = False
    tunnel: int = 0
    vlan: int = -1

    @property
    def one_way(self) -> bool:
        """Only one side's packets were captured."""
        return self.client_frames == 0 or self.server_frames == 0


@dataclass(slots=True, eq=False, repr=False)
class Dialogue(Record):
    """What was said before TLS to ask for it (STARTTLS, CONNECT, SSLRequest, SOCKS ...)."""

    via: str
    """'smtp-starttls', 'http-connect', ... the value of the column."""
    state: str = ""
    """'asked' (TLS was asked for, no answer yet), 'agreed', 'refused', 'not-offered', 'not-asked', 'broken'."""
    target: str | None = None
    """Host and port a proxy was asked for: 'example.com:443'."""
    lines: list[tuple[int, bool, str]] = field(default_factory=list)
    """(frame, from_client, text): the lines that matter, at most 32, each cut to 200 characters, raw."""
    offered: tuple[str, ...] = ()
    """Capabilities the server listed."""
    ask_frame: int = 0
    answer_frame: int = 0
    code: str = ""
    """Code of the decisive answer: '454', '407', 'N', 'REP 5' ..."""
    client_offset: int = 0
    """Bytes of each direction that belong to the dialogue; TLS begins after them."""
    server_offset: int = 0


@dataclass(slots=True, eq=False, repr=False)
class Handshake(Record, Shown):
    """One attempt."""

    flow: Flow
    stage: str = Stage.SYN
    client_hello: ClientHello | None = None
    """The first one of the handshake."""
    second_client_hello: ClientHello | None = None
    """After a HelloRetryRequest."""
    hello_retry: ServerHello | None = None
    server_hello: ServerHello | None = None
    server_certificates: tuple[Certificate, ...] = ()
    client_certificates: tuple[Certificate, ...] | None = None
    """None: no Certificate message seen; (): an empty one."""
    server_certificates_complete: bool = False
    """The Certificate message was read whole."""
    server_certificate_bytes: int = 0
    """Of the Certificate message; what its header announces where not all of it came."""
    server_key_exchange: ServerKeyExchange | None = None
    certificate_request: CertificateRequest | None = None
    ocsp_response: bytes | None = None
    """Stapled OCSPResponse (DER)."""
    alerts: list[Alert] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dialogue: Dialogue | None = None
    client_bytes: bytes = b""
    """First bytes (at most 512) that the client sent when they are not TLS."""
    server_bytes: bytes = b""
    """... and the server."""
    client_bytes_frame: int = 0
    server_bytes_frame: int = 0
    client_hello_frame: int = 0
    client_hello_time: int = 0
    client_hello_segments: int = 0
    client_hello_first_frame: int = 0
    client_hello_end: int = 0
    """Relative sequence number after the hello's last byte."""
    client_hello_incomplete: int = 0
    """Bytes the hello announced, when it was begun and never completed; else 0."""
    server_hello_frame: int = 0
    server_hello_time: int = 0
    client_finished_frame: int = 0
    """Where the client's Finished was, or must have been (TLS 1.3: inferred from records)."""
    server_finished_frame: int = 0
    client_ccs_frame: int = 0
    server_ccs_frame: int = 0
    client_application_bytes: int = 0
    """After its Finished."""
    server_application_bytes: int = 0
    client_application_records: int = 0
    server_application_records: int = 0
    early_data_bytes: int = 0
    named_group: int | None = None
    alpn: str | None = None
    resumption: str | None = None
    client_certificate_requested: bool | None = None
    client_certificate_sent: bool | None = None
    client_certificate_inferred: bool = False
    """The two above were told from record lengths, not read."""
    renegotiations: int = 0
    decryption: str = ""
    """'' no keys; 'full', 'handshake', 'partial', 'failed': what the key log opened."""
    decryption_note: str = ""
    finished_verified: bool | None = None
    """Both Finished seen with keys fit the messages before them (RFC 8446 section 4.4.4); None where that cannot be told."""
    icmp: list[IcmpError] = field(default_factory=list)
    reset_text: bytes = b""
    """What the first RST with a payload carried (RFC 9293 section 3.5.2), at most 200 bytes."""
    reset_text_frame: int = 0
    reset_text_from_client: bool = False
    read_segments: Callable[[], tuple[Segment, ...]] | None = None
    """Makes ``segments`` when they are first asked for; None once made or where none were kept."""
    known_segments: tuple[Segment, ...] = ()
    read_messages: Callable[[], list[Message]] | None = None
    """The same for ``messages``."""
    known_messages: list[Message] = field(default_factory=list)
    alike: int = field(default=0, compare=False)
    """A number that handshakes share which differ in their random bytes, frames, times and ClientHellos only; 0: none is known."""
    # the verdict
    outcome: Outcome = "unfinished"
    aborted_by: AbortedBy = "none"
    closing_alert: Alert | None = None
    """The alert that decided, after discarding those sent because the other side had gone."""
    finding: Finding | None = None
    also: list[Finding] = field(default_factory=list)
    closing_evidence: list[Evidence] = field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        """What was said, in causal order."""
        if self.read_messages is not None:
            self.known_messages = self.read_messages()
            self.read_messages = None
        return self.known_messages

    @messages.setter
    def messages(self, messages: list[Message]) -> None:
        self.read_messages = None
        self.known_messages = messages

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The flow's segments while the handshake ran and around its end (capped). Empty for what completed."""
        if self.read_segments is not None:
            self.known_segments = self.read_segments()
            self.read_segments = None
        return self.known_segments

    @segments.setter
    def segments(self, segments: tuple[Segment, ...]) -> None:
        self.read_segments = None
        self.known_segments = segments

    @property
    def is_whole(self) -> bool:
        """All that either side sent or acknowledged was plainly captured, once and in order; False where only segments can tell."""
        look = getattr(self.read_segments, "is_whole", None)
        return look is not None and bool(look())

    @property
    def is_of_one_distance(self) -> bool:
        """The server's packets plainly came with one TTL; False where only segments can tell."""
        look = getattr(self.read_segments, "is_of_one_distance", None)
        return look is not None and bool(look())

    @property
    def selected_version(self) -> int | None:
        """Version the server chose (drafts keep their number); None without ServerHello."""
        hello = self.server_hello or self.hello_retry
        return (hello.selected_version or None) if hello else None

    @property
    def is_tls13(self) -> bool:
        """The server chose TLS 1.3 (or a draft of it)."""
        version = self.selected_version
        return version is not None and (version == 0x0304 or version >> 8 in (0x7F, 0xFB))

    def __repr__(self) -> str:
        flow, finding = self.flow, self.finding
        name = self.client_hello.server_name if self.client_hello is not None else None
        to = f"{flow.server_address}:{flow.server_port}" + (f" ({name!r})" if name else "")
        verdict = f"{self.outcome}: {finding.cause} ({finding.confidence})" if finding is not None else self.outcome
        return f"<Handshake of stream {flow.stream}, {flow.client_address}:{flow.client_port} to {to}, {verdict}>"
