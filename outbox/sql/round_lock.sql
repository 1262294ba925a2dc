-- Tries to take every generation that live delivery feeds; held until the end of the transaction.
SELECT projection, generation,
       pg_try_advisory_xact_lock($1::int, hashtext(projection || ' ' || generation))
  FROM projection_generations
 WHERE state IN ('live', 'kept')
