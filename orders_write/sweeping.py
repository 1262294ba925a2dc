"""Forget old answers: a key that is repeated after so long a time is a new request.

Answers to the lines of an imported file stay: a file that comes again must change nothing, whenever it comes.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings

BATCH_SIZE = 1_000

# Small batches hold no lock for long, and the index on created_at finds the oldest without looking at others.
SWEEP = """
DELETE FROM idempotency_keys
 WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM idempotency_keys
        WHERE created_at < clock_timestamp() - make_interval(secs => $1::float8) AND NOT scope LIKE 'import:%'
        ORDER BY created_at LIMIT $2::int))
"""


def sweep_idempotency_keys(
    connection: psycopg.Connection[Any], is_stopping: Callable[[], bool] = lambda: False
) -> int:
    """Delete answers older than settings.IDEMPOTENCY_KEEP_DAYS; return how many. Each batch commits by itself."""
    swept, deleted = 0, BATCH_SIZE
    while deleted == BATCH_SIZE and not is_stopping():
        parameters = [settings.IDEMPOTENCY_KEEP_DAYS * 86_400.0, BATCH_SIZE]
        deleted = psycopg.RawCursor(connection).execute(SWEEP, parameters).rowcount
        swept += deleted
    return swept
