-- Tries to take every generation that is fed together with others: not failing, not paused; held to the transaction's end.
SELECT projection, generation,
       pg_try_advisory_xact_lock($1::int, hashtext(projection || ' ' || generation))
  FROM projection_generations AS fed
 WHERE state IN ('live', 'kept')
   AND NOT EXISTS (SELECT FROM delivery_failures AS failure
                    WHERE failure.subscriber = fed.projection AND failure.generation = fed.generation)
   AND NOT EXISTS (SELECT FROM paused_subscribers AS paused WHERE paused.subscriber = fed.projection)
