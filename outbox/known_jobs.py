"""Which jobs a worker runs: functions that a module `jobs` within an installed app defines, called with JSON.

Whoever can write into Redis could otherwise have any function called, such as one that runs a shell.
"""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string
from rq.job import Job


class UnknownJob(Exception):
    """No app defines this job: it is not run."""


class KnownJob(Job):
    """A job whose function is known; the callbacks that a job may name are not called."""

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., Any]:
        """Find the function; raises UnknownJob."""
        module, _, name = (self.func_name or "").rpartition(".")
        if not (module.endswith(".jobs") and apps.get_containing_app_config(module)):
            raise UnknownJob(self.func_name)
        found: Callable[..., Any] = import_string(f"{module}.{name}")
        if name.startswith("_") or getattr(found, "__module__", "") != module:
            raise UnknownJob(self.func_name)
        return found
