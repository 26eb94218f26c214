-- What is in each checkpoint: the virtual machines with the hardware and the files that they had.
CREATE TABLE manifests (
    group_id TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    -- The snapshot's; 64 bits without sign, in decimal.
    guid     TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('crash_consistent', 'quiesced', 'partly')),
    body     TEXT NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (group_id, guid)
) STRICT, WITHOUT ROWID;

-- Counts the changes of direction of a group.
ALTER TABLE protection_groups ADD COLUMN epoch INTEGER NOT NULL DEFAULT 1;

-- Whether the guests were asked to be at rest in a run.
ALTER TABLE group_runs ADD COLUMN quiesces INTEGER NOT NULL DEFAULT 0 CHECK (quiesces IN (0, 1));
