-- How the virtual machines of a group are recovered: one plan for each group that has one of its own.
CREATE TABLE recovery_plans (
    group_id   TEXT NOT NULL PRIMARY KEY REFERENCES protection_groups (id) ON DELETE CASCADE,
    -- Counts up with each change, so that of two people who change it at once the second is told.
    version    INTEGER NOT NULL CHECK (version > 0),
    plan       TEXT NOT NULL CHECK (json_valid(plan)),
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
