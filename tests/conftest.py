"""Being here puts this folder on the import path, so that every test can use ``hostile``."""

import os

from hypothesis import HealthCheck, settings

# Trainings are compared bit for bit, which holds for one number of threads only.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test waits on a clock: a busy machine is no failure.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")
