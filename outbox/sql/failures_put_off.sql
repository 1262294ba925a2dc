-- Counts a failed attempt of a generation and puts off the next: 0.4 s, doubling to 60 s, less up to half by chance.
UPDATE delivery_failures
   SET from_position = $3::bigint, attempts = attempts + 1, error_type = $4::text, error_message = $5::text,
       last_failed_at = clock_timestamp(),
       next_attempt_at = clock_timestamp() + make_interval(
           secs => least(0.2 * 2 ^ least(attempts, 20), 60) * (1 - random() / 2))
 WHERE subscriber = $1::text AND generation = $2::int
