-- Failed jobs that somebody has seen: they no longer stand on the dashboard.
CREATE TABLE job_acknowledgements (
    job TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    by  TEXT NOT NULL,
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
