-- Who reads the log, and up to which position each needs it no more: generations, publishers, open dead letters.
SELECT projection || ' generation ' || generation AS reader,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = projection AND generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0) AS position
  FROM projection_generations AS fed
UNION ALL  -- each partition has a checkpoint of its own, and none before its first batch
SELECT 'publisher ' || subscriber,
       CASE WHEN count(newest) < partitions THEN from_position ELSE min(newest) END
  FROM publishers
  LEFT JOIN LATERAL (
       SELECT max(to_position) AS newest
         FROM checkpoints
        WHERE left(checkpoints.subscriber, length(publishers.subscriber) + 1) = publishers.subscriber || ' '
          AND substr(checkpoints.subscriber, length(publishers.subscriber) + 2) ~ ('^\d+/' || partitions || '$')
        GROUP BY checkpoints.subscriber) AS standing ON true
 WHERE is_enabled
 GROUP BY subscriber, partitions, from_position
UNION ALL
SELECT 'dead letter ' || dead_letter_id || ' of ' || subscriber, position - 1
  FROM dead_letters
 WHERE state IN ('waiting', 'parked')
 ORDER BY position, reader
