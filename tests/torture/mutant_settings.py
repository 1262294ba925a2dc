"""Settings of a mutant's processes: those of the product, and an app that takes a safeguard out as it starts."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as APPS
from config.settings import OUTBOX as OPTIONS

INSTALLED_APPS = [
    "tests.torture.apps.MutatedTortureConfig" if app == "tests.torture" else app for app in APPS
]
OUTBOX = OPTIONS | {"SWEEP_SECONDS": 0.02}  # all workers are at it all the time, so that they meet
