-- How far each live read model has come, how old the oldest event is that it lacks, what keeps it, and where messages are.
WITH told AS MATERIALIZED (
    SELECT message_id, position, aggregate_type, aggregate_id FROM event_log
     WHERE message_id = ANY (%(message_ids)s::bigint[]) AND position > %(after)s::bigint
), live AS MATERIALIZED (
    SELECT projection, generation,
           coalesce((SELECT to_position FROM checkpoints
                      WHERE subscriber = projection AND checkpoints.generation = model.generation
                      ORDER BY from_position DESC LIMIT 1), 0) AS position
      FROM projection_generations AS model
     WHERE state = 'live' AND projection = ANY (%(read_models)s::text[])
     UNION ALL
    SELECT 'shop_overview', 0, position FROM read_shop_overview
     WHERE 'shop_overview' = ANY (%(read_models)s::text[])
)
SELECT projection, live.position,
       EXISTS (SELECT FROM paused_subscribers WHERE subscriber = projection),
       (SELECT count(*) FROM dead_letters AS letter
         WHERE letter.subscriber = projection AND letter.generation = live.generation
           AND letter.state IN ('waiting', 'parked')),
       EXISTS (SELECT FROM told JOIN dead_letters AS letter USING (aggregate_type, aggregate_id)
                WHERE letter.subscriber = projection AND letter.generation = live.generation
                  AND letter.state IN ('waiting', 'parked') AND letter.position <= told.position),
       greatest(0, extract(epoch FROM clock_timestamp() - coalesce(
           (SELECT event.recorded_at FROM event_log AS event WHERE event.position = live.position + 1),
           (SELECT message.recorded_at FROM outbox AS message
             WHERE message.message_id > coalesce(
                       (SELECT event.message_id FROM event_log AS event WHERE event.position = live.position), 0)
             ORDER BY message.message_id LIMIT 1))))::float8,
       (SELECT array_agg(ARRAY[message_id, told.position]) FROM told)
  FROM live
