-- The next events of a partition that a subscriber wants, without those that wait behind a dead letter.
SELECT position, event_id, event_type, {schema_version}, aggregate_type, aggregate_id, aggregate_version,
       ({payload})::text,
       CASE WHEN $6::boolean THEN (
           SELECT data::text FROM event_personal WHERE event_personal.event_id = event.event_id) END,
       occurred_at
  FROM event_log AS event
 WHERE position > $1::bigint AND position <= $2::bigint
   AND outbox_event_partition(aggregate_type, aggregate_id, payload,
                              (SELECT partition_by FROM publishers WHERE subscriber = $7::text), $4::int) = $3::int
   AND (event_type = ANY ($5::text[]) OR $5::text[] = '{{}}')
   AND NOT EXISTS (
       SELECT FROM dead_letters AS letter
        WHERE letter.subscriber = $7::text AND letter.generation = 1 AND letter.state IN ('waiting', 'parked')
          AND letter.aggregate_type = event.aggregate_type AND letter.aggregate_id = event.aggregate_id
          AND letter.position <= event.position)
 ORDER BY position LIMIT $8::int
