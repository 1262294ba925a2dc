-- Names this history of the log: its cluster, timeline and table. A copy or a restored dump differs in one of them.
SELECT (SELECT system_identifier::text FROM pg_control_system()),
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
       'event_log'::regclass::oid::bigint
