"""Settings of the tests: servers of their own in .data/test, started when they do not run.

Several runs may go on side by side: each holds a numbered slot, which names its databases.
"""

import fcntl
import os
from pathlib import Path

from config import services
from config.server_process import ServiceError

DATA_DIR = services.DATA_DIR / "test"
SLOTS = 16
WORKERS = 16


def _take_slot() -> int:
    """Hold the first free slot until this process ends."""
    for slot in range(SLOTS):
        file = os.open(DATA_DIR / f"slot-{slot}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return slot
    raise ServiceError(f"{SLOTS} runs of the tests go on already.")


DATA_DIR.mkdir(parents=True, exist_ok=True)
if (
    "TEST_SLOT" not in os.environ
):  # the workers of a parallel run inherit the slot of the process that started them
    if not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
        services.start(DATA_DIR, fast=True)
        found = services.urls(DATA_DIR)
        assert found, "the servers of the tests have just been started"
        os.environ |= {"DATABASE_URL": found.database, "REDIS_URL": found.redis}
    os.environ |= {"TEST_SLOT": str(_take_slot()), "HTTPS": "0"}

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_index = int(os.environ["TEST_SLOT"]) * WORKERS + _worker
os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/{_index}"

from config.settings import *  # noqa: E402, F403 – after the environment is complete
from config.settings import DATABASES, OUTBOX  # noqa: E402

DATABASES["default"]["TEST"] = {"NAME": f"test_orders_{os.environ['TEST_SLOT']}"}
DATABASES["default"]["CONN_MAX_AGE"] = None
OUTBOX["EVENTS"] = "tests.outbox.world.EVENTS"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
BASE_DIR = Path(__file__).resolve().parent.parent
