-- Opens a dead letter, due at once, for an event that waited behind one that was skipped.
INSERT INTO dead_letters (
    subscriber, generation, position, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version,
    state, attempts, error_type, error_message, fingerprint, next_attempt_at)
SELECT $1::text, $2::int, position, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version,
       'waiting', 1, 'BehindSkipped', 'waits behind an event that was skipped', 'BehindSkipped', clock_timestamp()
  FROM event_log WHERE position = $3::bigint
