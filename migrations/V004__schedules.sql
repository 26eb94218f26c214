-- What makes jobs by itself: either every so many seconds, or by a calendar in a time zone.
CREATE TABLE schedules (
    id               TEXT NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    kind             TEXT NOT NULL,
    input            TEXT NOT NULL CHECK (json_valid(input)),
    every_seconds    INTEGER CHECK (every_seconds >= 1),
    calendar         TEXT,
    time_zone        TEXT NOT NULL,
    enabled          INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    next_due_at      INTEGER,
    last_enqueued_at INTEGER,
    last_job         TEXT REFERENCES jobs (id) ON DELETE SET NULL,
    CHECK ((every_seconds IS NULL) <> (calendar IS NULL))
) STRICT;

CREATE INDEX schedules_due ON schedules (next_due_at) WHERE enabled = 1;
CREATE INDEX schedules_by_last_job ON schedules (last_job);
