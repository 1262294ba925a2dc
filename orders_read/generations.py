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
from outbox.folds import adopt, stored_form
from outbox.retention import require_whole_log
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


GENERATIONS = "SELECT generation, state FROM projection_generations WHERE projection = %s ORDER BY generation"


class Cursor(Protocol):
    """What the functions below need of a cursor, Django's or psycopg's."""

    @property
    def connection(self) -> Any:
        """The connection of psycopg's under it."""

    def execute(self, query: Any, params: Any = None, /) -> Any:
        """Send a statement."""


def create_generation(cursor: Cursor, projection: Projection, generation: int, state: str) -> None:
    """Make the empty tables of a generation and register it with the folds of today's code; no view changes.

    Delivery feeds it from position 1 on, so it raises LogIsPruned where the log does not reach back so far.
    """
    require_whole_log(cursor.connection)
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


class MendReadModel(Operation):
    """Change the tables of a read model in place and give its generations today's folds, which mean the same.

    `statement` is SQL with `{table}`, run on the table `name` of each generation; it must do no harm when run twice,
    as the first migration makes tables of today's code already. What means something else is built anew instead.
    """

    reversible = True  # an older fold ignores what was added
    elidable = False

    def __init__(self, projection: str, name: str, statement: str) -> None:
        self.projection = projection
        self.name = name
        self.statement = statement

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Say how to make this operation again."""
        return self.__class__.__name__, [self.projection, self.name, self.statement], {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model: read models have none."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Hold each generation, change its table, and let the view show what was added."""
        projection = import_string(f"orders_read.projections.{self.projection}.projection")
        with schema_editor.connection.cursor() as cursor:
            for generation, state in generations(cursor, projection):
                hold(cursor.connection, projection.name, generation)
                cursor.execute(self.statement.replace("{table}", f'"{table_name(self.name, generation)}"'))
                if state == "live":
                    show_generation(cursor, projection, generation)
            adopt(cursor, projection)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Leave what was added."""

    def describe(self) -> str:
        """Say what `migrate --plan` shows."""
        return f"Change the tables of read model {self.name} in place"


def generations(cursor: CursorWrapper, projection: Projection) -> list[tuple[int, str]]:
    """List the generations of a projection with their states."""
    cursor.execute(GENERATIONS, [projection.name])
    return [(generation, state) for generation, state in cursor.fetchall()]


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
    for generation, _ in generations(cursor, projection):
        hold(cursor.connection, projection.name, generation)
    cursor.execute(FORGET, [projection.name])
    tables = [table for (names,) in cursor.fetchall() for table in names]
    for view in {re.sub(r"_g[0-9]+$", "", table) for table in tables}:
        cursor.execute(f'DROP VIEW IF EXISTS "{view}"')
    for table in tables:
        cursor.execute(f'DROP TABLE "{table}"')
    for table in ("checkpoints", "delivery_failures"):
        cursor.execute(f"DELETE FROM {table} WHERE subscriber = %s", [projection.name])
