-- How far each live read model has come.
SELECT projection AS read_model,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = projection AND checkpoints.generation = live.generation
                  ORDER BY from_position DESC LIMIT 1), 0) AS position
  FROM projection_generations AS live
 WHERE state = 'live'
