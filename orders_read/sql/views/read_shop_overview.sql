-- The shop at a glance, in one row: as of when, of which position of the log, and what there is to say.
WITH ranges AS (
    SELECT name, first, today AS last
      FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS clock,
           LATERAL (VALUES ('today', today), ('last_7_days', today - 6), ('last_30_days', today - 29)) AS range (name, first)
     UNION ALL
    SELECT 'last_day_with_orders', max(day), max(day) FROM read_daily_orders WHERE orders > 0 HAVING max(day) IS NOT NULL
     UNION ALL
    SELECT 'always', '-infinity', 'infinity'
), trade AS (
    SELECT name, sum(units) AS units, sum(gross) AS gross, sum(returned) AS returned, sum(cancelled) AS cancelled
      FROM ranges JOIN read_daily_revenue ON day BETWEEN first AND last
     GROUP BY name
), counts AS (
    SELECT name, sum(orders) AS orders
      FROM ranges JOIN read_daily_orders ON day BETWEEN first AND last
     GROUP BY name
), periods AS (
    SELECT name,
           json_build_object(
               'from', nullif(first, '-infinity'),
               'to', nullif(last, 'infinity'),
               'orders', coalesce(orders, 0),
               'units', coalesce(units, 0),
               'gross', round(coalesce(gross, 0), 4)::text,
               'returned', round(coalesce(returned, 0), 4)::text,
               'cancelled', round(coalesce(cancelled, 0), 4)::text,
               'net', round(coalesce(gross - returned - cancelled, 0), 4)::text,
               'returns_rate', round(returned / nullif(gross, 0), 4)::text) AS figures
      FROM ranges LEFT JOIN trade USING (name) LEFT JOIN counts USING (name)
), statuses AS (
    SELECT count(*) FILTER (WHERE status = 'confirmed') AS confirmed,
           count(*) FILTER (WHERE status = 'paid') AS paid,
           count(*) FILTER (WHERE status = 'shipped') AS shipped,
           count(*) FILTER (WHERE status = 'delivered') AS delivered,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled
      FROM read_order_search
), customers AS (
    SELECT user_id, customer_number, orders, units, spent - returned - cancelled AS net, last_order_at
      FROM read_user_dashboard
     WHERE orders > 0
     ORDER BY net DESC, user_id LIMIT 10
), products AS (
    SELECT sku, name, orders, units, gross, returned, gross - returned - cancelled AS net
      FROM read_product_sales
     WHERE lines > 0
     ORDER BY net DESC, sku LIMIT 10
)
SELECT 1::smallint AS row_no,
       now() AS as_of,
       (SELECT coalesce(min(position), 0) FROM read_positions
         WHERE read_model IN ('daily_revenue', 'order_search', 'product_sales', 'user_dashboard')) AS position,
       json_build_object(
           'periods', (SELECT json_object_agg(name, figures) FROM periods),
           'orders_by_status', (SELECT row_to_json(statuses) FROM statuses),
           'top_customers', (
               SELECT coalesce(json_agg(json_build_object(
                          'user_id', user_id::text,
                          'customer_number', customer_number,
                          'orders', orders,
                          'units', units,
                          'net', round(net, 4)::text,
                          'last_order_at', to_char(last_order_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                          ORDER BY net DESC, user_id), '[]')
                 FROM customers),
           'top_products', (
               SELECT coalesce(json_agg(json_build_object(
                          'sku', sku,
                          'name', name,
                          'orders', orders,
                          'units', units,
                          'net', round(net, 4)::text,
                          'returns_rate', round(returned / nullif(gross, 0), 4)::text)
                          ORDER BY net DESC, sku), '[]')
                 FROM products))::text AS document
