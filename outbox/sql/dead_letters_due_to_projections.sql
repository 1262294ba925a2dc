-- Lists the dead letters of projections whose next attempt is due and whose generation has come past them.
SELECT dead_letter_id, subscriber, letter.generation, letter.state, attempts, next_attempt_at, position, event_type,
       schema_version, aggregate_type, aggregate_id, aggregate_version, error_type, error_message, fingerprint,
       skip_reason
  FROM dead_letters AS letter
  JOIN projection_generations AS fed ON fed.projection = letter.subscriber AND fed.generation = letter.generation
 WHERE letter.state = 'waiting' AND next_attempt_at <= clock_timestamp() AND fed.state IN ('live', 'kept')
   AND NOT EXISTS (SELECT FROM paused_subscribers AS paused WHERE paused.subscriber = letter.subscriber)
   AND position <= coalesce((SELECT to_position FROM checkpoints
                              WHERE checkpoints.subscriber = letter.subscriber
                                AND checkpoints.generation = letter.generation
                              ORDER BY from_position DESC LIMIT 1), 0)
 ORDER BY position
