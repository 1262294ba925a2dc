-- Where one generation stands: its folds, its position, the head, dead letters, and others' attempts that never ended.
SELECT fed.statements_hash, standing.position, (SELECT coalesce(max(position), 0) FROM event_log),
       EXISTS (SELECT FROM dead_letters AS letter
                WHERE letter.subscriber = fed.projection AND letter.generation = fed.generation
                  AND letter.state IN ('waiting', 'parked')),
       min(attempt.to_position), count(*) FILTER (WHERE attempt.to_position = standing.position + 1)
  FROM projection_generations AS fed
 CROSS JOIN LATERAL (SELECT coalesce((SELECT to_position FROM checkpoints
                                       WHERE subscriber = fed.projection AND generation = fed.generation
                                       ORDER BY from_position DESC LIMIT 1), 0) AS position) AS standing
  LEFT JOIN delivery_attempts AS attempt
         ON attempt.from_position = standing.position AND attempt.owner <> $3::uuid
            AND fed.projection || ' ' || fed.generation = ANY (attempt.members)
 WHERE fed.projection = $1::text AND fed.generation = $2::int
   AND (fed.state = 'building'  -- by its rebuild
        OR NOT EXISTS (SELECT FROM paused_subscribers AS paused WHERE paused.subscriber = fed.projection))
 GROUP BY fed.projection, fed.generation, fed.statements_hash, standing.position
