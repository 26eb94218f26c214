-- Passwords, keys and tokens, sealed by the vault. The database never holds what opens them: the data key is
-- in a file beside it, and here only wrapped under the recovery key that was printed once.
CREATE TABLE secrets (
    id     TEXT NOT NULL PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    -- The data key it is sealed under, so that a rotation finds what is left to do.
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE INDEX secrets_by_key ON secrets (key_id);

CREATE TABLE wrapped_keys (
    key_id  TEXT NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
