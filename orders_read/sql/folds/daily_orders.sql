-- Folds a batch into one row per day (UTC) and country: counts that a row per category would count twice.
INSERT INTO {table} AS own (day, country, orders, credit_notes, cancellations, row_version)
SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day,
       (payload ->> 'country') COLLATE "C" AS country,
       count(*) FILTER (WHERE event_type = 'OrderPlaced'),
       count(*) FILTER (WHERE event_type = 'CreditNoteRecorded'),
       count(*) FILTER (WHERE event_type = 'OrderCancelled'),
       max(position)
  FROM batch
 WHERE event_type IN ('OrderPlaced', 'OrderCancelled', 'CreditNoteRecorded')
 GROUP BY 1, 2
 ORDER BY 1, 2
ON CONFLICT (day, country) DO UPDATE
   SET orders = own.orders + EXCLUDED.orders,
       credit_notes = own.credit_notes + EXCLUDED.credit_notes,
       cancellations = own.cancellations + EXCLUDED.cancellations,
       row_version = greatest(own.row_version, EXCLUDED.row_version)
