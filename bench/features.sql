-- What DuckDB is asked in bench/features.py, with two threads. What stands in braces is filled in for each window.

-- name: panel
-- The finished panel: every place and day with its count. Not timed.
CREATE OR REPLACE TABLE panel AS
SELECT q.place, q.day, count(e.place)::INTEGER AS events
FROM (SELECT place, day FROM places, days) q
LEFT JOIN events e ON e.place = q.place AND e.day = q.day
GROUP BY q.place, q.day
ORDER BY q.place, q.day;

-- name: frames
-- A frame for each window.
CREATE OR REPLACE TABLE answer AS
SELECT place, day, {frames}
FROM panel;

-- name: frame
sum(events) OVER (PARTITION BY place ORDER BY day ROWS BETWEEN {days} PRECEDING AND 1 PRECEDING) AS w{days}

-- name: lags
-- One running total, and the difference of two rows of it for each window.
CREATE OR REPLACE TABLE answer AS
WITH running AS (
  SELECT place, day,
         sum(events) OVER (PARTITION BY place ORDER BY day ROWS UNBOUNDED PRECEDING) - events AS before
  FROM panel
)
SELECT place, day, {lags}
FROM running;

-- name: lag
before - coalesce(lag(before, {days}) OVER (PARTITION BY place ORDER BY day), 0) AS w{days}

-- name: running
-- Rows with times: a running count for each place and different time (several rows may have the same one).
-- Timed with the joins, as the building of a ledger is with its reads.
CREATE OR REPLACE TABLE running AS
SELECT place, ended, sum(count(*)) OVER (PARTITION BY place ORDER BY ended) AS number
FROM events
GROUP BY place, ended
ORDER BY place, ended;

-- name: asof
-- Once rows have a delay, days no longer line up with what was known: two as-of reads for each window, the upper one shared.
CREATE OR REPLACE TABLE answer AS
SELECT q.place, q.day, {differences}
FROM questions q
ASOF LEFT JOIN running h ON q.place = h.place AND q.high >= h.ended
{joins};

-- name: difference
coalesce(h.number, 0) - coalesce(l{days}.number, 0) AS w{days}

-- name: join
ASOF LEFT JOIN running l{days} ON q.place = l{days}.place AND q.low{days} >= l{days}.ended

-- name: late
-- Once some rows come later than that, only a join by both times is right. Timed on a sample of the questions.
SELECT q.number, {counts}
FROM sample q LEFT JOIN events e
  ON e.place = q.place AND e.ended <= q.high AND e.available <= q.as_of
GROUP BY q.number ORDER BY q.number;

-- name: counted
count(*) FILTER (e.ended > q.low{days}) AS w{days}
