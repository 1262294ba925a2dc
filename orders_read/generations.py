"""Make the tables of a read model, `read_<table>_g<N>` behind a view `read_<table>`, and note which are live."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.utils.module_loading import import_string

from outbox.folding import hold
from outbox.folds import stored_form
from outbox.subscribers import Projection, Table, table_name

REGISTER = """
INSERT INTO projection_generations (projection, generation, version, state, statements, statements_hash)
VALUES (%s, %s, %s, %s, %s, %s)
"""
# What a generation keeps of its code names its tables, whatever today's code says.
FORGET = """
DELETE FROM projection_generations
 WHERE projection = %s
RETURNING ARRAY(SELECT stored ->> 'table' FROM jsonb_array_elements(statements) AS stored)
"""


class Cursor(Protocol):
    """What the functions below need of a cursor, Django's or psycopg's."""

    def execute(self, query: Any, params: Any = None, /) -> Any:
        """Send a statement."""


def create_generation(cursor: Cursor, projection: Projection, generation: int, state: str) -> None:
    """Make the empty tables of a generation and register it with the folds of today's code; no view changes."""
    statements, digest = stored_form(projection, generation)
    for table in projection.tables:
        _create_table(cursor, table, table_name(table.name, generation))
    cursor.execute(REGISTER, [projection.name, generation, projection.version, state, statements, digest])


def show_generation(cursor: Cursor, projection: Projection, generation: int) -> None:
    """Let the views of a projection read this generation. New columns may only stand behind the old ones."""
    for table in projection.tables:
        view, source = f'"read_{table.name}"', f'"{table_name(table.name, generation)}"'
        cursor.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {source}")


class CreateReadModels(Operation):
    """Create generation 1 of read models that have none, live and empty; the names are modules of `projections`."""

    reversible = True
    elidable = False

    def __init__(self, *names: str) -> None:
        self.names = names

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Say how to make this operation again."""
        return self.__class__.__name__, list(self.names), {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model: the models over the views are unmanaged."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create what is missing."""
        self._each(schema_editor, _create_first_generation)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Drop every generation: a read model can be built again from the log."""
        self._each(schema_editor, _drop_generations)

    def describe(self) -> str:
        """Say what `migrate --plan` shows."""
        return f"Create read models {', '.join(self.names)}"

    def _each(
        self, schema_editor: BaseDatabaseSchemaEditor, act: Callable[[CursorWrapper, Projection], None]
    ) -> None:
        with schema_editor.connection.cursor() as cursor:
            for name in self.names:
                act(cursor, import_string(f"orders_read.projections.{name}.projection"))


def _create_table(cursor: Cursor, table: Table, name: str) -> None:
    cursor.execute(f'CREATE TABLE "{name}" ({table.columns_ddl}) WITH (fillfactor = {table.fillfactor:d})')
    for index in table.indexes:
        cursor.execute(index.replace("{table}", f'"{name}"'))


def _create_first_generation(cursor: CursorWrapper, projection: Projection) -> None:
    cursor.execute("SELECT FROM projection_generations WHERE projection = %s", [projection.name])
    if cursor.fetchone() is None:
        create_generation(cursor, projection, 1, "live")
        show_generation(cursor, projection, 1)


def _drop_generations(cursor: CursorWrapper, projection: Projection) -> None:
    cursor.execute("SELECT generation FROM projection_generations WHERE projection = %s", [projection.name])
    for (generation,) in cursor.fetchall():
        hold(cursor.connection, projection.name, generation)
    cursor.execute(FORGET, [projection.name])
    tables = [table for (names,) in cursor.fetchall() for table in names]
    for view in {re.sub(r"_g[0-9]+$", "", table) for table in tables}:
        cursor.execute(f'DROP VIEW IF EXISTS "{view}"')
    for table in tables:
        cursor.execute(f'DROP TABLE "{table}"')
    for table in ("checkpoints", "delivery_failures"):
        cursor.execute(f"DELETE FROM {table} WHERE subscriber = %s", [projection.name])
