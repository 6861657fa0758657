"""What all tests share: a slow machine is no failure (speed is looked at in ``benchmarks/``)."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
