-- Folds a batch into one JSON document per order: the payload of OrderPlaced, the newest standing, the timeline.
INSERT INTO {table} (order_id, user_id, document, row_version)
WITH placed AS MATERIALIZED (
    SELECT aggregate_id AS order_id,
           said.user_id,
           payload || jsonb_build_object(
               'placed_at', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'customer', CASE WHEN personal IS NOT NULL THEN jsonb_build_object(
                   'name', personal -> 'name', 'email', personal -> 'email', 'street', personal -> 'street',
                   'postcode', personal -> 'postcode', 'city', personal -> 'city') END) AS document
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload) AS said (user_id bigint)
     WHERE event_type = 'OrderPlaced'
), history AS (
    SELECT aggregate_id AS order_id,
           max(position) AS position,
           jsonb_agg(
               jsonb_build_object(
                   'event', event_type,
                   'version', aggregate_version,
                   'position', position,
                   'at', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   'recorded_at', to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   'by', metadata -> 'actor')
               || CASE event_type
                      WHEN 'OrderPlaced' THEN jsonb_build_object('status', status, 'amount', total)
                      WHEN 'OrderCancelled' THEN payload - 'lines' - standing_keys
                      ELSE payload - standing_keys
                  END
               ORDER BY aggregate_version) AS timeline,
           jsonb_agg(
               jsonb_build_object(
                   'status', status, 'paid', paid, 'returned', returned, 'open_amount', open_amount,
                   'version', aggregate_version)
               ORDER BY aggregate_version) -> -1 AS standing
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload)  -- opens the payload once, not once per key
                     AS said (status text, paid text, returned text, open_amount text, total text)
     CROSS JOIN (VALUES (ARRAY['order_id', 'user_id', 'customer_number', 'country', 'currency', 'paid', 'returned',
                               'open_amount'])) AS every_event (standing_keys)
     WHERE aggregate_type = 'order'
     GROUP BY aggregate_id
), returned AS MATERIALIZED (
    SELECT order_id, jsonb_object_agg(line_no, returned) AS by_line
      FROM (SELECT aggregate_id AS order_id, line.line_no, max(line.returned) AS returned
              FROM batch
             CROSS JOIN LATERAL jsonb_to_recordset(payload -> 'lines') AS line (line_no text, returned bigint)
             WHERE event_type = 'ItemsReturned'
             GROUP BY aggregate_id, line.line_no) AS per_line
     GROUP BY order_id
)
SELECT history.order_id,
       coalesce(placed.user_id, own.user_id),
       coalesce(placed.document, own.document) || (
           history.standing
           || jsonb_build_object('timeline', coalesce(own.document -> 'timeline', jsonb_build_array()) || history.timeline)
           || CASE WHEN returned.order_id IS NULL THEN jsonb_build_object() ELSE jsonb_build_object('lines', (
                  SELECT jsonb_agg(
                             CASE WHEN returned.by_line ? (line ->> 'line_no')
                                  THEN line || jsonb_build_object('returned', returned.by_line -> (line ->> 'line_no'))
                                  ELSE line END
                             ORDER BY number)
                    FROM jsonb_array_elements(coalesce(placed.document, own.document) -> 'lines')
                         WITH ORDINALITY AS element (line, number))) END),
       greatest(history.position, own.row_version)
  FROM history
  LEFT JOIN placed USING (order_id)
  LEFT JOIN returned USING (order_id)
  LEFT JOIN LATERAL (  -- OFFSET 0: always by primary key, whatever the planner believes of a growing table
       SELECT user_id, document, row_version
         FROM {table}
        WHERE placed.order_id IS NULL AND order_id = history.order_id
       OFFSET 0) AS own ON true
 WHERE placed.order_id IS NOT NULL OR own.document IS NOT NULL
 ORDER BY history.order_id
ON CONFLICT (order_id) DO UPDATE
   SET user_id = EXCLUDED.user_id, document = EXCLUDED.document, row_version = EXCLUDED.row_version
