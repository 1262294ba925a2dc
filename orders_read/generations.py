"""Make the tables of a read model, `read_<table>_g<N>` behind a view `read_<table>`, and note which are live."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psycopg
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.utils.module_loading import import_string

from outbox.folding import hold
from outbox.folds import adopt, stored_form
from outbox.retention import require_whole_log
from outbox.subscribers import Projection, table_name

REGISTER = """
INSERT INTO projection_generations (projection, generation, version, state, statements, statements_hash)
VALUES (%s, %s, %s, %s, %s, %s)
"""
# What a generation keeps of its code names its tables, whatever today's code says.
FORGET = """
DELETE FROM projection_generations WHERE projection = %s AND generation = %s
RETURNING ARRAY(SELECT stored ->> 'table' FROM jsonb_array_elements(statements) AS stored)
"""
GENERATIONS = "SELECT generation, state FROM projection_generations WHERE projection = %s ORDER BY generation"
# The columns of a view (%s), in their order, then those that only its next source (%s) has.
VIEW_COLUMNS = """
SELECT CASE WHEN own.attname IS NULL
            THEN format('NULL::%%s AS %%I', format_type(shown.atttypid, shown.atttypmod), shown.attname)
            ELSE quote_ident(own.attname) END
  FROM (SELECT * FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0) AS shown
  FULL JOIN (SELECT * FROM pg_attribute
              WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped) AS own USING (attname)
 ORDER BY shown.attnum NULLS LAST, own.attnum
"""


# The texts of the folds are equal, so the hash is another because of the tables' names.
COPY_GENERATION = """
WITH copied AS (
    INSERT INTO projection_generations (projection, generation, version, state, statements, statements_hash)
    SELECT projection, %(shadow)s, version, 'building',
           (SELECT jsonb_agg(jsonb_set(stored, '{table}', to_jsonb(
                       regexp_replace(stored ->> 'table', '_g[0-9]+$', '_g' || %(shadow)s))) ORDER BY number)
              FROM jsonb_array_elements(statements) WITH ORDINALITY AS element (stored, number)),
           statements_hash || ' ' || %(shadow)s
      FROM projection_generations WHERE projection = %(projection)s AND generation = %(live)s
    RETURNING statements
)
SELECT regexp_replace(stored ->> 'table', '_g[0-9]+$', '_g' || %(live)s), stored ->> 'table'
  FROM copied, jsonb_array_elements(statements) AS stored
"""
NEXT_NUMBER = """
SELECT 1 + greatest(
           (SELECT coalesce(max(generation), 0) FROM projection_generations WHERE projection = %(projection)s),
           (SELECT coalesce(max(generation), 0) FROM projection_rebuilds WHERE projection = %(projection)s),
           (SELECT coalesce(max(shadow), 0) FROM projection_verifications WHERE projection = %(projection)s))
"""
PRIMARY_KEY = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'
"""
PATIENT = "SET LOCAL lock_timeout = '5s'"


class Cursor(Protocol):
    """What the functions below need of a cursor, Django's or psycopg's."""

    @property
    def connection(self) -> Any:
        """The connection of psycopg's under it."""

    def execute(self, query: Any, params: Any = None, /) -> Any:
        """Send a statement."""

    def fetchall(self) -> Any:
        """Get all rows."""

    def fetchone(self) -> Any:
        """Get the next row."""


def create_generation(cursor: Cursor, projection: Projection, generation: int, state: str) -> None:
    """Make the empty tables of a generation and register it with the folds of today's code; no view changes.

    Only primary keys are there: `index_statements` makes the rest, for a rebuild after the tables were filled. It is
    fed from position 1 on, so LogIsPruned is raised where the log does not reach back so far.
    """
    require_whole_log(cursor.connection)
    statements, digest = stored_form(projection, generation)
    for table in projection.tables:
        name = table_name(table.name, generation)
        cursor.execute(
            f'CREATE TABLE "{name}" ({table.columns_ddl}) WITH (fillfactor = {table.fillfactor:d})'
        )
    cursor.execute(REGISTER, [projection.name, generation, projection.version, state, statements, digest])


