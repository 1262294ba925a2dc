-- The events of a range of the log, as folds see them.
SELECT position, message_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
       metadata, occurred_at, recorded_at
  FROM event_log
 WHERE position > $1::bigint AND position <= $2::bigint
