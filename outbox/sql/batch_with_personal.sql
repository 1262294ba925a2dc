-- The events of a range of the log with what they say about persons, NULL where that was erased or never said.
SELECT position, message_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
       metadata, occurred_at, recorded_at, (
           SELECT data FROM event_personal WHERE event_personal.event_id = event_log.event_id) AS personal
  FROM event_log
 WHERE position > $1::bigint AND position <= $2::bigint
