-- Which transactions hold the lock under which messages are inserted; prepared ones too.
SELECT virtualtransaction
  FROM pg_locks
 WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
