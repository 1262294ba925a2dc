-- Who holds a lock that other sessions of this database have waited for longer than some seconds; pid 0: a prepared transaction.
WITH waiting AS MATERIALIZED (
    SELECT session.pid, coalesce(application_name, '') AS application, left(regexp_replace(query, '^--[^\n]*\n', ''), 200) AS query,
           extract(epoch FROM clock_timestamp() - held_up.waitstart)::float8 AS seconds,
           coalesce(relation::regclass::text, locktype) AS wanted, application_name ~ %s AS is_worker
      FROM pg_stat_activity AS session
      JOIN pg_locks AS held_up ON held_up.pid = session.pid AND NOT granted
     WHERE datname = current_database() AND held_up.waitstart < clock_timestamp() - make_interval(secs => %s)
)
SELECT blocking.pid, coalesce(blocker.usename, '-') AS role, coalesce(blocker.application_name, '') AS application,
       coalesce(host(blocker.client_addr), 'the server') AS address, coalesce(blocker.state, 'prepared') AS state,
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(blocker.xact_start, blocker.state_change)), 0)::float8
           AS seconds, left(regexp_replace(blocker.query, '^--[^\n]*\n', ''), 200) AS query,
       count(*) AS sessions, max(waiting.seconds) AS waited_seconds, bool_or(is_worker) AS holds_a_worker,
       (array_agg(waiting.pid || ' (' || waiting.application || '), which wants ' || wanted || ': ' || waiting.query
                  ORDER BY is_worker DESC, waiting.seconds DESC))[1] AS first
  FROM waiting, unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
  LEFT JOIN pg_stat_activity AS blocker ON blocker.pid = blocking.pid
 GROUP BY blocking.pid, blocker.usename, blocker.application_name, blocker.client_addr, blocker.state,
          blocker.xact_start, blocker.state_change, blocker.query
 ORDER BY waited_seconds DESC
