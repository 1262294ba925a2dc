-- Counts a failure of a dead letter's aggregate at a position, perhaps a later one; answers the letter's state.
WITH counted AS (
    SELECT letter.dead_letter_id, event.position, event.event_type, event.schema_version, event.aggregate_version,
           CASE WHEN event.position = letter.position THEN letter.attempts + 1 ELSE 1 END AS attempts
      FROM dead_letters AS letter, event_log AS event
     WHERE letter.dead_letter_id = $1::bigint AND event.position = $2::bigint
)
UPDATE dead_letters
   SET position = counted.position, event_type = counted.event_type, schema_version = counted.schema_version,
       aggregate_version = counted.aggregate_version, attempts = counted.attempts,
       state = CASE WHEN counted.attempts < $6::int THEN 'waiting' ELSE 'parked' END,
       error_type = $3::text, error_message = $4::text, fingerprint = $5::text, last_failed_at = clock_timestamp(),
       next_attempt_at = CASE WHEN counted.attempts < $6::int THEN clock_timestamp() + make_interval(secs => coalesce(
           $9::float8,
           least($7::float8 * 2 ^ least(counted.attempts - 1, 30), $8::float8) * (1 - random() / 2))) END
  FROM counted
 WHERE dead_letters.dead_letter_id = counted.dead_letter_id
RETURNING dead_letters.state
