-- One customer's dashboard; zeros for a customer of whom no event tells yet.
SELECT json_build_object(
           'user_id', user_id::text,
           'customer_number', customer_number,
           'orders', coalesce(orders, 0),
           'lines', coalesce(lines, 0),
           'units', coalesce(units, 0),
           'spent', round(coalesce(spent, 0), 4)::text,
           'credit_notes', coalesce(credit_notes, 0),
           'units_returned', coalesce(units_returned, 0),
           'returned', round(coalesce(returned, 0), 4)::text,
           'cancelled', round(coalesce(cancelled, 0), 4)::text,
           'net', round(coalesce(spent - returned - cancelled, 0), 4)::text,
           'paid', round(coalesce(paid, 0), 4)::text,
           'open_amount', round(coalesce(open_amount, 0), 4)::text,
           'orders_by_status', json_build_object(
               'confirmed', coalesce(orders_confirmed, 0),
               'paid', coalesce(orders_paid, 0),
               'shipped', coalesce(orders_shipped, 0),
               'delivered', coalesce(orders_delivered, 0),
               'cancelled', coalesce(orders_cancelled, 0)),
           'credit_limit', round(credit_limit, 4)::text,
           'first_order_at', to_char(first_order_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'last_order_at', to_char(last_order_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'last_order_id', last_order_id::text,
           'last_order_reference', last_order_reference
       )::text
  FROM (SELECT %(user_id)s::bigint AS user_id) AS asked
  LEFT JOIN read_user_dashboard USING (user_id)
