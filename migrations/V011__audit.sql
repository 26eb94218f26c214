-- Who did what to what, when, from where, and how it went. Each line carries a hash over itself and the line
-- before it; the head remembers the last one, so that a changed, removed or cut-off line is found.
CREATE TABLE audit (
    seq     INTEGER NOT NULL PRIMARY KEY CHECK (seq >= 1),
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    source  TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    details TEXT NOT NULL CHECK (json_valid(details)),
    hash    TEXT NOT NULL
) STRICT;

CREATE TABLE audit_head (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    seq      INTEGER NOT NULL,
    hash     TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;

CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;
