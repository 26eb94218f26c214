-- Connections to vCenters and single ESXi hosts. The password is among the secrets.
CREATE TABLE vcenters (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    host       TEXT NOT NULL,
    port       INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    username   TEXT NOT NULL,
    password   TEXT NOT NULL REFERENCES secrets (id),
    -- The SHA-256 of the only certificate that is accepted; NULL: one that this machine trusts.
    pinned     TEXT,
    about      TEXT CHECK (json_valid(about)),
    synced_at  INTEGER,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (host, port)
) STRICT;

CREATE INDEX vcenters_by_password ON vcenters (password);
