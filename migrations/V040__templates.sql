-- Templates from which appliances are deployed, and what was deployed from them.
CREATE TABLE templates (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description TEXT,
    vcenter     TEXT NOT NULL REFERENCES vcenters (id),
    -- The virtual machine template in that vCenter, and its name when it was registered.
    moref       TEXT NOT NULL,
    vm_name     TEXT NOT NULL,
    defaults    TEXT NOT NULL CHECK (json_valid(defaults)),
    ssh_key     TEXT REFERENCES ssh_keys (id),
    -- 0: retired, and no longer offered.
    is_active   INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX templates_by_vcenter ON templates (vcenter);
CREATE INDEX templates_by_ssh_key ON templates (ssh_key);

-- One row for each job that made an appliance, so that a job which is resumed counts once. Stays when the appliance
-- is removed.
CREATE TABLE template_deployments (
    job      TEXT NOT NULL PRIMARY KEY,
    template TEXT NOT NULL REFERENCES templates (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX template_deployments_by_template ON template_deployments (template, at);
