-- A page of orders, newest first, exact hits before all; one row more than it holds tells that there is a next one.
WITH found AS (
    {found}
), page AS (
    SELECT *, row_number() OVER (ORDER BY exact DESC, placed_at DESC, order_id DESC) AS number FROM found
)
SELECT json_build_object(
           'results', coalesce(json_agg(json_build_object(
               'order_id', order_id::text,
               'reference', reference,
               'source', source,
               'status', status,
               'user_id', user_id::text,
               'customer_number', customer_number,
               'customer_name', customer_name,
               'country', country,
               'currency', currency,
               'placed_at', to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'total', round(total, 4)::text,
               'paid', round(paid, 4)::text,
               'returned', round(returned, 4)::text,
               'open_amount', round(open_amount, 4)::text,
               'units', units,
               'lines', lines,
               'first_item', first_item,
               'version', version) ORDER BY number) FILTER (WHERE number <= %(limit)s), '[]'),
           'next', CASE WHEN count(*) > %(limit)s THEN max(
               CASE WHEN exact THEN '253402300799000000-0'  -- the page ends among exact hits: all others come after
                    ELSE (extract(epoch FROM placed_at) * 1000000)::bigint || '-' || order_id END)
               FILTER (WHERE number = %(limit)s) END
       )::text
  FROM page
