//! Lock files of the hosts that ran the virtual machines when the checkpoint was taken, removed in the clone and nowhere else.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{AGAIN, Ground, RunInput};
use crate::domain::job::Failure;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::exported::seen_by;

/// So many are named in the log.
const NAMED: usize = 50;

pub(in crate::jobs) struct RemoveStaleLocks(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for RemoveStaleLocks {
    fn name(&self) -> &'static str {
        "remove_stale_locks"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((8, 10))
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let RunInput { plan, .. } = cx.input()?;
        let root = plan.path();
        let removed = async {
            // Hosts that have it mounted have locks of their own there.
            if !cx.job().input["only"].as_array().is_none_or(Vec::is_empty) {
                return Ok(((), format!("{} is there already", plan.kind.verb())));
            }
            let zfs = self.0.zfs(&plan).await?;
            let ours = matches!(seen_by(&zfs, &plan.clone, plan.maker()).await?, Some((_, true)));
            if !ours {
                return Err(Failure::refused(format!("{} is not the clone of this run.", plan.clone)));
            }
            let found = zfs.stale_locks(&root).await?;
            for path in found.iter().take(NAMED) {
                cx.info(format!("A stale lock file: {path}"));
            }
            if let Err(error) = zfs.remove_stale_locks(&found).await {
                let count = found.len();
                let failure = Failure::from(error);
                cx.warn(format!(
                    "{count} stale lock files were found in the clone, and not all could be removed, so a virtual machine may be \
                     called locked. {} Run the preparation script of today on the appliance: it lets the user do that.",
                    failure.message
                ));
                return Ok(((), format!("{count} stale lock files were found and could not be removed")));
            }
            let left = zfs.stale_locks(&root).await?;
            match left.first() {
                None => Ok(((), format!("{} stale lock files were removed, none is left", found.len()))),
                Some(path) => Err(Failure::transient(format!("{path} is still there after it was removed."))),
            }
        };
        self.0.record(cx, &plan).step(self.name(), removed).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}
