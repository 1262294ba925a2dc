-- Which sessions have held a lock of relay or delivery, by which one worker keeps the others off, for longer than some seconds.
SELECT session.pid, coalesce(usename, '-') AS role, coalesce(application_name, '') AS application,
       coalesce(host(client_addr), 'the server') AS address, coalesce(state, backend_type) AS state,
       extract(epoch FROM clock_timestamp() - coalesce(xact_start, state_change))::float8 AS seconds,
       left(regexp_replace(query, '^--[^\n]*\n', ''), 200) AS query, min(names.name) AS name
  FROM pg_locks
  JOIN (SELECT unnest(%s::bigint[]) AS key, unnest(%s::text[]) AS name) AS names ON names.key = classid::bigint
  JOIN pg_stat_activity AS session ON session.pid = pg_locks.pid
 WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pg_locks.database = datid
   AND datname = current_database() AND wait_event_type IS DISTINCT FROM 'Lock'
   AND coalesce(xact_start, state_change) < clock_timestamp() - make_interval(secs => %s)
 GROUP BY session.pid, usename, application_name, client_addr, state, backend_type, xact_start, state_change, query
 ORDER BY seconds DESC
