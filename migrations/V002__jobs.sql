-- Jobs, the log of what their steps did, and what they said.

CREATE TABLE jobs (
    -- A UUIDv7: ids sort by the time they were made.
    id               TEXT NOT NULL PRIMARY KEY,
    kind             TEXT NOT NULL,
    input            TEXT NOT NULL CHECK (json_valid(input)),
    state            TEXT NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'interrupted',
                                                    'cancelling', 'succeeded', 'failed', 'cancelled')),
    phase            TEXT,
    progress_percent INTEGER NOT NULL CHECK (progress_percent BETWEEN 0 AND 100),
    details          TEXT NOT NULL CHECK (json_valid(details)),
    result           TEXT CHECK (json_valid(result)),
    failure          TEXT CHECK (json_valid(failure)),
    failed_phase     TEXT,
    warnings         TEXT NOT NULL CHECK (json_type(warnings) = 'array'),
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    unwinding        INTEGER NOT NULL CHECK (unwinding IN (0, 1)),
    created_by       TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER
) STRICT;

CREATE INDEX jobs_by_kind ON jobs (kind, id);
CREATE INDEX jobs_by_state ON jobs (state, id);

-- Append-only: the state of a job after a crash is a fold of its events, so none may change behind it.
CREATE TABLE job_events (
    job_id  TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL CHECK (seq >= 1),
    at      INTEGER NOT NULL,
    step    TEXT NOT NULL,
    -- The event's name and what it carries, as domain::job::StepEvent writes itself.
    event   TEXT NOT NULL CHECK (json_valid(event)),
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_events_never_change BEFORE UPDATE ON job_events
BEGIN
    SELECT RAISE(ABORT, 'job_events is append-only');
END;

CREATE TABLE job_console (
    job_id  TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL CHECK (seq >= 1),
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('debug', 'info', 'success', 'warn', 'error')),
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;
