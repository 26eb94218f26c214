-- Recoveries of groups, for their pages and for the report that an auditor reads: they outlive the group, its virtual machines
-- and its checkpoints, so nothing is a reference but the run itself.
CREATE TABLE recovery_runs (
    id            TEXT NOT NULL PRIMARY KEY,
    group_id      TEXT NOT NULL,
    group_name    TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('test')),
    -- Who asked for it, and when; why is in the plan.
    created_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    -- What was to be done, as it was decided: the job's input.
    plan          TEXT NOT NULL CHECK (json_valid(plan)),
    job           TEXT NOT NULL,
    -- The checkpoint, once it is chosen.
    snapshot      TEXT,
    guid          TEXT,
    taken_at      INTEGER,
    quality       TEXT,
    -- Since when everything that could be started was.
    up_at         INTEGER,
    verdict       TEXT CHECK (verdict IN ('passed', 'failed')),
    remarks       TEXT,
    verdict_by    TEXT,
    verdict_at    INTEGER,
    -- When it is cleaned up by itself; the job that does it; since when everything was seen to be gone.
    cleanup_due   INTEGER,
    cleanup_job   TEXT,
    -- How often its cleanup has failed, and when it is tried again.
    cleanup_tries INTEGER NOT NULL DEFAULT 0,
    cleanup_next  INTEGER,
    cleaned_at    INTEGER
) STRICT, WITHOUT ROWID;

-- One at a time for each group: the second is refused by the database itself.
CREATE UNIQUE INDEX recovery_runs_unfinished ON recovery_runs (group_id) WHERE cleaned_at IS NULL;
CREATE INDEX recovery_runs_by_group ON recovery_runs (group_id, created_at);

CREATE TABLE recovery_run_vms (
    run           TEXT NOT NULL REFERENCES recovery_runs (id) ON DELETE CASCADE,
    -- The instance UUID of what it is a recovery of.
    source_uuid   TEXT NOT NULL,
    place         INTEGER NOT NULL,
    name          TEXT NOT NULL,
    test_name     TEXT NOT NULL,
    tier          INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'working', 'up', 'failed', 'removed')),
    -- The virtual machine that was made.
    vm            TEXT,
    instance_uuid TEXT,
    failure       TEXT,
    advice        TEXT,
    PRIMARY KEY (run, source_uuid)
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_run_vms_by_source ON recovery_run_vms (source_uuid);

-- What was done, with when and on what evidence: of one virtual machine, or of the run as a whole (source_uuid '').
CREATE TABLE recovery_run_steps (
    run         TEXT NOT NULL REFERENCES recovery_runs (id) ON DELETE CASCADE,
    source_uuid TEXT NOT NULL,
    step        TEXT NOT NULL,
    begun_at    INTEGER NOT NULL,
    ended_at    INTEGER,
    ok          INTEGER CHECK (ok IN (0, 1)),
    evidence    TEXT NOT NULL,
    PRIMARY KEY (run, source_uuid, step)
) STRICT, WITHOUT ROWID;
