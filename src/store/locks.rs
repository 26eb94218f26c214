//! Who works on what. A job takes all the names it needs, or none; it keeps them until it lets them go or
//! reaches a final state, also over a crash.

use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::error::{Problem, Refusal, StoreError};
use super::jobs;
use super::values::parsed;
use crate::domain::ids::JobId;

/// A name that is taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lock {
    /// What is worked on, for example `replica:<group>`.
    pub name: String,
    /// The job that does.
    pub job: JobId,
}

/// Whether a job got its locks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum LockOutcome {
    /// All of them.
    Acquired,
    /// None, because of this one.
    HeldBy {
        /// The first name, in the order asked for, that another job has.
        lock: String,
        /// The job that has it.
        job: JobId,
    },
}

impl Store {
    /// Takes all these names for a job, or none of them. Names it has already count as taken.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such job, [`Refusal::Finished`] if it is in a final state; or if
    /// the database cannot be written.
    pub async fn acquire_locks(&self, job: JobId, names: &[String]) -> Result<LockOutcome, StoreError> {
        let names = names.to_vec();
        self.write(format!("take the locks of job {job}"), move |c| acquire(c, job, &names)).await
    }

    /// Lets go all that a job has. Doing so twice is no error.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn release_locks(&self, job: JobId) -> Result<(), StoreError> {
        self.write(format!("release the locks of job {job}"), move |c| Ok(release(c, job)?)).await
    }

    /// Every name that is taken, in their order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn locks(&self) -> Result<Vec<Lock>, StoreError> {
        self.read("list the locks", |c| {
            let mut statement = c.prepare_cached("SELECT name, job_id FROM locks ORDER BY name")?;
            let locks = statement
                .query_map([], |row| Ok(Lock { name: row.get("name")?, job: parsed(row, "job_id")? }))?;
            Ok(locks.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn acquire(c: &Connection, job: JobId, names: &[String]) -> Result<LockOutcome, Problem> {
    if jobs::require(c, job)?.state.is_final() {
        return Err(Refusal::Finished(job).into());
    }
    let mut holder = c.prepare_cached("SELECT job_id FROM locks WHERE name = ?1")?;
    for name in names {
        match holder.query_row([name], |row| parsed::<JobId>(row, "job_id")).optional()? {
            Some(other) if other != job => return Ok(LockOutcome::HeldBy { lock: name.clone(), job: other }),
            _ => {}
        }
    }
    let mut take =
        c.prepare_cached("INSERT INTO locks (name, job_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for name in names {
        take.execute((name, job.to_string()))?;
    }
    Ok(LockOutcome::Acquired)
}

pub(in crate::store) fn release(c: &Connection, job: JobId) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM locks WHERE job_id = ?1")?.execute([job.to_string()]).map(drop)
}
