-- Who works on what. The name says what is touched (for example `replica:<group>`); one holder per name.
CREATE TABLE locks (
    name   TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX locks_by_job ON locks (job_id);
