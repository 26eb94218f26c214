//! What the recovery plan has a person do: the run waits until somebody says that it is done.

use std::time::Duration;

use super::Ground;
use crate::domain::job::{Failure, Level};
use crate::domain::recovery_run::{Moment, RunPlan, RunVmPlan};
use crate::engine::StepContext;
use crate::jobs::failure::not_kept;

/// From one look for the answer to the next.
const EVERY: Duration = Duration::from_secs(2);

/// Waits for the answer to a prompt, if there is one then. One that was answered before is not asked again.
pub(super) async fn wait_for_answer(
    cx: &StepContext,
    ground: &Ground,
    (plan, vm): (&RunPlan, &RunVmPlan),
    moment: Moment,
) -> Result<(), Failure> {
    let Some(prompt) = vm.prompt(moment) else { return Ok(()) };
    let store = ground.vcenters.store();
    let answered = async {
        let mut told = false;
        loop {
            let answer = store.prompt_answer(plan.run_id, &vm.source_uuid, moment).await;
            if let Some((by, at)) = answer.map_err(not_kept)? {
                return Ok(((), format!("{prompt:?} was confirmed by {by} at {at}")));
            }
            if !told {
                cx.console(Level::Warn, format!("{:?} waits for a person: {prompt}", vm.spec.name));
                told = true;
            }
            cx.pause(EVERY).await?;
        }
    };
    ground.record(cx, plan).of(&vm.source_uuid).step(moment.step(), answered).await
}
