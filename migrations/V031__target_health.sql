-- How each appliance was when it was looked at last.
CREATE TABLE target_health (
    target     TEXT NOT NULL PRIMARY KEY REFERENCES targets (id) ON DELETE CASCADE,
    state      TEXT NOT NULL CHECK (state IN ('unknown', 'healthy', 'degraded', 'failed', 'unreachable')),
    checked_at INTEGER NOT NULL,
    -- Everything that was seen, as domain::health::Health writes itself.
    report     TEXT NOT NULL CHECK (json_valid(report))
) STRICT, WITHOUT ROWID;

-- How full each pool was. The older, the fewer: every five minutes, then every hour, then every day.
CREATE TABLE target_capacity (
    target TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    pool   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    used   INTEGER NOT NULL CHECK (used >= 0),
    size   INTEGER NOT NULL CHECK (size >= 0),
    PRIMARY KEY (target, pool, at)
) STRICT, WITHOUT ROWID;
