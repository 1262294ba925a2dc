-- Deletes notes of attempts that are older than a time and at whose beginning none of their members stands any more:
-- generations of projections, and partitions of publishers, of which each is named as its checkpoint is.
DELETE FROM delivery_attempts
 WHERE began_at < clock_timestamp() - make_interval(secs => $1::float8)
   AND NOT EXISTS (
       SELECT FROM projection_generations AS fed
        WHERE fed.projection || ' ' || fed.generation = ANY (members)
          AND delivery_attempts.from_position = coalesce(
              (SELECT to_position FROM checkpoints
                WHERE subscriber = fed.projection AND checkpoints.generation = fed.generation
                ORDER BY checkpoints.from_position DESC LIMIT 1), 0))
   AND NOT EXISTS (
       SELECT FROM publishers AS publisher, unnest(members) AS lane
        WHERE left(lane, length(publisher.subscriber) + 1) = publisher.subscriber || ' '
          AND delivery_attempts.from_position = coalesce(
              (SELECT to_position FROM checkpoints
                WHERE subscriber = lane AND checkpoints.generation = 1
                ORDER BY checkpoints.from_position DESC LIMIT 1), publisher.from_position))
