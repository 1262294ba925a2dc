-- What products sold, the greatest first, ties by SKU.
WITH sales AS (
    SELECT *, gross - returned - cancelled AS net FROM read_product_sales
), valued AS (
    SELECT *, {value}::numeric AS value FROM sales
), found AS (
    SELECT * FROM valued WHERE {after} ORDER BY value DESC, sku LIMIT %(limit)s + 1
), page AS (
    SELECT *, row_number() OVER (ORDER BY value DESC, sku) AS number FROM found
)
SELECT json_build_object(
           'results', coalesce(json_agg(json_build_object(
               'sku', sku,
               'name', name,
               'category', category,
               'orders', orders,
               'lines', lines,
               'units', units,
               'gross', round(gross, 4)::text,
               'credit_notes', credit_notes,
               'units_returned', units_returned,
               'returned', round(returned, 4)::text,
               'units_cancelled', units_cancelled,
               'cancelled', round(cancelled, 4)::text,
               'net', round(net, 4)::text) ORDER BY number) FILTER (WHERE number <= %(limit)s), '[]'),
           'next', CASE WHEN count(*) > %(limit)s THEN max(value || '~' || sku) FILTER (WHERE number = %(limit)s) END
       )::text
  FROM page
