-- How far the recovery of a group is. A group without a row is protected, and nothing was ever done.
CREATE TABLE recovery_states (
    group_id TEXT NOT NULL PRIMARY KEY REFERENCES protection_groups (id) ON DELETE CASCADE,
    -- The word of the phase, for people who look into the database; the state says it too.
    phase    TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (json_valid(state)),
    since    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
