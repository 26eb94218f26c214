//! The audit log: append-only, each line chained to the one before it by SHA-256.
//!
//! `append` is called inside the transaction of what it reports, so that neither is there without the other.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use sha2::{Digest, Sha256};

use super::Store;
use super::error::StoreError;
use super::jobs::page;
use super::values::{from_json, json, nanos, parsed, time};
use crate::domain::audit::{AuditBreak, AuditEntry, AuditLine, AuditVerdict, Outcome};

/// What stands before the first line.
const ROOT: &str = "zerfaux audit";

/// Which lines to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Lines that have this text in actor, action, object or source, in either case.
    pub words: Option<String>,
    /// Only lines with this outcome.
    pub outcome: Option<Outcome>,
    /// Only lines below this number.
    pub before: Option<i64>,
    /// Left out at the beginning, for lists with numbered pages.
    pub skip: usize,
    /// At most so many.
    pub limit: Option<usize>,
}

impl Store {
    /// Appends a line by itself.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write("write to the audit log", move |c| Ok(append(c, &entry)?)).await
    }

    /// The lines that match, newest first, and how many match in all pages.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn audit_lines(&self, filter: &AuditFilter) -> Result<(Vec<AuditLine>, u64), StoreError> {
        let filter = filter.clone();
        self.read("read the audit log", move |c| {
            let mut condition = String::from("1");
            let mut values: Vec<SqlValue> = Vec::new();
            if let Some(words) = filter.words.filter(|words| !words.is_empty()) {
                condition.push_str(
                    " AND instr(lower(actor || ' ' || action || ' ' || object || ' ' || source), lower(?)) > 0",
                );
                values.push(words.into());
            }
            if let Some(outcome) = filter.outcome {
                condition.push_str(" AND outcome = ?");
                values.push(outcome.as_str().to_owned().into());
            }
            let total: i64 = c
                .prepare_cached(&format!("SELECT count(*) FROM audit WHERE {condition}"))?
                .query_row(params_from_iter(values.iter()), |row| row.get(0))?;
            if let Some(before) = filter.before {
                condition.push_str(" AND seq < ?");
                values.push(before.into());
            }
            values.push(page(filter.limit).into());
            values.push(i64::try_from(filter.skip).unwrap_or(i64::MAX).into());
            let sql = format!("SELECT * FROM audit WHERE {condition} ORDER BY seq DESC LIMIT ? OFFSET ?");
            let mut statement = c.prepare_cached(&sql)?;
            let lines = statement.query_map(params_from_iter(values), line_of)?;
            Ok((lines.collect::<rusqlite::Result<_>>()?, total.unsigned_abs()))
        })
        .await
    }

    /// At most `limit` lines above number `after`, oldest first: for an export.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn audit_after(&self, after: i64, limit: usize) -> Result<Vec<AuditLine>, StoreError> {
        self.read("export the audit log", move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
            let lines = statement.query_map((after, page(Some(limit))), line_of)?;
            Ok(lines.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Computes the whole chain anew and says where it breaks first.
    ///
    /// # Errors
    /// If the database cannot be read. A broken chain is no error but the result.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, StoreError> {
        self.read("examine the audit log", |c| Ok(verify(c)?)).await
    }
}

/// Appends a line to the chain.
pub(in crate::store) fn append(c: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let (last, before) = head(c)?.unwrap_or_else(|| (0, hash(ROOT, "")));
    let seq = last + 1;
    let hash = hash(&before, &AuditLine::text(seq, entry));
    c.prepare_cached(
        "INSERT INTO audit (seq, at, actor, source, action, object, outcome, details, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        seq,
        nanos(entry.at),
        &entry.actor,
        &entry.source,
        &entry.action,
        &entry.object,
        entry.outcome.as_str(),
        json(&entry.details)?,
        &hash,
    ))?;
    c.prepare_cached(
        "INSERT INTO audit_head (only_row, seq, hash) VALUES (1, ?1, ?2) \
         ON CONFLICT (only_row) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )?
    .execute((seq, hash))?;
    Ok(())
}

fn head(c: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    c.prepare_cached("SELECT seq, hash FROM audit_head")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn hash(before: &str, text: &str) -> String {
    let digest = Sha256::new().chain_update(before).chain_update("\n").chain_update(text).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verify(c: &Connection) -> rusqlite::Result<AuditVerdict> {
    let mut statement = c.prepare_cached("SELECT * FROM audit ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let (mut lines, mut before) = (0, hash(ROOT, ""));
    let broken_at = |seq, what: &str| Some(AuditBreak { seq, what: what.to_owned() });
    let mut broken = None;
    while let Some(row) = rows.next()? {
        let expected = lines + 1;
        let Ok(line) = line_of(row) else {
            broken = broken_at(expected, "the line cannot be read");
            break;
        };
        if line.seq != expected {
            broken = broken_at(expected, "the line is missing");
            break;
        }
        if hash(&before, &AuditLine::text(line.seq, &line.entry)) != line.hash {
            broken = broken_at(expected, "the line is not as it was written");
            break;
        }
        (lines, before) = (line.seq, line.hash);
    }
    if broken.is_none() {
        match head(c)? {
            Some((seq, _)) if seq > lines => {
                broken = broken_at(lines + 1, "the line is missing at the end of the log");
            }
            Some((seq, hash)) if seq == lines && hash == before => {}
            None if lines == 0 => {}
            _ => broken = broken_at(lines, "the last line is not the one that was written last"),
        }
    }
    Ok(AuditVerdict { lines, head: before, broken })
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<AuditLine> {
    Ok(AuditLine {
        seq: row.get("seq")?,
        entry: AuditEntry {
            at: time(row, "at")?,
            actor: row.get("actor")?,
            source: row.get("source")?,
            action: row.get("action")?,
            object: row.get("object")?,
            outcome: parsed(row, "outcome")?,
            details: from_json(row, "details")?,
        },
        hash: row.get("hash")?,
    })
}
