-- What somebody has filled in of the wizard for a new appliance, so that going back, a reload and another browser lose
-- nothing.
CREATE TABLE deployment_drafts (
    id       TEXT NOT NULL PRIMARY KEY,
    owner    TEXT NOT NULL,
    template TEXT NOT NULL REFERENCES templates (id) ON DELETE CASCADE,
    wish     TEXT NOT NULL CHECK (json_valid(wish)),
    -- 1 once a deployment was started from it, so that none is started twice.
    started  INTEGER NOT NULL CHECK (started IN (0, 1)),
    job      TEXT,
    saved_at INTEGER NOT NULL
) STRICT;

CREATE INDEX deployment_drafts_by_template ON deployment_drafts (template);
CREATE INDEX deployment_drafts_by_age ON deployment_drafts (saved_at);
