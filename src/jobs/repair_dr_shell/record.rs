//! Keeps the shell as it is now, and then takes the view away that it had.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{AGAIN, Ground, RepairInput};
use crate::domain::dr_shell::{DrShell, ProvedDisk, ShellView};
use crate::domain::job::{Failure, Level};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::create_dr_shell::ViewNames;
use crate::jobs::create_dr_shell::view::Chosen;
use crate::jobs::failure::not_kept;
use crate::jobs::shell_view::StandingView;

pub(super) struct Record(pub(super) Arc<Ground>);

#[async_trait]
impl Step for Record {
    fn name(&self) -> &'static str {
        "record"
    }

    fn percent(&self) -> (u8, u8) {
        (85, 90)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RepairInput = cx.input()?;
        let disks: Vec<ProvedDisk> = cx.need("attach")?;
        let Chosen { checkpoint, .. } = cx.need("view")?;
        let names = ViewNames::of(cx, &input.wish)?;
        let view = ShellView {
            dataset: names.dataset,
            checkpoint: checkpoint.clone(),
            datastore: names.datastore,
            made_by: Some(cx.job().id),
        };
        let shell = DrShell { spec: input.wish.spec, disks, checkpoint, view: Some(view), ..input.shell };
        self.0.vcenters.store().put_dr_shell(&shell).await.map_err(not_kept)?;
        Ok(json!({ "dr_shell_id": shell.id }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: RepairInput = cx.input()?;
        self.0.vcenters.store().put_dr_shell(&input.shell).await.map_err(not_kept)
    }
}

pub(super) struct DropOldView(pub(super) Arc<Ground>);

#[async_trait]
impl Step for DropOldView {
    fn name(&self) -> &'static str {
        "drop_old_view"
    }

    fn percent(&self) -> (u8, u8) {
        (90, 90)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RepairInput = cx.input()?;
        if let Some(view) = StandingView::of(&input.shell) {
            let (target, _) = self.0.targets.host_ref(input.wish.dr_target_id).await?;
            let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
            let zfs = self.0.targets.zfs(input.wish.dr_target_id).await?;
            view.take_away(cx, (&client, &zfs), target.nfs_address()).await?;
            cx.console(
                Level::Success,
                "The view that it had is gone: unmounted, no longer exported, destroyed.",
            );
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Cannot("the view that it had is gone; the shell has what was proved from the new one")
    }
}
