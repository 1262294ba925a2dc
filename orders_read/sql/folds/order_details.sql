-- Folds a batch into one JSON document per order: the payload of OrderPlaced, the newest standing, the timeline.
-- Who got it goes with CustomerErased.
INSERT INTO {table} (order_id, user_id, document, row_version)
WITH placed AS MATERIALIZED (
    SELECT aggregate_id AS order_id,
           said.user_id,
           payload,
           to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS placed_at,
           CASE WHEN personal IS NOT NULL THEN jsonb_build_object(
               'name', personal -> 'name', 'email', personal -> 'email', 'street', personal -> 'street',
               'postcode', personal -> 'postcode', 'city', personal -> 'city') END AS customer
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload) AS said (user_id bigint)
     WHERE event_type = 'OrderPlaced'
), history AS (
    SELECT aggregate_id AS order_id,
           max(position) AS position,
           bool_or(event_type = 'CustomerErased') AS is_erased,
           jsonb_agg(
               CASE event_type
                   WHEN 'OrderPlaced' THEN jsonb_build_object(
                       'event', event_type, 'version', aggregate_version, 'position', position::text, 'at', at,
                       'recorded_at', learnt_at, 'by', metadata -> 'actor', 'status', status, 'amount', total)
                   ELSE jsonb_build_object(
                       'event', event_type, 'version', aggregate_version, 'position', position::text, 'at', at,
                       'recorded_at', learnt_at, 'by', metadata -> 'actor')
                       || (CASE WHEN event_type IN ('OrderCancelled', 'CustomerErased')
                                THEN payload - 'lines' ELSE payload END - standing_keys)
               END ORDER BY aggregate_version) AS timeline,
           jsonb_agg(
               jsonb_build_object(
                   'status', status, 'paid', paid, 'returned', returned, 'open_amount', open_amount,
                   'version', aggregate_version)
               ORDER BY aggregate_version) FILTER (WHERE event_type <> 'OrderPlaced') -> -1 AS standing
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload)  -- opens the payload once, not once per key
                     AS said (status text, paid text, returned text, open_amount text, total text)
     CROSS JOIN LATERAL (VALUES (
               to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               ARRAY['order_id', 'user_id', 'customer_number', 'country', 'currency', 'paid', 'returned', 'open_amount']
           )) AS written (at, learnt_at, standing_keys)
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
), merged AS (
    SELECT history.order_id,
           coalesce(placed.user_id, own.user_id) AS user_id,
           CASE WHEN placed.order_id IS NOT NULL
                THEN placed.payload || jsonb_build_object(
                         'placed_at', placed.placed_at, 'version', 1, 'timeline', history.timeline,
                         'customer', CASE WHEN NOT history.is_erased THEN placed.customer END)
                WHEN history.is_erased
                THEN own.document || jsonb_build_object(
                         'customer', NULL, 'timeline', (own.document -> 'timeline') || history.timeline)
                ELSE own.document || jsonb_build_object('timeline', (own.document -> 'timeline') || history.timeline)
           END AS document,
           history.standing,
           returned.by_line,
           greatest(history.position, own.row_version) AS row_version
      FROM history
      LEFT JOIN placed USING (order_id)
      LEFT JOIN returned USING (order_id)
      LEFT JOIN LATERAL (  -- OFFSET 0: always by primary key, whatever the planner believes of a growing table
           SELECT user_id, document, row_version
             FROM {table}
            WHERE placed.order_id IS NULL AND order_id = history.order_id
           OFFSET 0) AS own ON true
     WHERE placed.order_id IS NOT NULL OR own.document IS NOT NULL
)
SELECT order_id,
       user_id,
       CASE WHEN standing IS NULL THEN document
            WHEN by_line IS NULL THEN document || standing
            ELSE document || standing || jsonb_build_object('lines', (
                SELECT jsonb_agg(
                           CASE WHEN by_line ? (line ->> 'line_no')
                                THEN line || jsonb_build_object('returned', by_line -> (line ->> 'line_no'))
                                ELSE line END
                           ORDER BY number)
                  FROM jsonb_array_elements(document -> 'lines') WITH ORDINALITY AS element (line, number)))
       END,
       row_version
  FROM merged
 ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE
   SET user_id = EXCLUDED.user_id, document = EXCLUDED.document, row_version = EXCLUDED.row_version
