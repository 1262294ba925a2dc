-- A page of the catalogue in the order of SKUs.
WITH page AS (
    SELECT *, row_number() OVER (ORDER BY sku) AS number
      FROM (SELECT * FROM read_product_catalogue
             WHERE {conditions}
             ORDER BY sku
             LIMIT %(limit)s + 1) AS found
)
SELECT json_build_object(
           'results', coalesce(json_agg({product} ORDER BY number) FILTER (WHERE number <= %(limit)s), '[]'),
           'next', CASE WHEN count(*) > %(limit)s THEN max(sku) FILTER (WHERE number = %(limit)s) END
       )::text
  FROM page
