"""`manage.py sweep_idempotency_keys`: forget old answers now."""

from typing import Any

from django.core.management.base import BaseCommand

from orders_write.sweeping import sweep_idempotency_keys
from outbox.connection import django_connection


class Command(BaseCommand):
    help = (
        "Delete the stored answers that are older than IDEMPOTENCY_KEEP_DAYS, as workers do by themselves. A key that "
        "is repeated afterwards is a new request."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{sweep_idempotency_keys(django_connection())} answers deleted.")
