//! What the recovery plan has people do in a recovery, and that they have done it.

use serde_json::json;

use super::recovery_runs::RunView;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::RecoveryRunId;
pub use crate::domain::recovery_run::{Moment, PromptAnswer};

impl RunView {
    /// What a virtual machine waits for now, by the instance UUID of the protected one: which prompt, and its words.
    pub fn prompt(&self, source_uuid: &str) -> Option<(Moment, &str)> {
        let planned = self.run.plan.vms.iter().find(|one| one.source_uuid == source_uuid)?;
        let waits = |moment: &Moment| {
            let own = |step: &&super::recovery_runs::RunStep| {
                step.source_uuid.as_deref() == Some(source_uuid) && step.step == moment.step()
            };
            let answered =
                self.answers.iter().any(|one| one.source_uuid == source_uuid && one.moment == *moment);
            !answered && self.steps.iter().find(own).is_some_and(|step| step.ended_at.is_none())
        };
        let moment = Moment::ALL.into_iter().find(waits)?;
        Some((moment, planned.prompt(moment)?))
    }

    /// Whether something of it waits for a person.
    pub fn asks(&self) -> bool {
        let goes_on = self.job.as_ref().is_some_and(|job| !job.state.is_final());
        goes_on && self.vms.iter().any(|vm| self.prompt(&vm.source_uuid).is_some())
    }
}

impl App {
    /// Keeps that a person has done what a run waits for. Saying so twice is no mistake.
    ///
    /// # Errors
    /// If there is no such run or virtual machine; [`AppError::Conflict`] if it does not ask that now.
    pub async fn confirm_prompt(
        &self,
        who: &Principal,
        id: RecoveryRunId,
        source_uuid: &str,
        moment: Moment,
    ) -> Result<RunView, AppError> {
        let view = self.recovery_run(id).await?;
        let vm = view.vms.iter().find(|one| one.source_uuid == source_uuid);
        let vm =
            vm.ok_or_else(|| AppError::NotFound(format!("the run has no virtual machine {source_uuid}")))?;
        let before = view.answers.iter().any(|one| one.source_uuid == source_uuid && one.moment == moment);
        if before {
            return Ok(view);
        }
        let asked = view.prompt(source_uuid).filter(|(now, _)| *now == moment);
        let Some((_, prompt)) = asked else {
            return Err(AppError::Conflict(format!(
                "{} does not wait for that now. Nothing was kept.",
                vm.name
            )));
        };
        let details = json!({
            "group": view.run.plan.group_name, "virtual_machine": vm.name, "moment": moment.as_str(), "prompt": prompt,
        });
        let entry = self.entry(who, "recovery_run.confirm_prompt", id.to_string(), Outcome::Done, details);
        let answer = PromptAnswer {
            source_uuid: source_uuid.to_owned(),
            moment,
            by: who.actor(),
            at: self.clock.now(),
        };
        self.store.answer_prompt(id, &answer, entry).await?;
        self.recovery_run(id).await
    }
}
