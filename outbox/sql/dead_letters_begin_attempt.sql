-- Counts an attempt at a dead letter, unless somebody else has begun one since it was read, and puts off the next.
UPDATE dead_letters
   SET attempts = attempts + 1,
       state = CASE WHEN attempts + 1 < $3::int THEN 'waiting' ELSE 'parked' END,
       next_attempt_at = CASE WHEN attempts + 1 < $3::int THEN clock_timestamp() + make_interval(
           secs => least($4::float8 * 2 ^ least(attempts, 30), $5::float8) * (1 - random() / 2)) END
 WHERE dead_letter_id = $1::bigint AND state = 'waiting' AND attempts = $2::int
