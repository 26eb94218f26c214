//! Reads every configuration back: what counts is where the files are, not how the tasks ended.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::MoveInput;
use super::layout::{self, Layout};
use super::relocate::Moved;
use crate::domain::job::{Failure, Level};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::vcenters::Vcenters;
use crate::jobs::vsphere_vm::as_planned;

pub(super) struct Verify(pub(super) Arc<Vcenters>);

#[async_trait]
impl Step for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn percent(&self) -> (u8, u8) {
        (95, 100)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: MoveInput = cx.input()?;
        let (before, moved): (Vec<Layout>, Vec<Moved>) = (cx.need("look")?, cx.need("move")?);
        let client = self.0.client(input.vcenter_id).await?;
        let (mut vms, mut elsewhere) = (Vec::new(), Vec::new());
        for ((planned, before), moved) in input.vms.iter().zip(&before).zip(&moved) {
            let now = as_planned(&client, planned).await?;
            let layout = layout::read(&client, &now.vm).await?;
            if !layout.is_all_on(&input.datastore) {
                elsewhere.push(now.name.clone());
            }
            let size = |all: &Layout| all.disks.iter().map(|disk| disk.capacity_bytes).sum::<u64>();
            if layout.disks.len() < before.disks.len() || size(&layout) < size(before) {
                cx.warn(format!(
                    "{:?} has fewer or smaller disks than before it was moved: look at it in vCenter.",
                    now.name
                ));
            }
            let disks: Vec<Value> = layout
                .disks
                .iter()
                .map(|disk| json!({ "label": disk.label, "file": disk.file, "capacity_bytes": disk.capacity_bytes }))
                .collect();
            vms.push(json!({
                "name": now.name, "moref": now.vm, "instance_uuid": planned.instance_uuid, "moved": moved.moved,
                "disks": disks,
            }));
        }
        if !elsewhere.is_empty() {
            return Err(Failure::permanent(format!(
                "Not everything is on {:?}: files of {} lie elsewhere again.",
                input.datastore_name,
                elsewhere.join(", ")
            ))
            .advise("Somebody moved or added a disk meanwhile. Look in vCenter, then start the move anew."));
        }
        cx.console(
            Level::Success,
            format!("Read back from the vCenter: all files are on {:?}.", input.datastore_name),
        );
        Ok(json!({ "datastore": input.datastore_name, "vms": vms }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}
