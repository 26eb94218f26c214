//! Keeps the appliance: a new one, or the new form of the one with this name.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Ground;
use super::clone::Cloned;
use super::reach::endpoint;
use super::ssh_connect::Connected;
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::deployment::Deployment;
use crate::domain::ids::TargetId;
use crate::domain::job::{Failure, Level};
use crate::domain::target::{Deployed, Target};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::{not_kept, recorded};
use crate::store::{Refusal, StoreError};

pub(super) struct RegisterTarget(pub(super) Arc<Ground>);

/// What is decided before anything is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    /// Its id.
    id: TargetId,
    /// The appliance that had the name before.
    before: Option<Target>,
}

fn read(intent: &Value) -> Result<Option<Intent>, Failure> {
    Option::<Intent>::deserialize(intent)
        .map_err(|error| Failure::permanent(format!("The recorded appliance could not be read: {error}.")))
}

#[async_trait]
impl Step for RegisterTarget {
    fn name(&self) -> &'static str {
        "register_target"
    }

    fn percent(&self) -> (u8, u8) {
        (75, 85)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        let Some(name) = &input.target_name else { return Ok(Value::Null) };
        let before = self.0.store.target_named(name).await.map_err(not_kept)?;
        let id = before.as_ref().map_or_else(TargetId::new, |before| before.id);
        recorded(Intent { id, before })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        let (Some(Intent { id, before }), Some(name)) = (read(intent)?, input.target_name.clone()) else {
            return Ok(Value::Null);
        };
        let (cloned, connected): (Cloned, Connected) = (cx.need("clone")?, cx.need("ssh_connect")?);
        let job = cx.job();
        let target = Target {
            id,
            name: name.clone(),
            endpoint: endpoint(&input.login, connected.address)?,
            ssh_key: input.login.ssh_key_id,
            host_key: connected.host_key,
            zfs_pool: input.zfs_pool_name.clone(),
            nfs_networks: input.nfs_network.clone(),
            nfs_address: None,
            replication_address: None,
            vcenter: Some(input.vcenter_id),
            is_active: true,
            appdata_path: before.as_ref().and_then(|before| before.appdata_path.clone()),
            deployed: Deployed {
                template: Some(input.template_id.to_string()),
                job: Some(job.id),
                vm_moref: Some(cloned.vm_moref.id().to_owned()),
                ip_source: Some(input.guest.ip_source()),
            },
            created_by: before.as_ref().map_or_else(|| job.created_by.clone(), |old| old.created_by.clone()),
            created_at: before.as_ref().map_or_else(|| job.created_at, |old| old.created_at),
        };
        let action = if before.is_some() { "target.update" } else { "target.create" };
        let entry =
            audit(cx, action, &name, json!({ "job": job.id, "endpoint": target.endpoint.to_string() }));
        if self.0.store.target(id).await.map_err(not_kept)?.as_ref() != Some(&target) {
            self.0.store.put_target(&target, entry).await.map_err(taken)?;
        }
        self.0.store.count_deployment(input.template_id, job.id, cx.now()).await.map_err(not_kept)?;
        cx.console(
            Level::Success,
            match before {
                Some(_) => format!("The appliance {name} was there already and is updated."),
                None => format!("The appliance {name} is registered."),
            },
        );
        recorded(json!({ "replication_target_id": id }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: Deployment = cx.input()?;
        let Some(Intent { id, before }) = read(intent)? else { return Ok(()) };
        let store = &self.0.store;
        store.forget_deployment(cx.job().id).await.map_err(not_kept)?;
        let now = store.target(id).await.map_err(not_kept)?;
        match (now, before) {
            // Changed by somebody meanwhile, or gone: left as it is.
            (Some(now), _) if now.deployed.job != Some(cx.job().id) => Ok(()),
            (None, _) => Ok(()),
            (Some(_), Some(before)) => {
                let entry = audit(cx, "target.update", &before.name, json!({ "job": cx.job().id }));
                store.put_target(&before, entry).await.map_err(taken)
            }
            (Some(now), None) => {
                let entry = audit(cx, "target.delete", &now.name, json!({ "job": cx.job().id }));
                cx.info(format!("Removing the appliance {} from the list.", input.vm_name));
                store.delete_target(&now, entry).await.map_err(taken)
            }
        }
    }
}

/// A line about what the job did on behalf of who asked for it.
fn audit(cx: &StepContext, action: &str, object: &str, details: Value) -> AuditEntry {
    AuditEntry {
        at: cx.now(),
        actor: cx.job().created_by.clone(),
        source: format!("job {}", cx.job().id),
        action: action.to_owned(),
        object: object.to_owned(),
        outcome: Outcome::Done,
        details,
    }
}

/// What the store refuses is not a matter of trying again.
fn taken(error: StoreError) -> Failure {
    match error.refusal() {
        Some(Refusal::AlreadyExists(_) | Refusal::Needed(_) | Refusal::NotFound(_)) => {
            Failure::permanent(crate::domain::causes::with_causes(&error)).advise(error.advice())
        }
        _ => not_kept(error),
    }
}
