"""The Django app of `orders_write`."""

from django.apps import AppConfig


class OrdersWriteConfig(AppConfig):
    name = "orders_write"
