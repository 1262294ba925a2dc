"""Ways to swap generations that look right and are not."""

from typing import Any

import psycopg

from orders_read.rebuild import swapping


def swap_without_taking_in(
    connection: psycopg.Connection[Any], projection: str, generation: int, *, keep_hours: int
) -> float:
    """Show the new generation as it stands: what came meanwhile is not there."""
    with connection.transaction():
        _, tables, _, _ = swapping._standing(connection, projection, generation)
        swapping._show(connection, projection, generation, set(tables), keep_hours)
    return 0.0


def swap_and_start_at_the_head(
    connection: psycopg.Connection[Any], projection: str, generation: int, *, keep_hours: int
) -> float:
    """Let the new generation go on from where the old one stands, whatever it has taken in."""
    with connection.transaction():
        _, _, shown, _ = swapping._standing(connection, projection, 1)
        _, _, position, _ = swapping._standing(connection, projection, generation)
        step = "INSERT INTO checkpoints VALUES ($1, $2, $3, $4)"
        psycopg.RawCursor(connection).execute(step, [projection, generation, position, shown])
    return swapping.swap(connection, projection, generation, keep_hours=keep_hours)
