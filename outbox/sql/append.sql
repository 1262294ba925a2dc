-- Puts messages into the outbox in the order given, what they say of persons beside it, and answers their identities.
WITH message AS MATERIALIZED (
    SELECT *
      FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
        event_id uuid, event_type text, schema_version smallint, aggregate_type text, aggregate_id bigint,
        aggregate_version bigint, payload jsonb, metadata jsonb, occurred_at timestamptz, subject_id bigint,
        personal jsonb)) WITH ORDINALITY
), personal AS (
    INSERT INTO event_personal (event_id, subject_id, data)
    SELECT event_id, subject_id, personal FROM message WHERE personal IS NOT NULL
)
INSERT INTO outbox (event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
                    metadata, occurred_at)
SELECT event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload, metadata,
       occurred_at
  FROM message ORDER BY ordinality
RETURNING message_id
