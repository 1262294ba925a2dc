from django.apps import AppConfig


class TortureConfig(AppConfig):
    name = "tests.torture"
    label = "torture"
    default = True
