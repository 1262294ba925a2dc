-- Folds a batch into one row per day (UTC), category and country: a sale, a credit note and a cancellation each on its own day.
INSERT INTO {table} AS own (
    day, category, country, lines, units, gross, lines_returned, units_returned, returned, units_cancelled, cancelled,
    row_version)
SELECT day,
       line.category COLLATE "C" AS category,
       country,
       count(*) FILTER (WHERE event_type = 'OrderPlaced'),
       coalesce(sum(line.qty) FILTER (WHERE event_type = 'OrderPlaced'), 0),
       coalesce(sum(line.amount) FILTER (WHERE event_type = 'OrderPlaced'), 0),
       count(*) FILTER (WHERE event_type = 'CreditNoteRecorded'),
       coalesce(sum(line.qty) FILTER (WHERE event_type = 'CreditNoteRecorded'), 0),
       coalesce(sum(line.amount) FILTER (WHERE event_type = 'CreditNoteRecorded'), 0),
       coalesce(sum(line.qty) FILTER (WHERE event_type = 'OrderCancelled'), 0),
       coalesce(sum(line.amount) FILTER (WHERE event_type = 'OrderCancelled'), 0),
       max(position)
  FROM (SELECT position, event_type, (occurred_at AT TIME ZONE 'UTC')::date AS day,
               (payload ->> 'country') COLLATE "C" AS country, payload -> 'lines' AS lines
          FROM batch
         WHERE event_type IN ('OrderPlaced', 'OrderCancelled', 'CreditNoteRecorded')
        OFFSET 0) AS event  -- OFFSET 0: a payload is opened once per event, not once per line
 CROSS JOIN LATERAL jsonb_to_recordset(lines) AS line (category text, qty bigint, amount numeric)
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3
ON CONFLICT (day, category, country) DO UPDATE
   SET lines = own.lines + EXCLUDED.lines,
       units = own.units + EXCLUDED.units,
       gross = own.gross + EXCLUDED.gross,
       lines_returned = own.lines_returned + EXCLUDED.lines_returned,
       units_returned = own.units_returned + EXCLUDED.units_returned,
       returned = own.returned + EXCLUDED.returned,
       units_cancelled = own.units_cancelled + EXCLUDED.units_cancelled,
       cancelled = own.cancelled + EXCLUDED.cancelled,
       row_version = greatest(own.row_version, EXCLUDED.row_version)
