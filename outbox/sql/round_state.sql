-- Where each fed generation stands, whether it has dead letters, where somebody's attempt from there ended, and the head.
SELECT fed.projection, fed.generation, fed.statements_hash, standing.position,
       EXISTS (SELECT FROM dead_letters AS letter
                WHERE letter.subscriber = fed.projection AND letter.generation = fed.generation
                  AND letter.state IN ('waiting', 'parked')),
       (SELECT min(attempt.to_position) FROM delivery_attempts AS attempt
         WHERE attempt.from_position = standing.position AND attempt.owner <> $1::uuid
           AND fed.projection || ' ' || fed.generation = ANY (attempt.members)),
       (SELECT coalesce(max(position), 0) FROM event_log)
  FROM projection_generations AS fed,
       LATERAL (SELECT coalesce((SELECT to_position FROM checkpoints
                                  WHERE subscriber = fed.projection AND generation = fed.generation
                                  ORDER BY from_position DESC LIMIT 1), 0) AS position) AS standing
 WHERE fed.state IN ('live', 'kept')
   AND NOT EXISTS (SELECT FROM paused_subscribers AS paused WHERE paused.subscriber = fed.projection)
