-- Does crew sickness slow shipping? Weekly tonnage against flu counts, joined on the Saturday that ends the CDC's
-- week. The same text for everyone: the policy decides what each of them gets.
WITH seaway AS (
    SELECT week_end, sum(tonnage_t) AS tonnes, count(*) AS passages, min(vessel_id) AS vessel_id
    FROM lake.seaway.passages_synthetic
    GROUP BY week_end
),
clinic AS (
    SELECT week_end, count(*) AS patients, min(patient_name) AS patient_name, min(birth_date) AS birth_date
    FROM cdc.public.linelist_synthetic
    GROUP BY week_end
)
SELECT
    flu.week_end,
    barges.total_tons AS locks27_kt,
    seaway.tonnes AS synthetic_seaway_t,
    seaway.vessel_id AS synthetic_vessel_id,
    flu.ili_total AS flu_visits,
    clinic.patients AS synthetic_patients,
    clinic.patient_name AS synthetic_patient_name,
    clinic.birth_date AS synthetic_birth_date
FROM cdc.public.flu_weekly AS flu
JOIN lake.locks27.barge_weekly AS barges ON barges.week_end_date = flu.week_end
JOIN seaway ON seaway.week_end = flu.week_end
JOIN clinic ON clinic.week_end = flu.week_end
WHERE flu.week_end BETWEEN DATE '2019-10-05' AND DATE '2019-12-28'
ORDER BY flu.week_end
