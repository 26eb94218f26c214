-- SSH keys with which Zerfaux logs in to hosts. The private half is a sealed secret.
CREATE TABLE ssh_keys (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    algorithm   TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    secret_id   TEXT NOT NULL UNIQUE REFERENCES secrets (id),
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
