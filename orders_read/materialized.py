"""Make the materialized views: what is computed from read models now and then, and shown with its age.

They read views only, so that a rebuild may change what stands behind those.
"""

from pathlib import Path
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

SQL = Path(__file__).resolve().parent / "sql" / "views"


def definition(name: str) -> str:
    """Return the query in `sql/views/<name>.sql`."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


class CreateMaterializedView(Operation):
    """Create `read_<name>` of today's text and fill it; then put it in the place of an older one.

    `key` is its unique column, without which it could not be refreshed beside its readers.
    """

    reversible = True
    elidable = False

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.key = key

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Say how to make this operation again."""
        return self.__class__.__name__, [self.name, self.key], {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model: there is none."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create it."""
        view = f'"read_{self.name}"'
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"CREATE MATERIALIZED VIEW next_view AS {definition(f'read_{self.name}')}")
            cursor.execute(f"CREATE UNIQUE INDEX ON next_view ({self.key})")
            cursor.execute(f"DROP MATERIALIZED VIEW IF EXISTS {view}")
            cursor.execute(f"ALTER MATERIALIZED VIEW next_view RENAME TO {view}")

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Drop it."""
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f'DROP MATERIALIZED VIEW IF EXISTS "read_{self.name}"')

    def describe(self) -> str:
        """Say what `migrate --plan` shows."""
        return f"Create materialized view read_{self.name}"
