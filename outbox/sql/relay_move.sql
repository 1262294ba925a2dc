-- Moves the next committed messages from the outbox to the end of the log; answers how many, the head, how many it would have taken, the last one.
WITH head AS MATERIALIZED (
    SELECT coalesce(max(position), 0) AS position FROM event_log
), room AS MATERIALIZED (
    SELECT CASE WHEN current_setting('outbox.relay_is_mine')::boolean
                THEN greatest(least($2::bigint, $3::bigint - position), 0) ELSE 0 END AS messages
      FROM head
), moved AS (
    DELETE FROM outbox
     WHERE message_id = ANY (ARRAY(
           SELECT message_id FROM outbox WHERE message_id > $1::bigint
            ORDER BY message_id LIMIT (SELECT messages FROM room)))
    RETURNING *
), placed AS (
    INSERT INTO event_log (position, message_id, event_id, event_type, schema_version, aggregate_type, aggregate_id,
                           aggregate_version, payload, metadata, occurred_at, recorded_at)
    SELECT head.position + row_number() OVER (ORDER BY message_id), message_id, event_id, event_type, schema_version,
           aggregate_type, aggregate_id, aggregate_version, payload, metadata, occurred_at, recorded_at
      FROM moved, head
    RETURNING position, message_id
)
SELECT end_of_log.messages, greatest(end_of_log.position, head.position), room.messages, end_of_log.message_id
  FROM head, room,
       (SELECT count(*) AS messages, max(position) AS position, coalesce(max(message_id), 0) AS message_id
          FROM placed) AS end_of_log
