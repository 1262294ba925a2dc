-- How far each generation of a projection is behind, messages that are not yet relayed included.
WITH head AS MATERIALIZED (
    SELECT coalesce(max(position), 0) AS position FROM event_log
), waiting AS MATERIALIZED (
    SELECT count(*) AS messages, min(recorded_at) AS oldest FROM outbox
), standing AS MATERIALIZED (
    SELECT projection, fed.generation, state,
           coalesce((SELECT to_position FROM checkpoints
                      WHERE subscriber = projection AND generation = fed.generation
                      ORDER BY from_position DESC LIMIT 1), 0) AS position
      FROM projection_generations AS fed
)
SELECT standing.projection AS subscriber, standing.generation, state, standing.position, head.position AS head,
       head.position - standing.position + messages AS events_behind,
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(
           (SELECT recorded_at FROM event_log
             WHERE event_log.position > standing.position ORDER BY event_log.position LIMIT 1),
           oldest)), 0)::float8 AS seconds_behind,
       coalesce(attempts, 0) AS attempts, coalesce(error_type || ': ' || error_message, '') AS error
  FROM head, waiting, standing
  LEFT JOIN delivery_failures AS failure
         ON failure.subscriber = projection AND failure.generation = standing.generation
 ORDER BY standing.projection, standing.generation
