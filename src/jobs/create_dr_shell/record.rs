//! Keeps what was made: which virtual machine, with which hardware, and the disks as they were proved.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::view::Chosen;
use super::{AGAIN, Ground, ShellInput, ViewNames, given};
use crate::domain::dr_shell::{DrShell, ProvedDisk, ShellView};
use crate::domain::ids::DrShellId;
use crate::domain::job::Failure;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;
use crate::jobs::vsphere_make::Made;
use crate::store::{Refusal, StoreError};

pub(super) struct Record(pub(super) Arc<Ground>);

/// The shell's id: that of the one that the job was given, or it follows from the job's, so that a job which is resumed
/// keeps one.
pub(super) fn id_of(cx: &StepContext) -> Result<DrShellId, Failure> {
    Ok(match given(cx)? {
        Some(shell) => shell.id,
        None => DrShellId::from_bytes(*cx.job().id.as_bytes()),
    })
}

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
        let input: ShellInput = cx.input()?;
        let (made, disks): (Made, Vec<ProvedDisk>) = (cx.need("create")?, cx.need("attach")?);
        let Chosen { checkpoint, .. } = cx.need("view")?;
        let names = ViewNames::of(cx, &input)?;
        let shell = DrShell {
            id: id_of(cx)?,
            group: input.group_id,
            source_vcenter: input.source_vcenter_id,
            source_uuid: input.source_uuid,
            dr_vcenter: input.dr_vcenter_id,
            vm: made.vm,
            instance_uuid: made.instance_uuid,
            spec: input.spec,
            disks,
            checkpoint: checkpoint.clone(),
            // It is there until it is seen to be gone.
            view: Some(ShellView {
                dataset: names.dataset,
                checkpoint,
                datastore: names.datastore,
                made_by: Some(cx.job().id),
            }),
            made_by: cx.job().id,
            made_at: cx.now(),
        };
        self.0.vcenters.store().put_dr_shell(&shell).await.map_err(|error| match error {
            StoreError::Refused { reason: Refusal::AlreadyExists(_), .. } => {
                Failure::refused(format!("{:?} has another DR shell meanwhile.", input.source_name))
                    .advise("Clean up this job, which takes its own shell away again.")
            }
            other => not_kept(other),
        })?;
        Ok(json!({ "dr_shell_id": shell.id }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        self.0.vcenters.store().forget_dr_shell(id_of(cx)?).await.map_err(not_kept)
    }
}
