"""The Django app of `orders_read`."""

from django.apps import AppConfig


class OrdersReadConfig(AppConfig):
    name = "orders_read"
