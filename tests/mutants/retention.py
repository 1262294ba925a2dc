"""Ways to prune the log that look right and are not: each takes the place of one statement of `outbox.retention`."""

from outbox import retention

# A kept generation is fed too, and may come back.
LIVE_ONLY = retention.STANDINGS.replace("AS fed\n", "AS fed WHERE state = 'live'\n", 1)

# What a publisher has sent is not what its fastest partition has sent.
FASTEST_PARTITION = retention.STANDINGS.replace("min(newest)", "max(newest)").replace(
    "count(newest) < partitions", "count(newest) = 0"
)

# A checkpoint moves on past an event that waits for its next attempt.
NO_DEAD_LETTERS = retention.STANDINGS.replace("IN ('waiting', 'parked')", "IN ('none')")

# A full partition may be the one that positions go on from.
NO_HEAD = "SELECT coalesce(max(position), 0) + 1 FROM event_log"
