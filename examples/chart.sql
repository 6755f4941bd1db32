-- What the chart shows: three years of weekly tonnage and flu visits.
SELECT
    flu.week_end,
    barges.total_tons AS locks27_thousand_short_tons,
    seaway.tonnes AS synthetic_seaway_tonnes,
    flu.ili_total AS flu_visits
FROM cdc.public.flu_weekly AS flu
JOIN lake.locks27.barge_weekly AS barges ON barges.week_end_date = flu.week_end
LEFT JOIN (
    SELECT week_end, sum(tonnage_t) AS tonnes
    FROM lake.seaway.passages_synthetic
    GROUP BY week_end
) AS seaway ON seaway.week_end = flu.week_end
WHERE flu.week_end BETWEEN DATE '2018-01-06' AND DATE '2020-12-26'
ORDER BY flu.week_end
