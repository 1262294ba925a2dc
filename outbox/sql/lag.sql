-- How far every subscriber is behind, messages not yet relayed included, what keeps it, and whether a worker lives; one row without a subscriber where there is none.
WITH head AS MATERIALIZED (
    SELECT coalesce(max(position), 0) AS position FROM event_log
), waiting AS MATERIALIZED (
    SELECT count(*) AS messages, min(recorded_at) AS oldest FROM outbox
), beats AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE beat_at > clock_timestamp() - make_interval(secs => {alive_seconds})) AS workers,
           extract(epoch FROM clock_timestamp() - max(beat_at))::float8 AS silent_seconds
      FROM delivery_workers
     WHERE kind <> '{publishers}'
), fed AS (
    SELECT 'projection' AS kind, projection AS subscriber, generation, state, projection AS checkpoint,
           0::bigint AS from_position, created_at, version, statements_hash
      FROM projection_generations
     UNION ALL
    SELECT 'publisher', subscriber, 1, 'live', subscriber || ' ' || partition || '/' || partitions, from_position,
           created_at, 0, ''
      FROM publishers, generate_series(0, partitions - 1) AS partition
     WHERE is_enabled
), standing AS MATERIALIZED (
    SELECT DISTINCT ON (fed.subscriber, fed.generation) kind, fed.subscriber, fed.generation, state,
           coalesce(newest.to_position, fed.from_position) AS position,
           coalesce(newest.created_at, fed.created_at) AS moved_at, version, statements_hash
      FROM fed
      LEFT JOIN LATERAL (
           SELECT to_position, created_at FROM checkpoints
            WHERE checkpoints.subscriber = fed.checkpoint AND checkpoints.generation = fed.generation
            ORDER BY checkpoints.from_position DESC LIMIT 1) AS newest ON true
     ORDER BY fed.subscriber, fed.generation, position
), aged AS MATERIALIZED (
    SELECT standing.*, greatest(head.position - standing.position, 0) + messages AS events_behind,
           coalesce((SELECT recorded_at FROM event_log
                      WHERE event_log.position > standing.position ORDER BY event_log.position LIMIT 1),
                    oldest) AS oldest
      FROM standing, head, waiting
)
SELECT head.position AS head, messages, workers, silent_seconds, kind, aged.subscriber, aged.generation, aged.state,
       aged.position, events_behind,
       coalesce(extract(epoch FROM clock_timestamp() - aged.oldest), 0)::float8 AS seconds_behind,
       CASE WHEN aged.oldest IS NULL THEN 0
            ELSE extract(epoch FROM clock_timestamp() - greatest(aged.oldest, moved_at)) END::float8 AS still_seconds,
       coalesce(attempts, 0) AS attempts, coalesce(error_type || ': ' || error_message, '') AS error,
       coalesce(extract(epoch FROM clock_timestamp() - first_failed_at), 0)::float8 AS failing_seconds,
       coalesce(next_attempt_at > clock_timestamp(), false) AS is_put_off, letters.waiting, letters.parked, coalesce(reason, '') AS paused,
       coalesce(version, 0) AS version, coalesce(statements_hash, '') AS statements_hash, verified.position AS verified_position,
       extract(epoch FROM clock_timestamp() - verified.finished_at)::float8 AS verified_seconds,
       coalesce(verified.rows_different - verified.rows_repaired, 0) AS rows_different
  FROM head CROSS JOIN waiting CROSS JOIN beats
  LEFT JOIN aged ON true
  LEFT JOIN delivery_failures AS failure
         ON failure.subscriber = aged.subscriber AND failure.generation = aged.generation
  LEFT JOIN paused_subscribers AS pause ON pause.subscriber = aged.subscriber
  LEFT JOIN LATERAL (
       SELECT position, finished_at, rows_different, rows_repaired FROM projection_verifications AS verification
        WHERE verification.projection = aged.subscriber AND verification.generation = aged.generation
          AND aged.kind = 'projection' AND verification.finished_at IS NOT NULL
        ORDER BY verification_id DESC LIMIT 1) AS verified ON true
  LEFT JOIN LATERAL (
       SELECT count(*) FILTER (WHERE letter.state = 'waiting') AS waiting,
              count(*) FILTER (WHERE letter.state = 'parked') AS parked
         FROM dead_letters AS letter
        WHERE letter.subscriber = aged.subscriber AND letter.generation = aged.generation
          AND letter.state IN ('waiting', 'parked')) AS letters ON true
 ORDER BY aged.subscriber, aged.generation
