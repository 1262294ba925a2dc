-- Where each partition stands of the publishers that are enabled and not paused, or of one of them, and what waits there; to a mirror the log ends where its sources stand.
WITH log_head AS MATERIALIZED (
    SELECT coalesce(max(position), 0) AS position FROM event_log
)
SELECT publisher.subscriber, publisher.kind, partition, publisher.partitions,
       coalesce(newest.to_position, publisher.from_position), newest.to_position IS NULL, head.position,
       coalesce(failure.attempts, 0), coalesce(failure.next_attempt_at > clock_timestamp(), false),
       EXISTS (SELECT FROM dead_letters AS letter LEFT JOIN event_log AS event USING (position)
                WHERE letter.subscriber = publisher.subscriber AND letter.generation = 1 AND letter.state = 'waiting'
                  AND letter.next_attempt_at <= clock_timestamp()
                  AND outbox_event_partition(letter.aggregate_type, letter.aggregate_id, event.payload,
                                             publisher.partition_by, publisher.partitions) = partition)
  FROM publishers AS publisher
 CROSS JOIN log_head
 CROSS JOIN LATERAL (
       SELECT least(log_head.position, min(coalesce(source.to_position, 0))) AS position
         FROM mirror_generations AS mirror
         LEFT JOIN LATERAL (
              SELECT to_position FROM checkpoints
               WHERE checkpoints.subscriber = mirror.projection AND checkpoints.generation = mirror.source_generation
               ORDER BY from_position DESC LIMIT 1) AS source ON true
        WHERE mirror.subscriber = publisher.subscriber AND mirror.state <> 'retired') AS head
 CROSS JOIN LATERAL generate_series(0, publisher.partitions - 1) AS partition
  LEFT JOIN LATERAL (
       SELECT to_position FROM checkpoints
        WHERE checkpoints.subscriber = publisher.subscriber || ' ' || partition || '/' || publisher.partitions
          AND generation = 1
        ORDER BY from_position DESC LIMIT 1) AS newest ON true
  LEFT JOIN delivery_failures AS failure
         ON failure.subscriber = publisher.subscriber AND failure.generation = 1
 WHERE publisher.is_enabled AND ($1::text IS NULL OR publisher.subscriber = $1)
   AND NOT EXISTS (SELECT FROM paused_subscribers AS paused WHERE paused.subscriber = publisher.subscriber)
