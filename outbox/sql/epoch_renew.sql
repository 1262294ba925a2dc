-- Keeps the epoch while the history is the same and replaces it when it is another; answers the one that holds.
INSERT INTO log_epoch (epoch, system_identifier, timeline, log_oid)
VALUES (gen_random_uuid(), %(system_identifier)s, %(timeline)s, %(log_oid)s)
ON CONFLICT (only_row) DO UPDATE
   SET (epoch, renewed_at, system_identifier, timeline, log_oid) = (
       SELECT excluded.epoch, excluded.renewed_at, excluded.system_identifier, excluded.timeline, excluded.log_oid)
 WHERE (log_epoch.system_identifier, log_epoch.timeline, log_epoch.log_oid)
       IS DISTINCT FROM (excluded.system_identifier, excluded.timeline, excluded.log_oid)
