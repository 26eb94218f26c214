//! `/audit`

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Answer;
use super::paging::{List, Paging};
use crate::app::App;
use crate::app::audit::AuditFilter;
use crate::domain::audit::AuditLine as DomainLine;

/// A line of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditLine {
    /// Counts from 1 without a gap.
    pub seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// From where.
    pub source: String,
    /// What was done, as `noun.verb`.
    pub action: String,
    /// To what.
    pub object: String,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// What else matters.
    pub details: Value,
    /// SHA-256 over this line and the hash of the one before.
    pub hash: String,
}

impl From<DomainLine> for AuditLine {
    fn from(line: DomainLine) -> Self {
        Self {
            seq: line.seq,
            at: line.entry.at,
            actor: line.entry.actor,
            source: line.entry.source,
            action: line.entry.action,
            object: line.entry.object,
            outcome: line.entry.outcome.to_string(),
            details: line.entry.details,
            hash: line.hash,
        }
    }
}

/// What an examination of the whole log found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// Whether the chain is whole.
    pub whole: bool,
    /// Lines that were looked at.
    pub lines: i64,
    /// The hash of the last one that is sound.
    pub head: String,
    /// The first line that is not as it was written.
    pub broken_at: Option<i64>,
    /// What is wrong with it.
    pub what: Option<String>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Paging),
    responses((status = OK, description = "The lines", body = List<AuditLine>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<AuditLine>>> {
    let limit = paging.limit()?;
    let filter = AuditFilter {
        words: paging.q.clone(),
        outcome: None,
        before: paging.cursor()?,
        skip: 0,
        limit: Some(limit.saturating_add(1)),
    };
    let (mut lines, total) = app.audit_lines(&filter).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|line| line.seq.to_string());
    Ok(Json(List { items: lines.into_iter().map(AuditLine::from).collect(), total, next }))
}

/// Compute the whole chain anew.
#[utoipa::path(get, path = "/audit/verify", tag = "audit",
    responses((status = OK, description = "What was found", body = AuditVerdict)))]
pub async fn verify(State(app): State<App>) -> Answer<Json<AuditVerdict>> {
    let verdict = app.verify_audit().await?;
    Ok(Json(AuditVerdict {
        whole: verdict.broken.is_none(),
        lines: verdict.lines,
        head: verdict.head,
        broken_at: verdict.broken.as_ref().map(|broken| broken.seq),
        what: verdict.broken.map(|broken| broken.what),
    }))
}
