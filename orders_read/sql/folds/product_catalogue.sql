-- Folds a batch into one row per product. Orders move pieces, product events say the rest; until ProductListed has come, a
-- row has no price and is not shown.
INSERT INTO {table} AS own (product_id, sku, name, category, price, retired, available, version, row_version)
WITH moves AS (
    SELECT line.product_id, position,
           CASE event_type WHEN 'OrderPlaced' THEN -line.qty ELSE line.qty END AS pieces
      FROM batch
     CROSS JOIN LATERAL jsonb_to_recordset(payload -> 'lines') AS line (product_id bigint, qty bigint, order_id text)
     WHERE event_type IN ('OrderPlaced', 'OrderCancelled')
        OR event_type = 'CreditNoteRecorded' AND line.order_id IS NOT NULL
    UNION ALL
    SELECT aggregate_id, position,
           CASE event_type WHEN 'ProductListed' THEN (payload ->> 'on_hand')::bigint
                           WHEN 'ProductRestocked' THEN (payload ->> 'qty')::bigint
                           ELSE 0 END
      FROM batch
     WHERE aggregate_type = 'product'
), moved AS MATERIALIZED (
    SELECT product_id, sum(pieces) AS pieces, max(position) AS row_version
      FROM moves
     WHERE product_id IS NOT NULL
     GROUP BY product_id
), said AS MATERIALIZED (
    SELECT DISTINCT ON (aggregate_id) aggregate_id AS product_id, aggregate_version AS version, payload
      FROM batch
     WHERE aggregate_type = 'product'
     ORDER BY aggregate_id, aggregate_version DESC
)
SELECT product_id, payload ->> 'sku', payload ->> 'name', payload ->> 'category', (payload ->> 'price')::numeric,
       (payload ->> 'retired')::boolean, pieces, version, row_version
  FROM moved
  LEFT JOIN said USING (product_id)
 ORDER BY product_id
ON CONFLICT (product_id) DO UPDATE
   SET sku = coalesce(EXCLUDED.sku, own.sku),
       name = coalesce(EXCLUDED.name, own.name),
       category = coalesce(EXCLUDED.category, own.category),
       price = coalesce(EXCLUDED.price, own.price),
       retired = coalesce(EXCLUDED.retired, own.retired),
       available = own.available + EXCLUDED.available,
       version = coalesce(EXCLUDED.version, own.version),
       row_version = greatest(own.row_version, EXCLUDED.row_version)
