-- Lists the open dead letters of a subscriber, or only those whose next attempt is due.
SELECT dead_letter_id, subscriber, generation, state, attempts, next_attempt_at, position, event_type, schema_version,
       aggregate_type, aggregate_id, aggregate_version, error_type, error_message, fingerprint,
       skip_reason
  FROM dead_letters
 WHERE subscriber = $1::text AND generation = $2::int
   AND CASE WHEN $3::boolean THEN state = 'waiting' AND next_attempt_at <= clock_timestamp()
            ELSE state IN ('waiting', 'parked') END
 ORDER BY position
