-- The last preflight of each group: what would hurt it later, and since when that is known.
CREATE TABLE group_preflights (
    group_id   TEXT NOT NULL PRIMARY KEY REFERENCES protection_groups (id) ON DELETE CASCADE,
    checked_at INTEGER NOT NULL,
    -- What was found, with how many of its virtual machines are ready.
    body       TEXT NOT NULL CHECK (json_valid(body))
) STRICT, WITHOUT ROWID;
