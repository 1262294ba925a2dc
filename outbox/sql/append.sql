-- Puts messages into the outbox in the order given and answers their identities, in that order.
INSERT INTO outbox (event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
                    metadata, occurred_at)
SELECT event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload::jsonb,
       metadata::jsonb, occurred_at
  FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
              $9::timestamptz[]) WITH ORDINALITY
       AS message (event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
                   metadata, occurred_at, ordinality)
 ORDER BY ordinality
RETURNING message_id
