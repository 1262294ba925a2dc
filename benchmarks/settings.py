"""Settings of the benchmarks: servers of their own in .data/bench, and a database that each run makes anew."""

import os

from config import services

DATA_DIR = services.DATA_DIR / "bench"
DATABASE = "bench"

WERE_STARTED = False
if "BENCHMARK_SERVERS" not in os.environ:  # children inherit the addresses
    WERE_STARTED = services.start(DATA_DIR)
    found = services.urls(DATA_DIR)
    assert found, "the servers have just been started"
    os.environ |= {
        "DATABASE_URL": f"{found.database.rsplit('/', 1)[0]}/{DATABASE}",
        "REDIS_URL": found.redis,
        "HTTPS": "0",
        "LOG_LEVEL": "ERROR",
        "BENCHMARK_SERVERS": "1",
    }

from config.settings import *  # noqa: E402, F403 – after the environment is complete
from config.settings import INSTALLED_APPS  # noqa: E402

INSTALLED_APPS += ["benchmarks.naive"]
MIGRATION_MODULES = {"naive": None}
