//! Jobs in pages, with how many there are in all: for lists that people search.

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;

use super::Store;
use super::error::StoreError;
use super::jobs::{JobFilter, job_of, page};
use super::values::parsed;
use crate::domain::job::{Job, JobState};

/// What is searched for words.
const SEARCHED: &str = "lower(id || ' ' || kind || ' ' || created_by || ' ' || coalesce(phase, '') || ' ' || \
                        coalesce(failure, '') || ' ' || input)";

/// In which order jobs are listed. Of those that are alike the newest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// By kind, from A or from Z.
    Kind {
        /// From Z.
        descending: bool,
    },
    /// By the word of their state, from A or from Z.
    State {
        /// From Z.
        descending: bool,
    },
}

impl JobOrder {
    fn sql(self) -> &'static str {
        match self {
            Self::Newest => "id DESC",
            Self::Oldest => "id",
            Self::Kind { descending: false } => "kind, id DESC",
            Self::Kind { descending: true } => "kind DESC, id DESC",
            Self::State { descending: false } => "state, id DESC",
            Self::State { descending: true } => "state DESC, id DESC",
        }
    }
}

impl Store {
    /// The jobs that match the filter and have `words` in them, in this order, and how many match in all pages.
    /// The first `skip` are left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn job_page(
        &self,
        filter: &JobFilter,
        words: Option<String>,
        skip: usize,
        order: JobOrder,
    ) -> Result<(Vec<Job>, u64), StoreError> {
        let filter = filter.clone();
        self.read("list the jobs", move |c| {
            let mut condition = String::from("1");
            let mut values: Vec<SqlValue> = Vec::new();
            if !filter.states.is_empty() {
                let marks = vec!["?"; filter.states.len()].join(", ");
                condition.push_str(&format!(" AND state IN ({marks})"));
                values.extend(filter.states.iter().map(|state| state.as_str().to_owned().into()));
            }
            if let Some(kind) = filter.kind {
                condition.push_str(" AND kind = ?");
                values.push(kind.into());
            }
            if let Some(words) = words.filter(|words| !words.trim().is_empty()) {
                condition.push_str(&format!(" AND instr({SEARCHED}, lower(?)) > 0"));
                values.push(words.trim().to_owned().into());
            }
            let total: i64 = c
                .prepare_cached(&format!("SELECT count(*) FROM jobs WHERE {condition}"))?
                .query_row(params_from_iter(values.iter()), |row| row.get(0))?;
            if let Some(after) = filter.after {
                condition.push_str(" AND id < ?");
                values.push(after.to_string().into());
            }
            values.push(page(filter.limit).into());
            values.push(i64::try_from(skip).unwrap_or(i64::MAX).into());
            // First which, from an index; then all of those few.
            let order = order.sql();
            let sql = format!(
                "SELECT * FROM jobs WHERE id IN (SELECT id FROM jobs WHERE {condition} ORDER BY {order} \
                 LIMIT ? OFFSET ?) ORDER BY {order}"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let jobs = statement.query_map(params_from_iter(values), job_of)?;
            Ok((jobs.collect::<rusqlite::Result<_>>()?, total.unsigned_abs()))
        })
        .await
    }

    /// How many jobs stand in which state; states without any are left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn job_counts(&self) -> Result<Vec<(JobState, u64)>, StoreError> {
        self.read("count the jobs", |c| {
            let mut statement = c.prepare_cached("SELECT state, count(*) AS n FROM jobs GROUP BY state")?;
            let rows = statement
                .query_map([], |row| Ok((parsed(row, "state")?, row.get::<_, i64>("n")?.unsigned_abs())))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}
