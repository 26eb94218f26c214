-- Certificates of vCenters: the accepted one with what it says, and the one that was refused last, until a contact
-- works again. Both as JSON of what a person compares.
CREATE TABLE vcenter_certificates (
    vcenter  TEXT NOT NULL PRIMARY KEY REFERENCES vcenters (id) ON DELETE CASCADE,
    accepted TEXT CHECK (json_valid(accepted)),
    refused  TEXT CHECK (json_valid(refused))
) STRICT, WITHOUT ROWID;

-- Connections that somebody is making or changing, while a person compares the certificate. The password is among
-- the secrets. A draft is good for a short while and for the one who began it.
CREATE TABLE vcenter_drafts (
    id          TEXT NOT NULL PRIMARY KEY,
    owner       TEXT NOT NULL,
    -- The connection that is changed; NULL: a new one.
    vcenter     TEXT REFERENCES vcenters (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    host        TEXT NOT NULL,
    port        INTEGER NOT NULL,
    username    TEXT NOT NULL,
    password    TEXT NOT NULL REFERENCES secrets (id),
    certificate TEXT NOT NULL CHECK (json_valid(certificate)),
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX vcenter_drafts_by_password ON vcenter_drafts (password);
CREATE INDEX vcenter_drafts_by_vcenter ON vcenter_drafts (vcenter);
