"""The Django app of `outbox`."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "outbox"
