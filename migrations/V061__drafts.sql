-- What somebody has filled in of a wizard, of whichever: going back, a reload and another browser lose nothing. It was a
-- table of the wizard for a new appliance alone.
CREATE TABLE drafts (
    id       TEXT NOT NULL PRIMARY KEY,
    -- Which wizard: 'deployment', 'protection_group'.
    kind     TEXT NOT NULL,
    owner    TEXT NOT NULL,
    form     TEXT NOT NULL CHECK (json_valid(form)),
    -- 1 once it was sent off, so that nothing is made twice.
    started  INTEGER NOT NULL CHECK (started IN (0, 1)),
    -- What was made of it: the id of a job, or of a group.
    result   TEXT,
    saved_at INTEGER NOT NULL
) STRICT;

INSERT INTO drafts (id, kind, owner, form, started, result, saved_at)
SELECT id, 'deployment', owner, json_object('template', template, 'wish', json(wish)), started, job, saved_at
FROM deployment_drafts;

DROP TABLE deployment_drafts;

CREATE INDEX drafts_by_age ON drafts (saved_at);
