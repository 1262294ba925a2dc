-- Folds a batch into one row per order of a user: how it stands, for the next batch's dashboards.
INSERT INTO {table} AS own (order_id, user_id, status, open_amount, row_version)
SELECT DISTINCT ON (aggregate_id) aggregate_id, said.user_id, said.status, said.open_amount, position
  FROM batch
 CROSS JOIN LATERAL jsonb_to_record(payload) AS said (user_id bigint, status text, open_amount numeric)
 WHERE aggregate_type = 'order' AND said.user_id IS NOT NULL
 ORDER BY aggregate_id, aggregate_version DESC
ON CONFLICT (order_id) DO UPDATE
   SET status = EXCLUDED.status, open_amount = EXCLUDED.open_amount,
       row_version = greatest(own.row_version, EXCLUDED.row_version)
