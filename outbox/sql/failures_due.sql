-- Lists the generations that failed, are neither paused nor gone, and whose next attempt is due.
SELECT failure.subscriber, failure.generation, failure.to_position
  FROM delivery_failures AS failure
  JOIN projection_generations AS fed ON fed.projection = failure.subscriber AND fed.generation = failure.generation
 WHERE failure.next_attempt_at <= clock_timestamp() AND fed.state IN ('live', 'kept')
   AND NOT EXISTS (SELECT FROM paused_subscribers AS paused WHERE paused.subscriber = failure.subscriber)
 ORDER BY failure.next_attempt_at
