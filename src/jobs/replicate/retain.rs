//! Let go of what the retention no longer wants, on both sides: only of the group's own snapshots, never
//! of the common base, never of what a hold or a clone keeps.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::ends::Ends;
use super::transfer::Sent;
use crate::domain::dataset::{Dataset, Guid, Snapshot};
use crate::domain::job::Failure;
use crate::domain::retention::Retention;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::plan::retention::{Decision, Verdict, decide};
use crate::zfs::{Outcome, Zfs};

pub(super) struct Retain(pub(super) Arc<Ends>);

/// The job's result.
#[derive(Debug, Serialize)]
struct Replicated {
    #[serde(flatten)]
    sent: Sent,
    destroyed_at_source: usize,
    destroyed_at_destination: usize,
}

#[async_trait]
impl Step for Retain {
    fn name(&self) -> &'static str {
        "retain"
    }

    fn percent(&self) -> (u8, u8) {
        (97, 100)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let sent = cx.need::<Sent>("transfer")?;
        let run = self.0.open(cx).await?;
        let mut outcome = Replicated { sent, destroyed_at_source: 0, destroyed_at_destination: 0 };
        if run.input.keep_source.keeps_all() && run.input.keep_destination.keeps_all() {
            return recorded(outcome);
        }
        let view = self.0.view(cx, &run).await?;
        let group = view.group.to_string();
        for pair in &view.pairs {
            let protected: HashSet<Guid> = pair.common().into_iter().collect();
            let side = Side { cx, group: &group, protected: &protected };
            outcome.destroyed_at_source +=
                side.thin(&run.source, &pair.source, &run.input.keep_source).await?;
            if let Some(there) = &pair.destination {
                outcome.destroyed_at_destination +=
                    side.thin(&run.destination, there, &run.input.keep_destination).await?;
            }
        }
        recorded(outcome)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing(
            "a destroyed snapshot does not come back; what was destroyed, the retention no longer wanted",
        )
    }
}

/// Why a snapshot stays, in words.
fn reasons(verdict: &Verdict) -> String {
    match &verdict.decision {
        Decision::Destroy => String::new(),
        Decision::Keep(reasons) => {
            let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            words.join(", ")
        }
    }
}

struct Side<'a> {
    cx: &'a StepContext,
    group: &'a str,
    protected: &'a HashSet<Guid>,
}

impl Side<'_> {
    /// Destroys what the policy lets go of in one dataset. How many were destroyed.
    async fn thin(&self, zfs: &Zfs, dataset: &Dataset, policy: &Retention) -> Result<usize, Failure> {
        let verdicts = decide(&dataset.snapshots, self.group, policy, self.protected, self.cx.now());
        for verdict in verdicts.iter().filter(|verdict| verdict.kept_against_policy()) {
            self.cx.info(format!(
                "{}@{} stays although the retention would let it go: {}.",
                dataset.name,
                verdict.tag,
                reasons(verdict)
            ));
        }
        let doomed: Vec<&Snapshot> = verdicts
            .iter()
            .filter(|verdict| verdict.destroys())
            .filter_map(|verdict| dataset.snapshot_by_guid(verdict.guid))
            .collect();
        if doomed.is_empty() {
            return Ok(0);
        }
        let destroyed = zfs.destroy_snapshots(&dataset.name, self.group, &doomed).await?;
        let mut gone = 0;
        for one in &destroyed {
            match &one.outcome {
                Outcome::Kept(why) => self.cx.info(format!("{}@{} stays: {why}.", dataset.name, one.tag)),
                Outcome::Destroyed | Outcome::Gone => gone += 1,
            }
        }
        self.cx.info(format!(
            "Retention let go of {gone} of {}'s snapshots on {}.",
            dataset.name,
            zfs.host().label()
        ));
        Ok(gone)
    }
}
