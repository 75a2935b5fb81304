"""Being here puts this folder on the import path, so that every test can use ``hostile``."""

from hypothesis import HealthCheck, settings

# No test waits on a clock: a busy machine is no failure.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")
