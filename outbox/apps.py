"""The Django app of `outbox`."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Registers the checks of the settings."""

    name = "outbox"

    def ready(self) -> None:
        """Register the checks."""
        from . import checks  # noqa: F401, PLC0415 – checks need the registry of apps
        from .publishers import checks as publisher_checks  # noqa: F401, PLC0415
