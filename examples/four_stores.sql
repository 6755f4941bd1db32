-- One statement over four kinds of store: what passed the Seaway (PostgreSQL), visits for flu in the nation (Parquet on
-- S3) and in New York (Hive), and the clinic's patients (MongoDB), by week. The policy decides who sees which of it.
WITH seaway AS (
    SELECT week_end, sum(tonnage_t) AS tonnes, min(vessel_id) AS vessel_id
    FROM lake.seaway.passages_synthetic
    GROUP BY week_end
),
patients AS (
    SELECT CAST(week_end AS date) AS week_end, count(*) AS patients, min(name) AS name
    FROM clinic.clinic.patients_synthetic
    GROUP BY 1
)
SELECT
    flu.week_end,
    seaway.tonnes AS synthetic_seaway_t,
    seaway.vessel_id AS synthetic_vessel_id,
    flu.ili_total AS flu_visits,
    new_york.ili_total AS flu_visits_new_york,
    patients.patients AS synthetic_patients,
    patients.name AS synthetic_patient_name
FROM cdc.public.flu_weekly AS flu
JOIN seaway ON seaway.week_end = flu.week_end
JOIN surveillance.ilinet.weekly_by_state AS new_york
    ON new_york.week_end = flu.week_end AND new_york.state = 'New York'
JOIN patients ON patients.week_end = flu.week_end
WHERE flu.week_end BETWEEN DATE '2019-10-05' AND DATE '2019-12-28'
ORDER BY flu.week_end
