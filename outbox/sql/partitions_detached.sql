-- Tables that were partitions of the log, with the positions that their CHECK allows; NULL where none says so.
SELECT relname AS name, bounds[1]::bigint AS first, bounds[2]::bigint AS beyond
  FROM pg_class
  LEFT JOIN LATERAL (
       SELECT regexp_match(pg_get_constraintdef(oid),
                           'position"? >= ''?(\d+)[^()]*\) AND \("?position"? < ''?(\d+)') AS bounds
         FROM pg_constraint
        WHERE conrelid = pg_class.oid AND contype = 'c' AND convalidated) AS allowed ON bounds IS NOT NULL
 WHERE relkind = 'r' AND NOT relispartition AND relname ~ '^event_log_p\d+(_\d+)?$'
   AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'event_log'::regclass)
 ORDER BY first, name
