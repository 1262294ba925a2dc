"""Forget deliveries that are older than the setting: a chore, done in small steps."""

from collections.abc import Callable
from typing import Any

import psycopg

from ..options import options

STEP = 1_000
SWEEP = f"""
DELETE FROM webhook_deliveries
 WHERE delivery_id IN (SELECT delivery_id FROM webhook_deliveries
                        WHERE attempted_at < clock_timestamp() - make_interval(secs => $1::float8 * 86400)
                        ORDER BY attempted_at LIMIT {STEP})
"""


def sweep_deliveries(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Delete what is older than `webhook_delivery_days`, and say how much that was."""
    swept = 0
    while not is_stopping():
        deleted = psycopg.RawCursor(connection).execute(SWEEP, [options().webhook_delivery_days]).rowcount
        swept += deleted
        if deleted < STEP:
            break
    return swept
