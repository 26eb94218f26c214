-- What a person confirmed in a recovery before a virtual machine was powered on, or after its check: the prompts of the plan.
CREATE TABLE recovery_run_answers (
    run         TEXT NOT NULL REFERENCES recovery_runs (id) ON DELETE CASCADE,
    source_uuid TEXT NOT NULL,
    moment      TEXT NOT NULL CHECK (moment IN ('before', 'after')),
    answered_by TEXT NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (run, source_uuid, moment)
) STRICT, WITHOUT ROWID;
