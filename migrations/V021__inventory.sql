-- What the vCenters have, as it was seen last. An object that vanished keeps its row with gone_at.
-- `seen` is the number of the full reading that saw it: after one, what has an older number is gone.
CREATE TABLE inventory_places (
    vcenter TEXT NOT NULL REFERENCES vcenters (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    sort    TEXT NOT NULL,
    name    TEXT NOT NULL,
    parent_kind TEXT,
    parent_id   TEXT,
    facts   TEXT NOT NULL CHECK (json_valid(facts)),
    seen    INTEGER NOT NULL,
    gone_at INTEGER,
    PRIMARY KEY (vcenter, kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX inventory_places_by_sort ON inventory_places (vcenter, sort, name);

CREATE TABLE inventory_datastores (
    vcenter  TEXT NOT NULL REFERENCES vcenters (id) ON DELETE CASCADE,
    id       TEXT NOT NULL,
    name     TEXT NOT NULL,
    parent_kind TEXT,
    parent_id   TEXT,
    kind     TEXT NOT NULL,
    capacity_bytes INTEGER NOT NULL,
    free_bytes     INTEGER NOT NULL,
    accessible     INTEGER NOT NULL CHECK (accessible IN (0, 1)),
    nfs_host TEXT,
    nfs_path TEXT,
    hosts    TEXT NOT NULL CHECK (json_valid(hosts)),
    seen     INTEGER NOT NULL,
    gone_at  INTEGER,
    PRIMARY KEY (vcenter, id),
    CHECK ((nfs_host IS NULL) = (nfs_path IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX inventory_datastores_by_export ON inventory_datastores (nfs_host, nfs_path);

CREATE TABLE inventory_networks (
    vcenter TEXT NOT NULL REFERENCES vcenters (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    name    TEXT NOT NULL,
    parent_kind TEXT,
    parent_id   TEXT,
    vlan    TEXT,
    portgroup_key TEXT,
    switch_kind   TEXT,
    switch_id     TEXT,
    seen    INTEGER NOT NULL,
    gone_at INTEGER,
    PRIMARY KEY (vcenter, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE inventory_vms (
    vcenter       TEXT NOT NULL REFERENCES vcenters (id) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    template      INTEGER NOT NULL CHECK (template IN (0, 1)),
    instance_uuid TEXT,
    power         TEXT NOT NULL,
    guest         TEXT,
    guest_ip      TEXT,
    cpus          INTEGER NOT NULL,
    memory_bytes  INTEGER NOT NULL,
    disk_bytes    INTEGER NOT NULL,
    host_id       TEXT,
    has_snapshot  INTEGER NOT NULL CHECK (has_snapshot IN (0, 1)),
    -- What is looked for: name, guest name and address in lower case.
    words         TEXT NOT NULL,
    -- Everything, as it was read.
    whole         TEXT NOT NULL CHECK (json_valid(whole)),
    seen          INTEGER NOT NULL,
    gone_at       INTEGER,
    PRIMARY KEY (vcenter, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX inventory_vms_by_name ON inventory_vms (name COLLATE NOCASE, vcenter, id);
CREATE INDEX inventory_vms_by_instance ON inventory_vms (instance_uuid);
CREATE INDEX inventory_vms_by_host ON inventory_vms (vcenter, host_id);

CREATE TABLE inventory_disks (
    vcenter   TEXT NOT NULL,
    vm        TEXT NOT NULL,
    key       INTEGER NOT NULL,
    label     TEXT NOT NULL,
    file      TEXT,
    datastore TEXT,
    capacity_bytes INTEGER NOT NULL,
    PRIMARY KEY (vcenter, vm, key),
    FOREIGN KEY (vcenter, vm) REFERENCES inventory_vms (vcenter, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX inventory_disks_by_datastore ON inventory_disks (vcenter, datastore);
