//! Let go of what the retention no longer wants, on both sides: only of the group's own snapshots, never
//! of the common base, never of what a hold or a clone keeps.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ends::Ends;
use super::look::Looked;
use super::run::{Pair, Run, View};
use super::transfer::Sent;
use crate::domain::dataset::{Dataset, Guid, Snapshot};
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::domain::retention::Retention;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::plan::replication::Action;
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

    /// What is let go of, by name and GUID: after a restart the same is counted, whether it is gone by then or not.
    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let run = self.0.open(cx).await?;
        let (mut source, mut destination) = (Vec::new(), Vec::new());
        if run.input.keep_source.keeps_all() && run.input.keep_destination.keeps_all() {
            // The view stays for the next run.
            return recorded(Intent { source, destination });
        }
        let view = self.0.view(cx, &run).await?;
        let group = view.group.to_string();
        for pair in &view.pairs {
            let protected: HashSet<Guid> = pair.common().into_iter().collect();
            let decide = |dataset, policy| doomed(cx, dataset, &group, policy, &protected);
            source.extend(decide(&pair.source, &run.input.keep_source));
            if let Some(there) = &pair.destination {
                destination.extend(decide(there, &run.input.keep_destination));
            }
        }
        self.0.leave(cx, view);
        recorded(Intent { source, destination })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let Intent { source, destination } = Intent::deserialize(intent).map_err(|error| {
            Failure::permanent(format!("The recorded list of what to let go of could not be read: {error}."))
        })?;
        let sent = cx.need::<Sent>("transfer")?;
        let run = self.0.open(cx).await?;
        let group = cx.need::<Looked>("look")?.group.to_string();
        let (destroyed_at_source, destroyed_at_destination) = tokio::try_join!(
            let_go_of(cx, &run.source, &group, &source),
            let_go_of(cx, &run.destination, &group, &destination)
        )?;
        let seen = self.0.take(cx);
        if !source.is_empty() || !destination.is_empty() {
            self.0.memory().forget(&run);
        } else if let Some(view) = seen {
            remember(&self.0, &run, view).await?;
        }
        recorded(Replicated { sent, destroyed_at_source, destroyed_at_destination })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing(
            "a destroyed snapshot does not come back; what was destroyed, the retention no longer wanted",
        )
    }
}

/// Leaves to the next run what both sides are, if nothing is left to be done.
async fn remember(ends: &Ends, run: &Run, mut view: View) -> Result<(), Failure> {
    let done =
        |pair: &Pair| matches!(pair.plan(&view.group, run.input.history).action, Action::UpToDate { .. });
    if !view.sent.is_empty() || !view.pairs.iter().all(done) {
        return Ok(());
    }
    match view.signs.take() {
        Some(signs) => ends.memory().keep(run, view, signs).await,
        None => Ok(()),
    }
}

/// What the retention no longer wants, by the look right before.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    source: Vec<Doomed>,
    destination: Vec<Doomed>,
}

/// Some snapshots of one dataset.
#[derive(Debug, Serialize, Deserialize)]
struct Doomed {
    dataset: DatasetName,
    snapshots: Vec<Snapshot>,
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

/// What the policy lets go of in one dataset; what stays against it is told.
fn doomed(
    cx: &StepContext,
    dataset: &Dataset,
    group: &str,
    policy: &Retention,
    protected: &HashSet<Guid>,
) -> Option<Doomed> {
    let verdicts = decide(&dataset.snapshots, group, policy, protected, cx.now());
    for verdict in verdicts.iter().filter(|verdict| verdict.kept_against_policy()) {
        cx.info(format!(
            "{}@{} stays although the retention would let it go: {}.",
            dataset.name,
            verdict.tag,
            reasons(verdict)
        ));
    }
    let snapshots: Vec<Snapshot> = verdicts
        .iter()
        .filter(|verdict| verdict.destroys())
        .filter_map(|verdict| dataset.snapshot_by_guid(verdict.guid).cloned())
        .collect();
    (!snapshots.is_empty()).then(|| Doomed { dataset: dataset.name.clone(), snapshots })
}

/// Destroys what was decided on. How many are gone.
async fn let_go_of(cx: &StepContext, zfs: &Zfs, group: &str, all: &[Doomed]) -> Result<usize, Failure> {
    let mut gone = 0;
    for Doomed { dataset, snapshots } in all {
        let snapshots: Vec<&Snapshot> = snapshots.iter().collect();
        let mut gone_here = 0;
        for one in zfs.destroy_snapshots(dataset, group, &snapshots).await? {
            match &one.outcome {
                Outcome::Kept(why) => cx.info(format!("{dataset}@{} stays: {why}.", one.tag)),
                Outcome::Destroyed | Outcome::Gone => gone_here += 1,
            }
        }
        let host = zfs.host().label();
        cx.info(format!("Retention let go of {gone_here} of {dataset}'s snapshots on {host}."));
        gone += gone_here;
    }
    Ok(gone)
}
