-- VMware snapshots of ours, from before they are asked for until they are seen to be gone. They outlive their group and its
-- virtual machines: what is left behind has to go whatever happened meanwhile.
CREATE TABLE vm_snapshots (
    vcenter       TEXT NOT NULL REFERENCES vcenters (id) ON DELETE CASCADE,
    vm            TEXT NOT NULL,
    -- What it is called.
    snapshot      TEXT NOT NULL,
    instance_uuid TEXT NOT NULL,
    name          TEXT NOT NULL,
    group_id      TEXT NOT NULL,
    job           TEXT NOT NULL,
    noted_at      INTEGER NOT NULL,
    -- How often its removal has failed since the run ended, and why the last time.
    tries         INTEGER NOT NULL DEFAULT 0,
    why           TEXT,
    PRIMARY KEY (vcenter, vm, snapshot)
) STRICT, WITHOUT ROWID;
