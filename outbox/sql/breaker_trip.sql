-- Opens a subscriber's breaker, for longer with each failed trial; does nothing where another call has just opened it.
INSERT INTO delivery_failures AS known
       (subscriber, generation, from_position, attempts, error_type, error_message, next_attempt_at)
VALUES ($1::text, 1, $2::bigint, 1, $3::text, $4::text,
        clock_timestamp() + make_interval(secs => coalesce($5::float8, $6::float8)))
ON CONFLICT (subscriber, generation) DO UPDATE
   SET from_position = excluded.from_position, attempts = known.attempts + 1, error_type = excluded.error_type,
       error_message = excluded.error_message, last_failed_at = clock_timestamp(),
       next_attempt_at = clock_timestamp() + make_interval(secs => coalesce(
           $5::float8, least($6::float8 * 2 ^ least(known.attempts, 30), $7::float8) * (1 - random() / 2)))
 WHERE $8::boolean OR known.next_attempt_at <= clock_timestamp()
