"""Dialogues that other projects recorded. Skipped where their captures, or tshark, are absent."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.dialogues import Follower
from analyzer.reassembly import Stream

CORPUS = Path(os.environ.get("HANDSHAKE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
EXPECTED = [
    # path, tcp.stream, server port, status, via, state, code, ask frame, answer frame, client and server offset
    ("arkime/tests/pcap/smtp-starttls.pcap", 0, 25, "tls", "smtp-starttls", "agreed", "220", 9, 10, 38, 235),
    ("ndpi/tests/cfgs/default/pcap/mysql.pcapng", 0, 3306, "none", "mysql", "not-offered", "", 0, 0, 0, 0),
    ("ndpi/tests/cfgs/default/pcap/mysql.pcapng", 1, 3306, "tls", "mysql", "agreed", "", 21, 19, 36, 78),
    ("ndpi/tests/cfgs/default/pcap/pop3_stls.pcap", 0, 110, "tls", "pop3-stls", "agreed", "+OK", 11, 12, 18, 225),
    ("ndpi/tests/cfgs/default/pcap/rdp.pcap", 0, 3389, "tls", "rdp", "agreed", "8", 4, 5, 19, 19),
    ("ndpi/tests/cfgs/default/pcap/rdp_over_tls.pcap", 0, 3389, "tls", "rdp", "agreed", "2", 4, 5, 47, 19),
    ("ndpi/tests/cfgs/default/pcap/tls_heur__shadowsocks-tcp.pcapng", 0, 1080, "tls", "socks5", "agreed", "REP 0", 12, 13, 26, 12),
    ("suricata-verify/tests/bug-2512/sample_10.62.112.41_62227.pcap", 0, 8080, "tls", "http-connect", "agreed", "", 4, 0, 247, 95),
    ("suricata-verify/tests/smtp-startssl/input.pcap", 0, 25, "tls", "smtp-starttls", "agreed", "220", 10, 12, 31, 217),
    ("suricata-verify/tests/smtp-tls-protodetect/input.pcap", 0, 25, "tls", None, "", "", 0, 0, 0, 0),
    ("zeek/testing/btest/Traces/ftp/ftp-auth-tls.pcap", 0, 21, "tls", "ftp-auth-tls", "agreed", "234", 20, 21, 16, 145),
    ("zeek/testing/btest/Traces/http/connect-with-header.pcap", 0, 80, "tls", "http-connect", "agreed", "200", 5, 7, 221, 74),
    ("zeek/testing/btest/Traces/ldap/ldap-starttls.pcap", 0, 389, "tls", "ldap-starttls", "agreed", "0", 4, 6, 31, 14),
    ("zeek/testing/btest/Traces/postgresql/psql-aws-ssl-preferred.pcap", 0, 5432, "tls", "postgresql", "agreed", "S", 4, 6, 8, 1),
    ("zeek/testing/btest/Traces/rdp/rdp-no-cookie-mstshash.pcap", 0, 3389, "tls", "rdp", "agreed", "8", 7, 9, 19, 19),
    ("zeek/testing/btest/Traces/smtp.pcap", 0, 25, "none", "smtp-starttls", "not-asked", "", 0, 0, 0, 0),
    ("zeek/testing/btest/Traces/smtp.pcap", 2, 25, "none", "smtp-starttls", "not-offered", "", 0, 0, 0, 0),
    ("zeek/testing/btest/Traces/socks-with-ssl.pcap", 0, 1080, "tls", "socks5", "agreed", "REP 0", 7, 8, 24, 12),
    ("zeek/testing/btest/Traces/tls/pop3-starttls.pcap", 0, 110, "tls", "pop3-stls", "agreed", "+OK", 7, 9, 6, 138),
    ("zeek/testing/btest/Traces/tls/smtp-starttls.pcap", 0, 25, "tls", "smtp-starttls", "agreed", "220", 10, 11, 35, 224),
    ("zeek/testing/btest/Traces/tls/xmpp-dialback-starttls.pcap", 0, 5269, "tls", "xmpp-starttls", "agreed", "proceed", 8, 10, 220, 415),
]
FIELDS = ["frame.number", "tcp.srcport", "tcp.seq_raw", "tcp.flags.syn", "tcp.payload"]

pytestmark = [
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the captures of other projects are not here"),
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]


def read_segments(path: Path, stream: int) -> Iterator[tuple[int, int, int, bool, bytes]]:
    command = ["tshark", "-r", str(path), "-Y", f"tcp.stream == {stream}", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    command += [part for field in FIELDS for part in ("-e", field)]
    for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
        frame, port, sequence, syn, payload = line.split("|")
        if sequence:  # else TCP quoted in an ICMP error
            yield int(frame), int(port), int(sequence), syn == "1", bytes.fromhex(payload.replace(":", ""))


@pytest.mark.parametrize("expected", EXPECTED, ids=[f"{row[0].rpartition('/')[2]}-{row[1]}" for row in EXPECTED])
def test_a_recorded_dialogue_is_understood(expected: tuple[str, int, int, str, str | None, str, str, int, int, int, int]) -> None:
    path, number, server_port, status, via, state, code, ask, answer, client_offset, server_offset = expected
    if not (CORPUS / path).is_file():
        pytest.skip("this capture is not here")
    follower = Follower(server_port)
    streams = {True: Stream(), False: Stream()}
    for frame, port, sequence, syn, payload in read_segments(CORPUS / path, number):
        from_client = port != server_port
        if syn:
            streams[from_client].start(sequence + 1)
        for piece in streams[from_client].add(sequence + syn, payload, frame, 0):
            follower.feed(from_client, piece.data, piece.frame, piece.offset)
    for from_client, stream in streams.items():
        while stream.pending:
            for piece in stream.skip_gap():
                follower.feed(from_client, piece.data, piece.frame, piece.offset)
    follower.finish()
    assert (follower.status, follower.client_offset, follower.server_offset) == (status, client_offset, server_offset)
    dialogue = follower.dialogue
    if via is None:
        assert dialogue is None
    else:
        assert dialogue is not None
        assert (dialogue.via, dialogue.state, dialogue.code, dialogue.ask_frame, dialogue.answer_frame) == (via, state, code, ask, answer)
