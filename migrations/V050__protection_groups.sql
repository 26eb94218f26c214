-- Protection groups and the virtual machines that they protect.
CREATE TABLE protection_groups (
    id             TEXT NOT NULL PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description    TEXT,
    source_vcenter TEXT NOT NULL REFERENCES vcenters (id),
    source_target  TEXT NOT NULL REFERENCES targets (id),
    source_dataset TEXT NOT NULL,
    -- What hosts mount, once a datastore of it was seen.
    export_host    TEXT,
    export_path    TEXT,
    dr_vcenter     TEXT NOT NULL REFERENCES vcenters (id),
    dr_target      TEXT NOT NULL REFERENCES targets (id),
    dr_dataset     TEXT NOT NULL,
    policy         TEXT NOT NULL CHECK (json_valid(policy)),
    -- 0: kept for its checkpoints.
    enabled        INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    paused_at      INTEGER,
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    -- One dataset, one group.
    UNIQUE (source_target, source_dataset),
    UNIQUE (dr_target, dr_dataset),
    CHECK ((export_host IS NULL) = (export_path IS NULL))
) STRICT;

CREATE INDEX protection_groups_by_source_vcenter ON protection_groups (source_vcenter);
CREATE INDEX protection_groups_by_dr_vcenter ON protection_groups (dr_vcenter);

-- Known by the instance UUID, because a machine that is registered again has another reference.
CREATE TABLE protected_vms (
    id            TEXT NOT NULL PRIMARY KEY,
    group_id      TEXT NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    vcenter       TEXT NOT NULL REFERENCES vcenters (id),
    instance_uuid TEXT NOT NULL UNIQUE,
    moref         TEXT NOT NULL,
    name          TEXT NOT NULL,
    added_by      TEXT NOT NULL,
    added_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX protected_vms_by_group ON protected_vms (group_id, name);
CREATE INDEX protected_vms_by_vcenter ON protected_vms (vcenter, moref);
