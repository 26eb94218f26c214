-- Runs are failovers too, and say what became of them in the end. A group has one test and one failover at a time, beside
-- each other. SQLite changes a CHECK only by a new table; what refers to it does so by its name.
CREATE TABLE recovery_runs_new (
    id            TEXT NOT NULL PRIMARY KEY,
    group_id      TEXT NOT NULL,
    group_name    TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('test', 'planned_failover', 'disaster_failover')),
    created_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    plan          TEXT NOT NULL CHECK (json_valid(plan)),
    job           TEXT NOT NULL,
    snapshot      TEXT,
    guid          TEXT,
    taken_at      INTEGER,
    quality       TEXT,
    up_at         INTEGER,
    verdict       TEXT CHECK (verdict IN ('passed', 'failed')),
    remarks       TEXT,
    verdict_by    TEXT,
    verdict_at    INTEGER,
    cleanup_due   INTEGER,
    -- The job that takes it away again: the cleanup of a test, the rollback of a failover.
    cleanup_job   TEXT,
    cleanup_tries INTEGER NOT NULL DEFAULT 0,
    cleanup_next  INTEGER,
    -- Since when nothing of it is left to be taken away or decided, and what became of it.
    cleaned_at    INTEGER,
    outcome       TEXT CHECK (outcome IN ('cleaned_up', 'rolled_back', 'committed'))
) STRICT, WITHOUT ROWID;

INSERT INTO recovery_runs_new
SELECT id, group_id, group_name, kind, created_by, created_at, plan, job, snapshot, guid, taken_at, quality, up_at, verdict,
       remarks, verdict_by, verdict_at, cleanup_due, cleanup_job, cleanup_tries, cleanup_next, cleaned_at,
       CASE WHEN cleaned_at IS NULL THEN NULL ELSE 'cleaned_up' END
FROM recovery_runs;

DROP TABLE recovery_runs;
ALTER TABLE recovery_runs_new RENAME TO recovery_runs;

CREATE UNIQUE INDEX recovery_runs_unfinished ON recovery_runs (group_id, kind = 'test') WHERE cleaned_at IS NULL;
CREATE INDEX recovery_runs_by_group ON recovery_runs (group_id, created_at);

-- As a virtual machine was on both sides before a failover touched it: what a rollback brings back.
ALTER TABLE recovery_run_vms ADD COLUMN before TEXT CHECK (before IS NULL OR json_valid(before));
