-- Adds a checkpoint for each member, to_position NULL (and so refused) where the newest one is not the expected one.
INSERT INTO checkpoints (subscriber, generation, from_position, to_position)
SELECT subscriber, generation, $3::bigint,
       CASE WHEN coalesce((SELECT newest.to_position FROM checkpoints AS newest
                            WHERE newest.subscriber = member.subscriber AND newest.generation = member.generation
                            ORDER BY newest.from_position DESC LIMIT 1), 0) = $3::bigint
            THEN $4::bigint END
  FROM unnest($1::text[], $2::int[]) AS member (subscriber, generation)
