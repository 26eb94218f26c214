-- A new key that is to take the place of another one, once every appliance lets it in. Then the old one's secret is
-- replaced in place, so that jobs which name it go on with the new key.
CREATE TABLE ssh_key_successors (
    key         TEXT NOT NULL PRIMARY KEY REFERENCES ssh_keys (id) ON DELETE CASCADE,
    algorithm   TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    secret_id   TEXT NOT NULL UNIQUE REFERENCES secrets (id),
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
