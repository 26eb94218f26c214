-- Who may come in, and how: users, their sessions, tokens for programs, the throttle on guessing.
-- No password, cookie or token is in here, only what proves them: an argon2id hash, or the SHA-256 of 256
-- random bits.
CREATE TABLE users (
    id                  TEXT NOT NULL PRIMARY KEY,
    -- In lower case; no two users differ in case only.
    name                TEXT NOT NULL UNIQUE,
    role                TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    password_hash       TEXT NOT NULL,
    disabled            INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_at          INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL,
    last_sign_in_at     INTEGER
) STRICT;

CREATE TABLE sessions (
    id           TEXT NOT NULL PRIMARY KEY,
    secret_hash  TEXT NOT NULL UNIQUE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    -- When the password was typed last in this session; dangerous actions want it to be recent.
    confirmed_at INTEGER NOT NULL,
    address      TEXT NOT NULL,
    agent        TEXT NOT NULL
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE tokens (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    secret_hash  TEXT NOT NULL UNIQUE,
    -- The first characters, by which a person recognises it.
    prefix       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;

-- Counted before a password is looked at, so that guesses at the same time count as well; kept here, so that a
-- restart forgets none.
CREATE TABLE sign_in_attempts (
    -- `account:<name>` or `address:<address>`.
    source        TEXT NOT NULL PRIMARY KEY,
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),
    last_at       INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the one-time setup link carries, while there is no user.
CREATE TABLE setup_codes (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    hash     TEXT NOT NULL
) STRICT;

-- Answers to creating requests that carried an Idempotency-Key, so that a repeated one creates nothing twice.
CREATE TABLE idempotent_requests (
    -- Who asked, and the key that they chose.
    owner      TEXT NOT NULL,
    key        TEXT NOT NULL,
    -- SHA-256 of method, path and body: the same key with another request is a mistake.
    request    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- NULL while the first one is still being done.
    status     INTEGER,
    location   TEXT,
    body       TEXT,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
