-- Lists the open dead letters that fit a selection, with how many events of the same aggregate the log holds behind each.
SELECT dead_letter_id, subscriber, generation, state, position, event_type, schema_version, aggregate_type,
       aggregate_id, aggregate_version, attempts, fingerprint, error_message, first_failed_at, next_attempt_at,
       (SELECT count(*) FROM event_log
         WHERE event_log.aggregate_type = letter.aggregate_type AND event_log.aggregate_id = letter.aggregate_id
           AND event_log.aggregate_version > letter.aggregate_version) AS waiting_events
  FROM dead_letters AS letter
 WHERE state IN ('waiting', 'parked')
   AND (%(ids)s::bigint[] = '{}' OR dead_letter_id = ANY (%(ids)s::bigint[]))
   AND subscriber = coalesce(%(subscriber)s::text, subscriber)
   AND event_type = coalesce(%(event_type)s::text, event_type)
   AND fingerprint = coalesce(%(fingerprint)s::text, fingerprint)
   AND aggregate_type = coalesce(%(aggregate_type)s::text, aggregate_type)
   AND aggregate_id = coalesce(%(aggregate_id)s::bigint, aggregate_id)
 ORDER BY dead_letter_id
