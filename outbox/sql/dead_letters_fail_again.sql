-- Notes a failure of a dead letter's aggregate at a position, perhaps a later one; answers the letter's state.
UPDATE dead_letters
   SET position = event.position, event_type = event.event_type, schema_version = event.schema_version,
       aggregate_version = event.aggregate_version, attempts = $6::int,
       state = CASE WHEN $6::int < $7::int THEN 'waiting' ELSE 'parked' END,
       error_type = $3::text, error_message = $4::text, fingerprint = $5::text, last_failed_at = clock_timestamp(),
       next_attempt_at = CASE WHEN $6::int < $7::int THEN clock_timestamp() + make_interval(secs => coalesce(
           $10::float8, least($8::float8 * 2 ^ least($6::int - 1, 30), $9::float8) * (1 - random() / 2))) END
  FROM event_log AS event
 WHERE dead_letter_id = $1::bigint AND event.position = $2::bigint AND state IN ('waiting', 'parked')
   AND dead_letters.position <= event.position  -- another worker may have moved it on meanwhile
RETURNING state
