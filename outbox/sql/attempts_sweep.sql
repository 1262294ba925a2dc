-- Deletes notes of attempts that are older than a time and at whose beginning none of their generations stands.
DELETE FROM delivery_attempts
 WHERE began_at < clock_timestamp() - make_interval(secs => $1::float8)
   AND NOT EXISTS (
       SELECT FROM projection_generations AS fed
        WHERE fed.projection || ' ' || fed.generation = ANY (members)
          AND from_position = coalesce(
              (SELECT to_position FROM checkpoints
                WHERE subscriber = fed.projection AND checkpoints.generation = fed.generation
                ORDER BY checkpoints.from_position DESC LIMIT 1), 0))
