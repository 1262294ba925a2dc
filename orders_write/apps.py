"""The Django app of `orders_write`."""

from django.apps import AppConfig


class OrdersWriteConfig(AppConfig):
    """Registers the checks of the settings."""

    name = "orders_write"

    def ready(self) -> None:
        """Register the checks."""
        from . import checks  # noqa: F401, PLC0415 – checks need the registry of apps
