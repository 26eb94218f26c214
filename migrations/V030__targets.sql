-- Appliances: hosts with OpenZFS and an NFS server, reached over SSH. The API calls them targets.
CREATE TABLE targets (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE COLLATE NOCASE,
    hostname     TEXT NOT NULL,
    port         INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    ssh_username TEXT NOT NULL,
    ssh_key      TEXT NOT NULL REFERENCES ssh_keys (id),
    -- The fingerprint (SHA256:...) of the only host key that is accepted: a person has compared it.
    host_key     TEXT NOT NULL,
    zfs_pool     TEXT NOT NULL,
    -- Networks whose hosts may mount, separated by commas.
    nfs_network  TEXT NOT NULL,
    -- What hosts mount, and what the peer dials; NULL: the same as hostname.
    nfs_address         TEXT,
    replication_address TEXT,
    vcenter      TEXT REFERENCES vcenters (id),
    is_active    INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    appdata_path TEXT,
    -- Where it came from, if Zerfaux deployed it.
    source_template    TEXT,
    deployed_job       TEXT,
    deployed_vm        TEXT,
    deployed_ip_source TEXT CHECK (deployed_ip_source IN ('dhcp', 'static')),
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (hostname, port, zfs_pool)
) STRICT;

CREATE INDEX targets_by_ssh_key ON targets (ssh_key);
CREATE INDEX targets_by_vcenter ON targets (vcenter);
