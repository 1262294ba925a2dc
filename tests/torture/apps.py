from django.apps import AppConfig


class TortureConfig(AppConfig):
    name = "tests.torture"
    label = "torture"
    default = True


class MutatedTortureConfig(TortureConfig):
    default = False

    def ready(self) -> None:
        from . import mutations  # noqa: PLC0415 – imports models, which are ready only now

        mutations.change_code()
