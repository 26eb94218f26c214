//! Takes the view away, each on evidence of what came before: unmounted on every host, no longer exported, the clone gone.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::view::Chosen;
use super::{AGAIN, Ground, ShellInput, ViewNames, made, record};
use crate::domain::job::{Failure, Level};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;

pub(in crate::jobs) struct TakeViewAway(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for TakeViewAway {
    fn name(&self) -> &'static str {
        "take_view_away"
    }

    fn percent(&self) -> (u8, u8) {
        (90, 100)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let made = made(cx)?;
        let chosen: Chosen = cx.need("view")?;
        let names = ViewNames::of(cx, &input)?;
        let id = record::id_of(cx)?;
        if !input.keep_view {
            let (client, mount) = self.0.mount(cx, &input).await?;
            let zfs = self.0.targets.zfs(input.dr_target_id).await?;
            let standing = names.standing(cx, chosen.checkpoint.clone());
            standing.take_away(cx, (&client, &zfs), &mount.remote_host).await?;
            let store = self.0.vcenters.store();
            if let Some(mut shell) = store.dr_shell(id).await.map_err(not_kept)? {
                shell.view = None;
                store.put_dr_shell(&shell).await.map_err(not_kept)?;
            }
            cx.console(Level::Success, "The view is gone: unmounted, no longer exported, destroyed.");
        }
        Ok(json!({
            "dr_shell_id": id, "vm_moref": made.vm, "instance_uuid": made.instance_uuid,
            "name": input.spec.name, "disks": input.spec.disks.len(), "checkpoint": chosen.checkpoint,
            "view": input.keep_view.then_some(names.datastore),
        }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("what it took away is not needed any more")
    }
}
