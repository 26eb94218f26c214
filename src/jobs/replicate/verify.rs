//! Make sure of what arrived: the destination has a snapshot with the very GUID of the source's newest.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::ends::Ends;
use crate::domain::job::{Failure, Level};
use crate::domain::names::DatasetName;
use crate::engine::{Step, StepContext, UndoKind};
use crate::plan::replication::Action;

pub(super) struct Verify(pub(super) Arc<Ends>);

#[async_trait]
impl Step for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn percent(&self) -> (u8, u8) {
        (90, 93)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let run = self.0.open(cx).await?;
        let sent = cx.need::<super::transfer::Sent>("transfer")?;
        let mut view = self.0.view(cx, &run).await?;
        let arrived: Vec<DatasetName> = view.sent.iter().cloned().collect();
        run.look_again(&mut view, &arrived).await?;
        run.look_for_signs(&mut view).await?;
        let mut verified = 0;
        for arrival in &sent.arrivals {
            let there = view.pair(&arrival.source).and_then(|pair| pair.destination.as_ref());
            if there.and_then(|there| there.snapshot_by_guid(arrival.guid)).is_none() {
                return Err(Failure::permanent(format!(
                    "{} reported success, but {} has no snapshot with the GUID {} of {}@{}.",
                    run.destination.host().label(),
                    arrival.destination,
                    arrival.guid,
                    arrival.source,
                    arrival.tag
                ))
                .advise("Look at the destination's snapshots, then run this again: it goes on from what is there."));
            }
            verified += 1;
        }
        let behind = view
            .pairs
            .iter()
            .filter(|pair| matches!(pair.plan(&view.group, run.input.history).action, Action::Send { .. }));
        for pair in behind {
            cx.info(format!("{} has a newer snapshot by now; the next run sends it.", pair.source.name));
        }
        self.0.leave(cx, view);
        cx.console(Level::Success, "The destination has the same snapshots, GUID by GUID.");
        Ok(serde_json::json!({ "verified": verified }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}
