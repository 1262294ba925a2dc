-- Which sessions have kept an old snapshot in this database, or written in any, for longer than some seconds.
SELECT pid, coalesce(datname, '-') AS database, coalesce(usename, '-') AS role,
       coalesce(application_name, '') AS application, coalesce(host(client_addr), 'the server') AS address,
       coalesce(state, backend_type) AS state, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
       left(regexp_replace(query, '^--[^\n]*\n', ''), 200) AS query, datname IS NOT DISTINCT FROM current_database() AS is_here,
       backend_xid IS NOT NULL AS has_written
  FROM pg_stat_activity
 WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
   AND wait_event_type IS DISTINCT FROM 'Lock' -- who waits is held up by somebody else
   AND (backend_xid IS NOT NULL
        OR backend_xmin IS NOT NULL AND (datname = current_database() OR backend_type = 'walsender'))
   AND xact_start < clock_timestamp() - make_interval(secs => %s)
 ORDER BY xact_start
