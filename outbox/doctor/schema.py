"""Whether all migrations are applied."""

from collections.abc import Iterator

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from ..advice import counted
from .findings import Finding, Severity


def find_migrations(cursor: CursorWrapper) -> Iterator[Finding]:
    """Name the migrations that the code has and the database has not."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan)
        what = f"{counted(len(plan), 'migration')} to apply: {names}."
        yield Finding("doctor.D501", Severity.ERROR, what, "`manage.py migrate`.")
