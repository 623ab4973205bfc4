"""Settings of all tests: as the program runs, and whatever the machine's speed."""

import os

os.environ["LC_ALL"] = "C.UTF-8"  # tests speak English wherever they run
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is loaded; two workers share the cores

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
