-- What a group has at the DR side, the runs that brought it there, and how it stood against its RPO.
CREATE TABLE checkpoints (
    group_id    TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    -- 64 bits without sign, in decimal.
    guid        TEXT NOT NULL,
    snapshot    TEXT NOT NULL,
    taken_at    INTEGER NOT NULL,
    complete_at INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('crash_consistent', 'quiesced', 'partly')),
    job         TEXT,
    -- Since when the DR side has it no more.
    gone_at     INTEGER,
    PRIMARY KEY (group_id, guid)
) STRICT, WITHOUT ROWID;

CREATE INDEX checkpoints_by_age ON checkpoints (group_id, taken_at);

CREATE TABLE group_runs (
    job         TEXT NOT NULL PRIMARY KEY,
    group_id    TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    took_ms     INTEGER,
    succeeded   INTEGER CHECK (succeeded IN (0, 1)),
    bytes       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Never two runs of one group: the second is refused by the database itself.
CREATE UNIQUE INDEX group_runs_unfinished ON group_runs (group_id) WHERE finished_at IS NULL;
CREATE INDEX group_runs_by_group ON group_runs (group_id, started_at);

-- One row for each day (UTC) and group.
CREATE TABLE rpo_days (
    group_id          TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    day               TEXT NOT NULL,
    watched_seconds   INTEGER NOT NULL,
    broken_seconds    INTEGER NOT NULL,
    worst_age_seconds INTEGER NOT NULL,
    PRIMARY KEY (group_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE rpo_breaches (
    group_id          TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    began_at          INTEGER NOT NULL,
    ended_at          INTEGER,
    worst_age_seconds INTEGER NOT NULL,
    PRIMARY KEY (group_id, began_at)
) STRICT, WITHOUT ROWID;
