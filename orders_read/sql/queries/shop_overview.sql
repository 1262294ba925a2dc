-- The shop at a glance, with the moment and the position that it was computed at.
SELECT (jsonb_build_object(
           'as_of', to_char(as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'age_seconds', round(extract(epoch FROM clock_timestamp() - as_of), 1),
           'position', position::text) || document::jsonb)::text
  FROM read_shop_overview
