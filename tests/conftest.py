"""What all tests share: a slow machine is no failure (speed is looked at in ``benchmarks/``)."""

import signal

from hypothesis import HealthCheck, settings

from analyzer.handshakes.tracker import Tracker

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background: processes that tests start and interrupt would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)

Tracker.shields = False
