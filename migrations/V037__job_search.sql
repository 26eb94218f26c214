-- Searching 100,000 jobs by what an operator sees of them: an index that holds all that is looked at, so that no row has
-- to be read. Only what was asked for, by whom, and how it stands; not the whole input.
ALTER TABLE jobs ADD COLUMN words TEXT GENERATED ALWAYS AS (
    lower(id || ' ' || kind || ' ' || created_by || ' ' || coalesce(phase, '') || ' ' ||
          coalesce(failure ->> '$.message', '') || ' ' || coalesce(input ->> '$.name', '') || ' ' ||
          coalesce(input ->> '$.source.dataset', '') || ' ' || coalesce(input ->> '$.destination.dataset', ''))
) VIRTUAL;

CREATE INDEX jobs_by_words ON jobs (id, state, kind, words);
