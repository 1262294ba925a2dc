-- The partitions of the log and their positions, and whether one is half detached.
SELECT relname AS name, bounds[1]::bigint AS first, bounds[2]::bigint AS beyond, inhdetachpending AS is_pending
  FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
 CROSS JOIN LATERAL regexp_match(
           pg_get_expr(relpartbound, pg_class.oid), 'FROM \(''(\d+)''\) TO \(''(\d+)''\)') AS bounds
 WHERE inhparent = 'event_log'::regclass
 ORDER BY first
