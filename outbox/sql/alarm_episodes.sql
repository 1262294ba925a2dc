-- Begins an episode for each trouble that has none and ends those whose trouble is gone; answers both, ended ones last.
WITH trouble AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS trouble (subject, kind, detail)
), begun AS (
    INSERT INTO alarm_episodes (subject, kind, detail)
    SELECT subject, kind, detail FROM trouble
    ON CONFLICT (subject, kind) WHERE ended_at IS NULL DO NOTHING
    RETURNING subject, kind, detail
), ended AS (
    UPDATE alarm_episodes SET ended_at = clock_timestamp()
     WHERE ended_at IS NULL
       AND NOT EXISTS (SELECT FROM trouble
                        WHERE trouble.subject = alarm_episodes.subject AND trouble.kind = alarm_episodes.kind)
    RETURNING subject, kind, detail
)
SELECT subject, kind, detail, false AS is_over FROM begun
 UNION ALL
SELECT subject, kind, detail, true FROM ended
 ORDER BY is_over, subject, kind
