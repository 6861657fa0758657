"""``handshake verify``: exit codes and words."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def test_agreement_is_exit_0_and_one_line_of_figures(handshake, expired, completed):
    done = handshake("verify", expired, completed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("2 captures, 2 attempts, ")
    assert done.stdout.rstrip().endswith("they agree")


def test_what_only_one_side_reads_is_counted_with_its_reason(handshake, captures):
    done = handshake("verify", captures / "completed--python-python-tds-tls12" / "capture.pcapng")
    assert done.returncode == 0, done.stdout
    assert "not counted" in done.stdout


def test_a_file_that_is_not_there_is_exit_1(handshake, tmp_path):
    done = handshake("verify", tmp_path / "none.pcap")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
