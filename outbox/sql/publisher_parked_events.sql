-- The event of a dead letter, and the later ones of its aggregate that are wanted, up to a position: what has been waiting.
SELECT position, event_id, event_type, {schema_version}, aggregate_type, aggregate_id, aggregate_version,
       ({payload})::text,
       CASE WHEN $5::boolean THEN (
           SELECT data::text FROM event_personal WHERE event_personal.event_id = event.event_id) END,
       occurred_at
  FROM event_log AS event
 WHERE aggregate_type = $1::text AND aggregate_id = $2::bigint AND aggregate_version >= $3::bigint
   AND (aggregate_version = $3::bigint
        OR position <= $6::bigint AND (event_type = ANY ($4::text[]) OR $4::text[] = '{{}}'))
 ORDER BY aggregate_version LIMIT $7::int
