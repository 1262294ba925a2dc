-- Revenue of a range of days by one key, and in all. Counts stand per day and country: an order may have several categories.
WITH figures AS (
    SELECT {revenue_key} AS key, 0 AS orders, 0 AS credit_notes, 0 AS cancellations,
           sum(lines) AS lines, sum(units) AS units, sum(gross) AS gross,
           sum(lines_returned) AS lines_returned, sum(units_returned) AS units_returned, sum(returned) AS returned,
           sum(units_cancelled) AS units_cancelled, sum(cancelled) AS cancelled
      FROM read_daily_revenue
     WHERE day BETWEEN %(start)s::date AND %(end)s::date
     GROUP BY 1
    UNION ALL
    SELECT {orders_key}, sum(orders), sum(credit_notes), sum(cancellations), 0, 0, 0, 0, 0, 0, 0, 0
      FROM read_daily_orders
     WHERE day BETWEEN %(start)s::date AND %(end)s::date
     GROUP BY 1
), sums AS (
    SELECT key, grouping(key) = 1 AS is_total,
           coalesce(sum(orders), 0) AS orders,
           coalesce(sum(credit_notes), 0) AS credit_notes,
           coalesce(sum(cancellations), 0) AS cancellations,
           coalesce(sum(lines), 0) AS lines,
           coalesce(sum(units), 0) AS units,
           round(coalesce(sum(gross), 0), 4) AS gross,
           coalesce(sum(lines_returned), 0) AS lines_returned,
           coalesce(sum(units_returned), 0) AS units_returned,
           round(coalesce(sum(returned), 0), 4) AS returned,
           coalesce(sum(units_cancelled), 0) AS units_cancelled,
           round(coalesce(sum(cancelled), 0), 4) AS cancelled
      FROM figures
     GROUP BY GROUPING SETS ((key), ())
)
SELECT json_build_object(
           'from', %(start)s::date,
           'to', %(end)s::date,
           'by', '{key}',
           'results', coalesce(json_agg(json_build_object('{key}', key, {counts} {amounts}) ORDER BY {order})
                               FILTER (WHERE NOT is_total AND key IS NOT NULL), '[]'),
           'total', json_agg(json_build_object({all_counts} {amounts})) FILTER (WHERE is_total) -> 0
       )::text
  FROM sums
