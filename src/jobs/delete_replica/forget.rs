//! The group, once its replica is gone.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::look::{Standing, standing};
use super::{AGAIN, DeleteInput};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::job::{Failure, Level};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;
use crate::jobs::targets::Targets;

pub(super) struct Forget(pub(super) Arc<Targets>);

#[async_trait]
impl Step for Forget {
    fn name(&self) -> &'static str {
        "forget"
    }

    fn percent(&self) -> (u8, u8) {
        (97, 100)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: DeleteInput = cx.input()?;
        if standing(&self.0, input.dr_target_id, input.group_id, &input.replica).await? != Standing::Gone {
            return Err(Failure::refused(format!("{} is there again, so the group stays.", input.replica))
                .advise("Find out who made it. If it has to go too, start the deletion anew."));
        }
        let count = |step: &str, key: &str| -> Result<u64, Failure> {
            Ok(cx.need::<Value>(step)?[key].as_u64().unwrap_or_default())
        };
        let snapshots = count("destroy_snapshots", "snapshots")?;
        let source_snapshots = count("let_go_at_source", "source_snapshots")?;
        let result = json!({
            "protection_group_id": input.group_id, "name": input.name, "replica": input.replica,
            "destroyed_snapshots": snapshots, "destroyed_at_source": source_snapshots,
        });
        let entry = AuditEntry {
            at: cx.now(),
            actor: cx.job().created_by.clone(),
            source: format!("job {}", cx.job().id),
            action: "protection_group.delete".to_owned(),
            object: input.name.clone(),
            outcome: Outcome::Done,
            details: result.clone(),
        };
        let store = self.0.store();
        store.forget_group_without_replica(input.group_id, cx.job().id, entry).await.map_err(not_kept)?;
        cx.console(
            Level::Success,
            format!("The group {:?} is deleted, and its replica with it.", input.name),
        );
        Ok(result)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Cannot("without its replica a group protects nothing; make it anew")
    }
}
