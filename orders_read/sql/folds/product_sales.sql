-- Folds a batch into one row per SKU; first one row per SKU and event, which counts the orders and finds the newest name.
INSERT INTO {table} AS own (
    sku, name, category, orders, lines, units, gross, credit_notes, units_returned, returned, units_cancelled, cancelled,
    row_version, named_at)
WITH per_event AS (
    SELECT line.sku COLLATE "C" AS sku, position, event_type,
           max(line.name COLLATE "C") AS name, max(line.category COLLATE "C") AS category,
           count(*) AS lines, sum(line.qty) AS units, sum(line.amount) AS amount
      FROM batch
     CROSS JOIN LATERAL jsonb_to_recordset(payload -> 'lines')
                     AS line (sku text, name text, category text, qty bigint, amount numeric)
     WHERE event_type IN ('OrderPlaced', 'OrderCancelled', 'CreditNoteRecorded')
     GROUP BY 1, 2, 3
)
SELECT sku,
       (array_agg(name ORDER BY position DESC))[1],
       (array_agg(category ORDER BY position DESC))[1],
       count(*) FILTER (WHERE event_type = 'OrderPlaced'),
       coalesce(sum(lines) FILTER (WHERE event_type = 'OrderPlaced'), 0),
       coalesce(sum(units) FILTER (WHERE event_type = 'OrderPlaced'), 0),
       coalesce(sum(amount) FILTER (WHERE event_type = 'OrderPlaced'), 0),
       count(*) FILTER (WHERE event_type = 'CreditNoteRecorded'),
       coalesce(sum(units) FILTER (WHERE event_type = 'CreditNoteRecorded'), 0),
       coalesce(sum(amount) FILTER (WHERE event_type = 'CreditNoteRecorded'), 0),
       coalesce(sum(units) FILTER (WHERE event_type = 'OrderCancelled'), 0),
       coalesce(sum(amount) FILTER (WHERE event_type = 'OrderCancelled'), 0),
       max(position),
       max(position)
  FROM per_event
 GROUP BY sku
 ORDER BY sku
ON CONFLICT (sku) DO UPDATE
   SET name = CASE WHEN EXCLUDED.named_at > own.named_at THEN EXCLUDED.name ELSE own.name END,
       category = CASE WHEN EXCLUDED.named_at > own.named_at THEN EXCLUDED.category ELSE own.category END,
       orders = own.orders + EXCLUDED.orders,
       lines = own.lines + EXCLUDED.lines,
       units = own.units + EXCLUDED.units,
       gross = own.gross + EXCLUDED.gross,
       credit_notes = own.credit_notes + EXCLUDED.credit_notes,
       units_returned = own.units_returned + EXCLUDED.units_returned,
       returned = own.returned + EXCLUDED.returned,
       units_cancelled = own.units_cancelled + EXCLUDED.units_cancelled,
       cancelled = own.cancelled + EXCLUDED.cancelled,
       row_version = greatest(own.row_version, EXCLUDED.row_version),
       named_at = greatest(own.named_at, EXCLUDED.named_at)
