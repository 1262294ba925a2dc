-- Counts a failed attempt of a subscriber and puts off the next: 0.2 s, doubling to 60 s, less up to half by chance.
INSERT INTO delivery_failures AS known
       (subscriber, generation, from_position, attempts, error_type, error_message, next_attempt_at)
VALUES ($1::text, $2::int, $3::bigint, 1, $4::text, $5::text, clock_timestamp() + make_interval(secs => 0.2))
ON CONFLICT (subscriber, generation) DO UPDATE
   SET from_position = excluded.from_position, attempts = known.attempts + 1, error_type = excluded.error_type,
       error_message = excluded.error_message, last_failed_at = clock_timestamp(),
       next_attempt_at = clock_timestamp() + make_interval(
           secs => least(0.2 * 2 ^ least(known.attempts, 20), 60) * (1 - random() / 2))
