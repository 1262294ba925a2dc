-- Where each generation stands that live delivery feeds, whether it failed last time, and the head of the log.
SELECT fed.projection, fed.generation, fed.statements_hash,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = fed.projection AND generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0),
       coalesce(failure.attempts, 0), coalesce(failure.next_attempt_at > clock_timestamp(), false),
       (SELECT coalesce(max(position), 0) FROM event_log)
  FROM projection_generations AS fed
  LEFT JOIN delivery_failures AS failure
         ON failure.subscriber = fed.projection AND failure.generation = fed.generation
 WHERE fed.state IN ('live', 'kept')
