"""The Django app of `orders_read`."""

from django.apps import AppConfig


class OrdersReadConfig(AppConfig):
    name = "orders_read"

    def ready(self) -> None:
        """Register the system checks."""
        from .stores import checks  # noqa: F401, PLC0415 – an import registers them, and needs the models
