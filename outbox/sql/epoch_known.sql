-- The epoch, NULL where it is of another history or not there yet; a replica believes what it got from its primary.
SELECT (SELECT epoch FROM log_epoch
         WHERE CASE WHEN pg_is_in_recovery() THEN true ELSE (system_identifier, timeline, log_oid) = (
                   (SELECT system_identifier::text FROM pg_control_system()),
                   ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
                   'event_log'::regclass::oid) END)
