"""The record of verifications: which shadow each builds, how far it is, what it found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from .comparing import MOST_SHOWN, Difference

COLUMNS = """verification_id, projection, generation, shadow, letters, position, rows_compared, rows_different,
             rows_repaired, started_at, finished_at"""
BEGIN = f"""
INSERT INTO projection_verifications (projection, generation, shadow, letters) VALUES (%s, %s, %s, %s)
RETURNING {COLUMNS}
"""
UNFINISHED = f"""
SELECT {COLUMNS} FROM projection_verifications WHERE projection = %s AND finished_at IS NULL
 ORDER BY verification_id DESC LIMIT 1
"""
NEWEST = f"""
SELECT DISTINCT ON (projection) {COLUMNS} FROM projection_verifications WHERE finished_at IS NOT NULL
 ORDER BY projection, verification_id DESC
"""
END = """
UPDATE projection_verifications
   SET position = %s, rows_compared = %s, rows_different = %s, findings = %s::jsonb, finished_at = clock_timestamp()
 WHERE verification_id = %s
"""
REPAIRED = "UPDATE projection_verifications SET rows_repaired = %s WHERE verification_id = %s"
FORGET = "DELETE FROM projection_verifications WHERE verification_id = %s"


@dataclass(slots=True, kw_only=True)
class Verification:
    """One verification as the record has it; `letters` tells which dead letters counted when the shadow was begun."""

    verification_id: int
    projection: str
    generation: int
    shadow: int
    letters: str
    position: int
    rows_compared: int
    rows_different: int
    rows_repaired: int
    started_at: datetime
    finished_at: datetime | None


def begin(
    connection: psycopg.Connection[Any], projection: str, generation: int, shadow: int, letters: str
) -> Verification:
    """Record that a shadow is built."""
    return _rows(connection, BEGIN, [projection, generation, shadow, letters])[0]


def unfinished(connection: psycopg.Connection[Any], projection: str) -> Verification | None:
    """Find the verification of a projection that was not brought to an end."""
    return next(iter(_rows(connection, UNFINISHED, [projection])), None)


def newest(connection: psycopg.Connection[Any]) -> Sequence[Verification]:
    """List the newest finished verification of each projection."""
    return _rows(connection, NEWEST, [])


def end(
    connection: psycopg.Connection[Any],
    verification: Verification,
    position: int,
    rows_compared: int,
    found: Sequence[Difference],
) -> None:
    """Record what was found when both generations stood at a position: keys and columns, no values of persons."""
    findings = [{"table": one.table, "key": one.key, "columns": [*one.columns]} for one in found[:MOST_SHOWN]]
    verification.position, verification.rows_compared = position, rows_compared
    verification.rows_different = len(found)
    parameters = [position, rows_compared, len(found), json.dumps(findings), verification.verification_id]
    connection.execute(END, parameters)


def repaired(connection: psycopg.Connection[Any], verification: Verification, rows: int) -> None:
    """Record how many rows were mended."""
    verification.rows_repaired = rows
    connection.execute(REPAIRED, [rows, verification.verification_id])


def forget(connection: psycopg.Connection[Any], verification: Verification) -> None:
    """Remove one that cannot be brought to an end."""
    connection.execute(FORGET, [verification.verification_id])


def _rows(connection: psycopg.Connection[Any], statement: str, parameters: list[Any]) -> list[Verification]:
    with connection.cursor(row_factory=class_row(Verification)) as cursor:
        return cursor.execute(statement, parameters).fetchall()
