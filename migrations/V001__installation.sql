-- Which installation of Zerfaux this database belongs to.
--
-- 0x5a585831 is "ZXX1": the mark by which a file is recognised as a database of Zerfaux before anything is
-- done to it. Every time in this database is an INTEGER of nanoseconds since 1970-01-01T00:00:00Z, every id
-- a UUID in lower case, every JSON value TEXT.
PRAGMA application_id = 0x5a585831;

CREATE TABLE installation (
    only_row        INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    id              TEXT NOT NULL,
    -- Raised by a restore on another machine. Each appliance carries it too; the lower one turns read-only.
    generation      INTEGER NOT NULL CHECK (generation >= 1)
) STRICT;
