-- The keys of groups whose datasets are encrypted, among the secrets. With the group, or with another key in its place, the
-- old secret goes.
CREATE TABLE group_keys (
    group_id   TEXT PRIMARY KEY NOT NULL REFERENCES protection_groups (id) ON DELETE CASCADE,
    secret_id  TEXT NOT NULL UNIQUE REFERENCES secrets (id),
    -- The dataset that it was tried on, and when. Null: no appliance answered yet.
    tried_on   TEXT,
    tried_at   INTEGER,
    set_by     TEXT NOT NULL,
    set_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER group_key_is_forgotten AFTER DELETE ON group_keys
BEGIN
    DELETE FROM secrets WHERE id = OLD.secret_id;
END;

CREATE TRIGGER group_key_is_replaced AFTER UPDATE OF secret_id ON group_keys WHEN OLD.secret_id <> NEW.secret_id
BEGIN
    DELETE FROM secrets WHERE id = OLD.secret_id;
END;
