-- Folds a batch into one JSON document per order; lines are rebuilt only where something was returned.
INSERT INTO {table} (order_id, user_id, document, row_version)
WITH placed AS (
    SELECT aggregate_id AS order_id,
           (payload ->> 'user_id')::bigint AS user_id,
           jsonb_build_object(
               'order_id', payload -> 'order_id',
               'reference', payload -> 'reference',
               'source', payload -> 'source',
               'user_id', payload -> 'user_id',
               'customer_number', payload -> 'customer_number',
               'customer', CASE WHEN personal IS NOT NULL THEN jsonb_build_object(
                   'name', personal -> 'name', 'email', personal -> 'email', 'street', personal -> 'street',
                   'postcode', personal -> 'postcode', 'city', personal -> 'city') END,
               'country', payload -> 'country',
               'currency', payload -> 'currency',
               'on_credit', payload -> 'on_credit',
               'placed_at', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'total', payload -> 'total',
               'units', payload -> 'units',
               'lines', payload -> 'lines') AS document
      FROM batch
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
                   'by', metadata -> 'actor',
                   'status', payload -> 'status')
               || CASE event_type
                      WHEN 'OrderPlaced' THEN jsonb_build_object('amount', payload -> 'total')
                      WHEN 'OrderCancelled' THEN payload - 'lines' - ARRAY[
                          'order_id', 'user_id', 'customer_number', 'country', 'currency', 'paid', 'returned', 'open_amount']
                      ELSE payload - ARRAY[
                          'order_id', 'user_id', 'customer_number', 'country', 'currency', 'paid', 'returned', 'open_amount']
                  END
               ORDER BY aggregate_version) AS timeline,
           jsonb_agg(
               jsonb_build_object(
                   'status', payload -> 'status',
                   'paid', payload -> 'paid',
                   'returned', payload -> 'returned',
                   'open_amount', payload -> 'open_amount',
                   'version', aggregate_version)
               ORDER BY aggregate_version) -> -1 AS standing
      FROM batch
     WHERE aggregate_type = 'order'
     GROUP BY aggregate_id
), returned AS (
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
       coalesce(placed.document, own.document)
       || history.standing
       || jsonb_build_object('timeline', coalesce(own.document -> 'timeline', jsonb_build_array()) || history.timeline)
       || CASE WHEN returned.order_id IS NULL THEN jsonb_build_object() ELSE jsonb_build_object('lines', (
              SELECT jsonb_agg(CASE WHEN returned.by_line ? (line ->> 'line_no')
                                    THEN line || jsonb_build_object('returned', returned.by_line -> (line ->> 'line_no'))
                                    ELSE line END ORDER BY number)
                FROM jsonb_array_elements(coalesce(placed.document, own.document) -> 'lines')
                     WITH ORDINALITY AS element (line, number))) END,
       greatest(history.position, own.row_version)
  FROM history
  LEFT JOIN placed USING (order_id)
  LEFT JOIN returned USING (order_id)
  LEFT JOIN {table} AS own USING (order_id)
 WHERE placed.order_id IS NOT NULL OR own.order_id IS NOT NULL
 ORDER BY history.order_id
ON CONFLICT (order_id) DO UPDATE
   SET user_id = EXCLUDED.user_id, document = EXCLUDED.document, row_version = EXCLUDED.row_version
