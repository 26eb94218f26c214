//! What refers to a row, found in the schema itself, so that a table that comes later is not forgotten.

use rusqlite::{Connection, OptionalExtension};

/// What keeps the row `id` of `table` from being deleted, in words: `2 protection groups`, `job …`. Rows that go
/// with it do not count.
pub(in crate::store) fn to(c: &Connection, table: &str, id: &str) -> rusqlite::Result<Option<String>> {
    but_for_job(c, table, id, "")
}

/// The same, for the job that is to delete the row itself.
pub(in crate::store) fn but_for_job(
    c: &Connection,
    table: &str,
    id: &str,
    deleting: &str,
) -> rusqlite::Result<Option<String>> {
    let job: Option<String> = c
        .prepare_cached(
            "SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') AND instr(input, ?1) > 0 \
             AND id <> ?2 LIMIT 1",
        )?
        .query_row([id, deleting], |row| row.get(0))
        .optional()?;
    if let Some(job) = job {
        return Ok(Some(format!("job {job}, which has not ended")));
    }
    let columns: Vec<(String, String)> = c
        .prepare_cached(
            "SELECT m.name, f.\"from\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND f.\"table\" = ?1 AND f.on_delete NOT IN ('CASCADE', 'SET NULL') ORDER BY 1, 2",
        )?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (table, column) in columns {
        // Both names come from the schema, not from a person.
        let sql = format!("SELECT count(*) FROM \"{table}\" WHERE \"{column}\" = ?1");
        let count: i64 = c.prepare_cached(&sql)?.query_row([id], |row| row.get(0))?;
        if count > 0 {
            let words = if table == "targets" { "appliances".to_owned() } else { table.replace('_', " ") };
            let words = if count == 1 { words.trim_end_matches('s') } else { &words };
            return Ok(Some(format!("{count} {words}")));
        }
    }
    Ok(None)
}
