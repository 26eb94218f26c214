-- What the datasets of a group say against what is known of it. While there is any, the group is held and a person is asked.
CREATE TABLE group_findings (
    group_id TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    -- `live` or `replica`.
    side     TEXT NOT NULL,
    object   TEXT NOT NULL,
    why      TEXT NOT NULL,
    advice   TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, side, object, why)
) STRICT, WITHOUT ROWID;

-- Groups that were deleted here: what their datasets still say of them contradicts nothing.
CREATE TABLE deleted_groups (
    id         TEXT NOT NULL PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
