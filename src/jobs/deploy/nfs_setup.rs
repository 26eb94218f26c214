//! Makes the dataset that hosts mount, shares it with the given networks, and looks whether it is exported.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Ground;
use crate::domain::deployment::Deployment;
use crate::domain::job::{Failure, FailureKind, Level};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::zfs::{Property, Zfs, export_fault, share_for};

pub(super) struct NfsSetup(pub(super) Arc<Ground>);

#[async_trait]
impl Step for NfsSetup {
    fn name(&self) -> &'static str {
        "nfs_setup"
    }

    fn percent(&self) -> (u8, u8) {
        (60, 75)
    }

    fn retry(&self) -> Retry {
        Retry { attempts: 2, pause: Duration::from_secs(5) }
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        let zfs = self.0.zfs(cx, &input).await?;
        let (dataset, path) =
            (input.nfs_dataset().map_err(|error| Failure::permanent(error.to_string()))?, input.nfs_path());
        // The service first: sharing tells it, and what is shared before it runs waits for its next start.
        if let Err(error) = zfs.start_nfs_server().await {
            let failure = Failure { kind: FailureKind::Transient, ..Failure::from(error) };
            return Err(with_log(&zfs, failure).await);
        }
        let point =
            Property::new("mountpoint", &path).map_err(|error| Failure::permanent(error.to_string()))?;
        zfs.create_filesystem(&dataset, &[point, share_for(&input.nfs_network)]).await?;
        zfs.mount(&dataset).await?;
        let exports = match zfs.exports().await {
            Ok(exports) => exports,
            // Where its tools are missing, sudo asks for a password instead of saying so.
            Err(error) => {
                let failure = Failure::from(error);
                let message = format!("The NFS server does not say what it exports. {}", failure.message);
                let failure = Failure { kind: FailureKind::Transient, message, ..failure };
                return Err(with_log(&zfs, failure).await);
            }
        };
        if let Some(fault) = export_fault(&exports, &path, &input.nfs_network) {
            let failure = Failure::transient(format!("The NFS share does not work: {fault}."));
            return Err(with_log(&zfs, failure).await);
        }
        if zfs.surroundings().await?.nfs_running == Some(false) {
            return Err(with_log(&zfs, Failure::transient("The NFS server does not run.")).await);
        }
        cx.console(Level::Success, format!("{path} is exported to {}.", input.nfs_network));
        recorded(json!({ "dataset": dataset, "path": path }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("the dataset goes with its pool, and the service with its machine")
    }
}

async fn with_log(zfs: &Zfs, failure: Failure) -> Failure {
    let log = zfs.nfs_server_log().await.map(|log| format!("\nIts last log lines:\n{log}"));
    Failure { message: format!("{}{}", failure.message, log.unwrap_or_default()), ..failure }.advise(
        "Is the NFS server installed in the template (nfs-kernel-server)? The preparation script does that.",
    )
}
