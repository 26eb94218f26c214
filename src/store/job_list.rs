//! Jobs in pages, with how many there are in all: for lists that people search.
//!
//! With a hundred thousand jobs a page may still take no more than a few milliseconds, so each way of asking has its
//! index: by state, by kind, and by words (one that holds all that is searched, so that it is read instead of the rows).

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};

use super::Store;
use super::error::StoreError;
use super::jobs::{JobFilter, job_of, page};
use super::values::parsed;
use crate::domain::job::{Job, JobState};

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
    /// The jobs that match the filter and have `words` in what is seen of them (id, kind, who, phase, failure, datasets),
    /// in this order, and how many match in all pages. The first `skip` are left out.
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
        let words = words.map(|words| words.trim().to_owned()).filter(|words| !words.is_empty());
        self.read("list the jobs", move |c| {
            let whole = Asked::new(&filter, words.as_deref(), &filter.states);
            let total: i64 = c
                .prepare_cached(&format!("SELECT count(*) FROM {}", whole.text))?
                .query_row(params_from_iter(whole.values), |row| row.get(0))?;
            let jobs = listed(c, &filter, words.as_deref(), skip, order)?;
            Ok((jobs, total.unsigned_abs()))
        })
        .await
    }

    /// The newest jobs that match the filter, without counting the others: as fast as few are asked for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn newest_jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, StoreError> {
        let filter = filter.clone();
        self.read("list the jobs", move |c| Ok(listed(c, &filter, None, 0, JobOrder::Newest)?)).await
    }

    /// How many jobs stand in which state; states without any are left out. Reads an index from end to end.
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

    /// How many jobs stand in one of these states: as fast as there are few of them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn count_jobs_in(&self, states: &[JobState]) -> Result<u64, StoreError> {
        let states = states.to_vec();
        self.read("count the jobs", move |c| {
            let mut sum = 0;
            for state in states {
                let mut statement = c.prepare_cached("SELECT count(*) FROM jobs WHERE state = ?1")?;
                sum += statement.query_row([state.as_str()], |row| row.get::<_, i64>(0))?.unsigned_abs();
            }
            Ok(sum)
        })
        .await
    }
}

/// `jobs … WHERE …`, and what stands for its marks.
struct Asked {
    text: String,
    values: Vec<SqlValue>,
}

impl Asked {
    fn new(filter: &JobFilter, words: Option<&str>, states: &[JobState]) -> Self {
        // SQLite would rather read the rows one by one.
        let index = if words.is_some() { " INDEXED BY jobs_by_words" } else { "" };
        let mut asked = Self { text: format!("jobs{index} WHERE 1"), values: Vec::new() };
        if !states.is_empty() {
            let marks = vec!["?"; states.len()].join(", ");
            asked.text.push_str(&format!(" AND state IN ({marks})"));
            asked.values.extend(states.iter().map(|state| SqlValue::from(state.as_str().to_owned())));
        }
        if let Some(kind) = &filter.kind {
            asked.and(" AND kind = ?", kind.clone());
        }
        if let Some(words) = words {
            asked.and(" AND instr(words, lower(?)) > 0", words.to_owned());
        }
        asked
    }

    fn and(&mut self, condition: &str, value: impl Into<SqlValue>) {
        self.text.push_str(condition);
        self.values.push(value.into());
    }

    /// Only older ones than the last of the page before, in this order, this many.
    fn part(mut self, filter: &JobFilter, limit: i64, skip: i64, order: JobOrder) -> Self {
        if let Some(after) = filter.after {
            self.and(" AND id < ?", after.to_string());
        }
        self.and(&format!(" ORDER BY {} LIMIT ?", order.sql()), limit);
        self.and(" OFFSET ?", skip);
        self
    }
}

/// One page. Of several states each is read by itself: together SQLite would sort all jobs of all of them first.
fn listed(
    c: &Connection,
    filter: &JobFilter,
    words: Option<&str>,
    skip: usize,
    order: JobOrder,
) -> rusqlite::Result<Vec<Job>> {
    let (limit, skip) = (page(filter.limit), i64::try_from(skip).unwrap_or(i64::MAX));
    let (ids, values) = if words.is_none() && filter.states.len() > 1 && order == JobOrder::Newest {
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for state in &filter.states {
            let one = Asked::new(filter, None, &[*state]).part(filter, limit.saturating_add(skip), 0, order);
            parts.push(format!("SELECT * FROM (SELECT id FROM {})", one.text));
            values.extend(one.values);
        }
        values.extend([SqlValue::from(limit), SqlValue::from(skip)]);
        (format!("{} ORDER BY id DESC LIMIT ? OFFSET ?", parts.join(" UNION ALL ")), values)
    } else {
        let asked = Asked::new(filter, words, &filter.states).part(filter, limit, skip, order);
        (format!("SELECT id FROM {}", asked.text), asked.values)
    };
    let order = order.sql();
    let sql = format!("SELECT * FROM jobs WHERE id IN (SELECT id FROM ({ids})) ORDER BY {order}");
    c.prepare_cached(&sql)?.query_map(params_from_iter(values), job_of)?.collect()
}
