"""The Django app of the naive twin."""

from django.apps import AppConfig


class NaiveConfig(AppConfig):
    name = "benchmarks.naive"
    default_auto_field = "django.db.models.BigAutoField"
