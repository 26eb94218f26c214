-- Virtual machines at a DR vCenter that stand ready for protected ones: one for each of a group.
CREATE TABLE dr_shells (
    id             TEXT NOT NULL PRIMARY KEY,
    group_id       TEXT NOT NULL REFERENCES protection_groups (id),
    source_vcenter TEXT NOT NULL REFERENCES vcenters (id),
    source_uuid    TEXT NOT NULL,
    dr_vcenter     TEXT NOT NULL REFERENCES vcenters (id),
    -- The shell itself.
    vm             TEXT NOT NULL,
    instance_uuid  TEXT,
    spec           TEXT NOT NULL CHECK (json_valid(spec)),
    disks          TEXT NOT NULL CHECK (json_valid(disks)),
    checkpoint     TEXT NOT NULL,
    -- The clone from which its disks are attached, while it is there.
    view           TEXT CHECK (view IS NULL OR json_valid(view)),
    made_by        TEXT NOT NULL,
    made_at        INTEGER NOT NULL,
    UNIQUE (group_id, source_uuid)
) STRICT;

CREATE INDEX dr_shells_by_source_vcenter ON dr_shells (source_vcenter);
CREATE INDEX dr_shells_by_dr_vcenter ON dr_shells (dr_vcenter);
