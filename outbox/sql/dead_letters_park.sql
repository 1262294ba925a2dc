-- Opens a dead letter for the event at a position, unless the subscriber has too many; answers its state.
INSERT INTO dead_letters (
    subscriber, generation, position, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version,
    state, attempts, error_type, error_message, fingerprint, next_attempt_at)
SELECT $1::text, $2::int, position, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version,
       CASE WHEN $7::int > 1 THEN 'waiting' ELSE 'parked' END, 1, $4::text, $5::text, $6::text,
       CASE WHEN $7::int > 1
            THEN clock_timestamp() + make_interval(secs => $8::float8 * (1 - random() / 2)) END
  FROM event_log
 WHERE position = $3::bigint
   AND (SELECT count(*) FROM dead_letters AS other
         WHERE other.subscriber = $1::text AND other.generation = $2::int AND other.state IN ('waiting', 'parked'))
       < $9::int
RETURNING state