def create_shadow(cursor: Cursor, projection: str, live: int) -> int:
    """Make a generation like the live one, empty, without its indexes, with the folds that it keeps; name its number.

    Raises LogIsPruned.
    """
    require_whole_log(cursor.connection)
    shadow = next_number(cursor, projection)
    cursor.execute(COPY_GENERATION, {"projection": projection, "live": live, "shadow": shadow})
    for source, target in cursor.fetchall():
        cursor.execute(PRIMARY_KEY, [source])
        (key,) = cursor.fetchone()
        cursor.execute(f'CREATE TABLE "{target}" (LIKE "{source}" INCLUDING STORAGE, {key})')
    return shadow


def index_statements(projection: Projection, generation: int) -> list[str]:
    """List the statements that make the indexes of a generation beside its primary keys."""
    return [
        index.replace("{table}", f'"{table_name(table.name, generation)}"')
        for table in projection.tables
        for index in table.indexes
    ]


def show_generation(cursor: Cursor, tables: Sequence[str], generation: int) -> None:
    """Let the views of some tables, named without generation, read this generation.

    Views only append columns: where a generation has fewer (after a roll-back), the view shows NULL for the others.
    """
    for table in tables:
        view, source = f"read_{table}", table_name(table, generation)
        cursor.execute(VIEW_COLUMNS, [view, source])
        columns = ", ".join(expression for (expression,) in cursor.fetchall())
        cursor.execute(f'CREATE OR REPLACE VIEW "{view}" AS SELECT {columns} FROM "{source}"')


def drop_tables(cursor: Cursor, projection: str, generation: int) -> None:
    """Drop a generation that no view reads, and forget where it stood and what it could not take in."""
    hold(cursor.connection, projection, generation)
    cursor.execute(FORGET, [projection, generation])
    (tables,) = cursor.fetchone() or ([],)
    for table in tables:
        cursor.execute(f'DROP TABLE "{table}"')
    for forgotten in ("checkpoints", "delivery_failures", "dead_letters"):
        cursor.execute(
            f"DELETE FROM {forgotten} WHERE subscriber = %s AND generation = %s", [projection, generation]
        )


def drop_generation(connection: psycopg.Connection[Any], projection: str, generation: int) -> None:
    """Drop a generation that no view reads, in a transaction of its own.

    Raises LockNotAvailable while somebody who began before it was replaced still reads its tables.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(PATIENT)
        drop_tables(cursor, projection, generation)


def next_number(cursor: Cursor, projection: str) -> int:
    """Choose a number that no generation of a projection ever had: records of old ones must not mean a new one."""
    cursor.execute(NEXT_NUMBER, {"projection": projection})
    (number,) = cursor.fetchone()
    return int(number)


def generations(cursor: Cursor, projection: str) -> list[tuple[int, str]]:
    """List the generations of a projection with their states."""
    cursor.execute(GENERATIONS, [projection])
    return [(generation, state) for generation, state in cursor.fetchall()]


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
    as the first migration makes tables of today's code already. Without one, only the folds change. What means
    something else is built anew instead.
    """

    reversible = True  # an older fold ignores what was added
    elidable = False

    def __init__(self, projection: str, name: str = "", statement: str = "") -> None:
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
            for generation, state in generations(cursor, projection.name):
                hold(cursor.connection, projection.name, generation)
                if self.statement:
                    cursor.execute(
                        self.statement.replace("{table}", f'"{table_name(self.name, generation)}"')
                    )
                if state == "live":
                    show_generation(cursor, [table.name for table in projection.tables], generation)
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
        return f"Change the folds and tables of read model {self.projection} in place"


def _create_first_generation(cursor: CursorWrapper, projection: Projection) -> None:
    if not generations(cursor, projection.name):
        create_generation(cursor, projection, 1, "live")
        for statement in index_statements(projection, 1):
            cursor.execute(statement)
        show_generation(cursor, [table.name for table in projection.tables], 1)


def _drop_generations(cursor: CursorWrapper, projection: Projection) -> None:
    for table in projection.tables:
        cursor.execute(f'DROP VIEW IF EXISTS "read_{table.name}"')
    for generation, _ in generations(cursor, projection.name):
        drop_tables(cursor, projection.name, generation)
