-- Folds a batch into one flat row per order; a word is a run of letters and digits, in lower case, without positions.
-- The customer's name, and the words that a person said, go with CustomerErased.
INSERT INTO {table} (
    order_id, user_id, source, reference, status, customer_number, customer_name, country, currency, placed_at,
    total, paid, returned, open_amount, units, lines, first_item, words, version, row_version)
WITH placed AS MATERIALIZED (
    SELECT aggregate_id AS order_id,
           said.user_id,
           said.source,
           said.reference,
           said.status,
           said.customer_number,
           personal ->> 'name' AS customer_name,
           said.country,
           said.currency,
           occurred_at AS placed_at,
           said.total,
           said.paid,
           said.returned,
           said.open_amount,
           said.units,
           jsonb_array_length(said.lines) AS lines,
           said.lines -> 0 ->> 'name' AS first_item,
           nullif(concat_ws(' ', personal ->> 'name', personal ->> 'email', personal ->> 'city', personal ->> 'postcode'),
                  '') AS person,
           (SELECT string_agg(concat_ws(' ', line.name, line.sku), ' ')
              FROM jsonb_to_recordset(said.lines) AS line (name text, sku text)) AS items,
           aggregate_version AS version,
           position
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload)  -- opens the payload once, not once per key
                     AS said (user_id bigint, source text, reference text, status text, customer_number text,
                              country text, currency text, total numeric, paid numeric, returned numeric,
                              open_amount numeric, units bigint, lines jsonb)
     WHERE event_type = 'OrderPlaced'
), standing AS MATERIALIZED (
    SELECT DISTINCT ON (aggregate_id)
           aggregate_id AS order_id,
           said.status,
           said.paid,
           said.returned,
           said.open_amount,
           aggregate_version AS version,
           position
      FROM batch
     CROSS JOIN LATERAL jsonb_to_record(payload)
                     AS said (status text, paid numeric, returned numeric, open_amount numeric)
     WHERE aggregate_type = 'order' AND event_type <> 'OrderPlaced'
     ORDER BY aggregate_id, aggregate_version DESC
), erased AS MATERIALIZED (  -- says again what it was about, as the words with the person's among them must go
    SELECT DISTINCT ON (aggregate_id)
           aggregate_id AS order_id,
           (SELECT string_agg(concat_ws(' ', line.name, line.sku), ' ')
              FROM jsonb_to_recordset(payload -> 'lines') AS line (name text, sku text)) AS items
      FROM batch
     WHERE event_type = 'CustomerErased'
     ORDER BY aggregate_id, aggregate_version DESC
)
SELECT order_id,
       coalesce(placed.user_id, own.user_id),
       coalesce(placed.source, own.source),
       coalesce(placed.reference, own.reference),
       coalesce(standing.status, placed.status),
       coalesce(placed.customer_number, own.customer_number),
       CASE WHEN erased.order_id IS NULL THEN coalesce(placed.customer_name, own.customer_name) END,
       coalesce(placed.country, own.country),
       coalesce(placed.currency, own.currency),
       coalesce(placed.placed_at, own.placed_at),
       coalesce(placed.total, own.total),
       coalesce(standing.paid, placed.paid),
       coalesce(standing.returned, placed.returned),
       coalesce(standing.open_amount, placed.open_amount),
       coalesce(placed.units, own.units),
       coalesce(placed.lines, own.lines),
       coalesce(placed.first_item, own.first_item),
       CASE WHEN coalesce(placed.order_id, erased.order_id) IS NULL THEN own.words
            -- At most 200,000 characters: a tsvector holds less than a megabyte, and an order must not stop the others.
            ELSE array_to_tsvector(array_remove(string_to_array(regexp_replace(lower(left(concat_ws(' ',
                     order_id, coalesce(placed.reference, own.reference),
                     coalesce(placed.customer_number, own.customer_number),
                     CASE WHEN erased.order_id IS NULL THEN placed.person END,
                     coalesce(placed.items, erased.items)
                 ), 200000)), '[^[:alnum:] ]+', ' ', 'g'), ' '), '')) END,
       coalesce(standing.version, placed.version),
       greatest(standing.position, placed.position, own.row_version)
  FROM placed
  FULL JOIN standing USING (order_id)
  LEFT JOIN erased USING (order_id)
  LEFT JOIN LATERAL (  -- OFFSET 0: always by primary key, whatever the planner believes of a growing table
       SELECT user_id, source, reference, customer_number, customer_name, country, currency, placed_at, total, units,
              lines, first_item, words, row_version
         FROM {table}
        WHERE placed.order_id IS NULL AND {table}.order_id = standing.order_id
       OFFSET 0) AS own ON true
 WHERE placed.order_id IS NOT NULL OR own.source IS NOT NULL
 ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE
   SET status = EXCLUDED.status, paid = EXCLUDED.paid, returned = EXCLUDED.returned,
       open_amount = EXCLUDED.open_amount, version = EXCLUDED.version, row_version = EXCLUDED.row_version,
       customer_name = EXCLUDED.customer_name, words = EXCLUDED.words
