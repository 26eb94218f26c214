//! What people confirmed in recoveries.

use jiff::Timestamp;

use super::Store;
use super::audit::append;
use super::error::StoreError;
use super::values::{nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::RecoveryRunId;
use crate::domain::recovery_run::{Moment, PromptAnswer};

impl Store {
    /// Keeps that a person has done what a prompt asks. False: it was answered before, and that answer stays.
    ///
    /// # Errors
    /// If there is no such run, or the database cannot be written.
    pub async fn answer_prompt(
        &self,
        run: RecoveryRunId,
        answer: &PromptAnswer,
        audit: AuditEntry,
    ) -> Result<bool, StoreError> {
        let answer = answer.clone();
        self.write(format!("keep an answer in recovery run {run}"), move |c| {
            let new = c
                .prepare_cached(
                    "INSERT INTO recovery_run_answers (run, source_uuid, moment, answered_by, answered_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (run, source_uuid, moment) DO NOTHING",
                )?
                .execute((
                    run.to_string(),
                    answer.source_uuid,
                    answer.moment.as_str(),
                    answer.by,
                    nanos(answer.at),
                ))?;
            if new > 0 {
                append(c, &audit)?;
            }
            Ok(new > 0)
        })
        .await
    }

    /// What people confirmed in a run.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn prompt_answers(&self, run: RecoveryRunId) -> Result<Vec<PromptAnswer>, StoreError> {
        self.read(format!("list the answers in recovery run {run}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM recovery_run_answers WHERE run = ?1 ORDER BY answered_at")?;
            let answers = statement.query_map([run.to_string()], |row| {
                Ok(PromptAnswer {
                    source_uuid: row.get("source_uuid")?,
                    moment: parsed(row, "moment")?,
                    by: row.get("answered_by")?,
                    at: time(row, "answered_at")?,
                })
            })?;
            Ok(answers.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The answer to a prompt, if somebody gave it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn prompt_answer(
        &self,
        run: RecoveryRunId,
        source_uuid: &str,
        moment: Moment,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        let all = self.prompt_answers(run).await?;
        let own = all.into_iter().find(|one| one.source_uuid == source_uuid && one.moment == moment);
        Ok(own.map(|one| (one.by, one.at)))
    }
}
