"""Settings of a mutant's processes: those of torture, and an app that takes a safeguard out as it starts."""

from tests.torture.settings import *  # noqa: F403
from tests.torture.settings import INSTALLED_APPS as APPS  # type: ignore[attr-defined]
from tests.torture.settings import OUTBOX as OPTIONS

INSTALLED_APPS = [
    "tests.torture.apps.MutatedTortureConfig" if app == "tests.torture" else app for app in APPS
]
OUTBOX = OPTIONS | {"SWEEP_SECONDS": 0.02}  # all workers are at it all the time, so that they meet
