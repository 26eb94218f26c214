//! Create what is missing above the destination: file systems that are never mounted and hold no data.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use super::ends::Ends;
use super::look::Looked;
use super::run::no_pool;
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::zfs::Complaint;

pub(super) struct Parents(pub(super) Arc<Ends>);

#[async_trait]
impl Step for Parents {
    fn name(&self) -> &'static str {
        "parents"
    }

    fn percent(&self) -> (u8, u8) {
        (6, 8)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    /// Which ones are missing, outermost first: what an undo may take away again.
    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        if cx.need::<Looked>("look")?.destination_exists {
            return Ok(Value::Array(Vec::new()));
        }
        let run = self.0.open(cx).await?;
        let above = run.input.destination.dataset.ancestors();
        let there = run.destination.existing(&above).await?;
        let missing: Vec<DatasetName> = above.into_iter().filter(|name| !there.contains(name)).collect();
        if missing.iter().any(|name| name.parent().is_none()) {
            let pool = run.input.destination.dataset.pool();
            let host = run.destination.host().label();
            return Err(no_pool(pool, host));
        }
        recorded(missing)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let missing = read(intent)?;
        if missing.is_empty() {
            return Ok(Value::Null);
        }
        let run = self.0.open(cx).await?;
        run.destination.create_parents(&run.input.destination.dataset).await?;
        for name in &missing {
            cx.info(format!("Created {name} on {}, never mounted.", run.destination.host().label()));
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let missing = read(intent)?;
        let run = self.0.open(cx).await?;
        let there = run.destination.datasets(&missing, false).await?;
        for name in missing.iter().rev() {
            let Some(found) = there.iter().find(|dataset| &dataset.name == name) else { continue };
            match run.destination.destroy_empty(name, found.guid).await {
                Ok(()) => {}
                Err(error) if error.complaint() == Some(&Complaint::HasChildren) => {
                    cx.info(format!("{name} stays: there is something in it."));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn read(intent: &Value) -> Result<Vec<DatasetName>, Failure> {
    Vec::deserialize(intent).map_err(|error| {
        Failure::permanent(format!("The recorded list of parents could not be read: {error}."))
    })
}
