"""Ways to tell the lag that look right and are not: each is the statement with one place changed."""

from outbox.lag import LAG


def _changed(old: str, new: str) -> str:
    assert LAG.count(old) == 1, old
    return LAG.replace(old, new)


FORGETS_UNRELAYED = _changed("SELECT count(*) AS messages", "SELECT 0 AS messages")
FORGETS_THE_AGE_OF_UNRELAYED = _changed("min(recorded_at) AS oldest", "NULL::timestamptz AS oldest")
CALLS_CATCHING_UP_STALLED = _changed("greatest(aged.oldest, moved_at)", "aged.oldest")
CALLS_REST_STALLED = _changed("greatest(aged.oldest, moved_at)", "moved_at")
BELIEVES_THE_FASTEST_PARTITION = _changed(
    "ORDER BY fed.subscriber, fed.generation, position",
    "ORDER BY fed.subscriber, fed.generation, position DESC",
)
COUNTS_SETTLED_LETTERS = _changed("AND letter.state IN ('waiting', 'parked')", "").replace(
    "letter.state = 'parked'", "letter.state <> 'waiting'"
)
MIXES_GENERATIONS = _changed("letter.generation = aged.generation", "true")
TAKES_PUBLISHERS_FOR_WORKERS = _changed("WHERE kind <> 'publishers'", "")
BELIEVES_THE_DEAD = _changed("WHERE beat_at >", "WHERE beat_at IS NOT NULL OR beat_at >")
