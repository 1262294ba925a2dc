"""What changed in a mirrored read model with no event: noted in the transaction that did it, and brought to the store.

An event that was folded late is noted by a trigger on dead letters (outbox migration 0007), a mended row by its repair.
"""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from ..stores.choice import Chosen
from ..stores.documents import DOCUMENTS
from .publisher import write_documents

TOUCHED_AT_ONCE = 500

# Keys, of rows that were mended; or events, which were folded late.
TOUCHED = """
SELECT touch_id, document_key, event.aggregate_type, event.aggregate_id, event.payload::text
  FROM touched_documents AS touched LEFT JOIN event_log AS event USING (position)
 WHERE touched.subscriber = %s ORDER BY touch_id LIMIT %s
"""
SETTLE = "DELETE FROM touched_documents WHERE touch_id = ANY (%s)"
TOUCH = """
INSERT INTO touched_documents (subscriber, document_key)
SELECT DISTINCT mirror.subscriber, key FROM mirror_generations AS mirror, unnest(%s::bigint[]) AS key
 WHERE projection = %s AND source_generation = %s AND state <> 'retired'
"""


def touch(connection: psycopg.Connection[Any], projection: str, generation: int, keys: Sequence[int]) -> None:
    """Note, in the transaction that mends rows of a generation, that mirrors must look at them again."""
    if projection in DOCUMENTS and keys:
        connection.execute(TOUCH, [list(keys), projection, generation])


def refresh(
    connection: psycopg.Connection[Any], mirror: Chosen, is_stopping: Callable[[], bool] = lambda: False
) -> int:
    """Bring to the store the documents that changed with no event; return how many were written.

    The caller is alone with the mirror. Raises StoreUnavailable.
    """
    written = 0
    while touched := connection.execute(TOUCHED, [mirror.subscriber, TOUCHED_AT_ONCE]).fetchall():
        written += write_documents(connection, mirror, _keys(mirror, touched), mended=True)
        connection.execute(SETTLE, [[row[0] for row in touched]])
        if is_stopping():
            break
    return written


def _keys(mirror: Chosen, touched: Sequence[tuple[Any, ...]]) -> list[int]:
    documents = DOCUMENTS[mirror.read_model]
    keys = {
        key if key is not None else documents.key_of(aggregate_type, aggregate_id, payload)
        for _, key, aggregate_type, aggregate_id, payload in touched
        if key is not None or payload is not None
    }
    return sorted(key for key in keys if key is not None)
