-- Folds a batch into one row per user; how an order stood before the batch is read in user_orders, which is folded next.
INSERT INTO {table} AS own (
    user_id, customer_number, orders, lines, units, spent, credit_notes, units_returned, returned, cancelled, paid,
    open_amount, orders_confirmed, orders_paid, orders_shipped, orders_delivered, orders_cancelled, credit_limit,
    first_order_at, last_order_at, last_order_id, last_order_reference, row_version)
WITH facts AS (
    SELECT position, event_type, aggregate_type, aggregate_id, aggregate_version, occurred_at,
           said.user_id, said.customer_number, said.reference, said.status, said.open_amount, said.amount, said.refund,
           said.total, said.units, said."limit",
           CASE event_type WHEN 'OrderPlaced' THEN jsonb_array_length(said.lines) END AS lines
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload)  -- opens the payload once, not once per key
                     AS said (user_id bigint, customer_number text, reference text, status text, open_amount numeric,
                              amount numeric, refund numeric, total numeric, units bigint, "limit" numeric, lines jsonb)
     WHERE aggregate_type IN ('order', 'credit_note', 'credit_account') AND said.user_id IS NOT NULL
), sums AS (
    SELECT user_id,
           count(*) FILTER (WHERE event_type = 'OrderPlaced') AS orders,
           coalesce(sum(lines), 0) AS lines,
           coalesce(sum(units) FILTER (WHERE event_type = 'OrderPlaced'), 0) AS units,
           coalesce(sum(total) FILTER (WHERE event_type = 'OrderPlaced'), 0) AS spent,
           count(*) FILTER (WHERE event_type = 'CreditNoteRecorded') AS credit_notes,
           coalesce(sum(units) FILTER (WHERE event_type = 'CreditNoteRecorded'), 0) AS units_returned,
           coalesce(sum(total) FILTER (WHERE event_type = 'CreditNoteRecorded'), 0) AS returned,
           coalesce(sum(amount) FILTER (WHERE event_type = 'OrderCancelled'), 0) AS cancelled,
           coalesce(sum(amount) FILTER (WHERE event_type = 'PaymentCharged'), 0) - coalesce(sum(refund), 0) AS paid,
           min(occurred_at) FILTER (WHERE event_type = 'OrderPlaced') AS first_order_at,
           max(position) AS row_version
      FROM facts
     GROUP BY user_id
), standing AS MATERIALIZED (
    SELECT DISTINCT ON (aggregate_id) aggregate_id AS order_id, user_id, status, open_amount
      FROM facts
     WHERE aggregate_type = 'order'
     ORDER BY aggregate_id, aggregate_version DESC
), moved AS MATERIALIZED (
    SELECT standing.user_id,
           sum(standing.open_amount - coalesce(before.open_amount, 0)) AS open_amount,
           count(*) FILTER (WHERE standing.status = 'confirmed')
           - count(*) FILTER (WHERE before.status = 'confirmed') AS orders_confirmed,
           count(*) FILTER (WHERE standing.status = 'paid')
           - count(*) FILTER (WHERE before.status = 'paid') AS orders_paid,
           count(*) FILTER (WHERE standing.status = 'shipped')
           - count(*) FILTER (WHERE before.status = 'shipped') AS orders_shipped,
           count(*) FILTER (WHERE standing.status = 'delivered')
           - count(*) FILTER (WHERE before.status = 'delivered') AS orders_delivered,
           count(*) FILTER (WHERE standing.status = 'cancelled')
           - count(*) FILTER (WHERE before.status = 'cancelled') AS orders_cancelled
      FROM standing
      LEFT JOIN LATERAL (  -- OFFSET 0: always by primary key, whatever the planner believes of a growing table
           SELECT status, open_amount FROM {table:user_orders} WHERE order_id = standing.order_id OFFSET 0
           ) AS before ON true
     GROUP BY standing.user_id
), last_order AS MATERIALIZED (
    SELECT DISTINCT ON (user_id) user_id, occurred_at AS last_order_at, aggregate_id AS last_order_id,
           reference AS last_order_reference
      FROM facts
     WHERE event_type = 'OrderPlaced'
     ORDER BY user_id, occurred_at DESC, aggregate_id DESC
), numbered AS MATERIALIZED (
    SELECT DISTINCT ON (user_id) user_id, customer_number
      FROM facts
     WHERE customer_number IS NOT NULL
     ORDER BY user_id, position DESC
), credit AS MATERIALIZED (
    SELECT DISTINCT ON (user_id) user_id, "limit" AS credit_limit
      FROM facts
     WHERE event_type = 'CreditLimitSet'
     ORDER BY user_id, position DESC
)
SELECT user_id, customer_number, orders, lines, units, spent, credit_notes, units_returned, returned, cancelled, paid,
       coalesce(open_amount, 0), coalesce(orders_confirmed, 0), coalesce(orders_paid, 0), coalesce(orders_shipped, 0),
       coalesce(orders_delivered, 0), coalesce(orders_cancelled, 0), credit_limit,
       first_order_at, last_order_at, last_order_id, last_order_reference, row_version
  FROM sums
  LEFT JOIN moved USING (user_id)
  LEFT JOIN last_order USING (user_id)
  LEFT JOIN numbered USING (user_id)
  LEFT JOIN credit USING (user_id)
 ORDER BY user_id
ON CONFLICT (user_id) DO UPDATE
   SET customer_number = coalesce(EXCLUDED.customer_number, own.customer_number),
       orders = own.orders + EXCLUDED.orders,
       lines = own.lines + EXCLUDED.lines,
       units = own.units + EXCLUDED.units,
       spent = own.spent + EXCLUDED.spent,
       credit_notes = own.credit_notes + EXCLUDED.credit_notes,
       units_returned = own.units_returned + EXCLUDED.units_returned,
       returned = own.returned + EXCLUDED.returned,
       cancelled = own.cancelled + EXCLUDED.cancelled,
       paid = own.paid + EXCLUDED.paid,
       open_amount = own.open_amount + EXCLUDED.open_amount,
       orders_confirmed = own.orders_confirmed + EXCLUDED.orders_confirmed,
       orders_paid = own.orders_paid + EXCLUDED.orders_paid,
       orders_shipped = own.orders_shipped + EXCLUDED.orders_shipped,
       orders_delivered = own.orders_delivered + EXCLUDED.orders_delivered,
       orders_cancelled = own.orders_cancelled + EXCLUDED.orders_cancelled,
       credit_limit = coalesce(EXCLUDED.credit_limit, own.credit_limit),
       first_order_at = least(own.first_order_at, EXCLUDED.first_order_at),
       (last_order_at, last_order_id, last_order_reference) = (
           SELECT last_order_at, last_order_id, last_order_reference
             FROM (VALUES (own.last_order_at, own.last_order_id, own.last_order_reference),
                          (EXCLUDED.last_order_at, EXCLUDED.last_order_id, EXCLUDED.last_order_reference))
                  AS candidate (last_order_at, last_order_id, last_order_reference)
            ORDER BY last_order_at DESC NULLS LAST, last_order_id DESC
            LIMIT 1),
       row_version = greatest(own.row_version, EXCLUDED.row_version)
