-- Keeps what the events of an append say about persons, apart from the events; stands before `append` as a CTE.
INSERT INTO event_personal (event_id, subject_id, data)
SELECT event_id, subject_id, data::jsonb
  FROM unnest($10::uuid[], $11::bigint[], $12::text[]) AS personal (event_id, subject_id, data)
