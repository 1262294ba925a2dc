-- Deletes checkpoints that are older than a time and not the newest of their subscriber's generation.
DELETE FROM checkpoints
 WHERE created_at < clock_timestamp() - make_interval(secs => $1::float8)
   AND EXISTS (SELECT FROM checkpoints AS newer
                WHERE newer.subscriber = checkpoints.subscriber AND newer.generation = checkpoints.generation
                  AND newer.from_position > checkpoints.from_position)
