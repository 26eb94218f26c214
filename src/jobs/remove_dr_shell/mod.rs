//! `remove_dr_shell`: takes away a DR shell, and nothing but what Zerfaux made.
//!
//! look → detach → destroy → take_view_away → forget. The virtual machine is told by its instance UUID and by the option that
//! says which job made it; one that runs is left alone. Every disk is detached, its file kept, and the configuration is read
//! back before the machine is destroyed. Then a view that was kept is taken away: unmounted on every host, no longer exported,
//! its clone destroyed, each looked at before the next. Nothing of it can be taken back: a shell is made anew instead.

mod machine;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failure::not_kept;
use super::shell_view::StandingView;
use super::targets::Targets;
use super::vcenters::Vcenters;
use super::vsphere_make::{Made, Own};
use super::vsphere_own::Identity;
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::TargetId;
use crate::domain::job::{Failure, Level};
use crate::engine::{Definition, LockName, Retry, Step, StepContext, UndoKind};
use crate::vsphere::Client;

/// The name of this kind of job.
pub const KIND: &str = "remove_dr_shell";

const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_secs(5) };
/// Why no step is taken back.
const ANEW: UndoKind = UndoKind::Cannot(
    "what was taken off or away belongs to a shell that goes; a shell is made anew from its plan",
);

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveInput {
    /// The shell as it was kept.
    pub shell: DrShell,
    /// The instance UUID of the virtual machine that it stands for.
    pub source_uuid: String,
    /// The name of that one, for people.
    pub source_name: String,
    /// The DR appliance, which has the view.
    pub dr_target_id: TargetId,
    /// The hosts that mount the view, as the inventory knew them.
    pub hosts: Vec<DatastoreHost>,
}

impl RemoveInput {
    fn identity(&self) -> Identity {
        Identity {
            made: Made { vm: self.shell.vm.clone(), instance_uuid: self.shell.instance_uuid.clone() },
            mark: super::create_dr_shell::mark_of(self.shell.made_by),
            noun: "the shell",
        }
    }

    /// The shell as the DR vCenter has it now; none: it is gone.
    async fn now(&self, client: &Client) -> Result<Option<Own>, Failure> {
        self.identity().now(client).await
    }
}

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let ground = Arc::new(Ground { targets, vcenters });
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![
            Box::new(machine::Look(ground())),
            Box::new(machine::Detach(ground())),
            Box::new(machine::Destroy(ground())),
            Box::new(TakeViewAway(ground())),
            Box::new(Forget(ground())),
        ],
    )
    .with_locks(|input| {
        let input = RemoveInput::deserialize(input)
            .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
        locks(&input.shell, &input.hosts)
    })
}

/// What is touched when something is done to a shell that is there.
pub(super) fn locks(shell: &DrShell, hosts: &[DatastoreHost]) -> Result<Vec<LockName>, Failure> {
    let source = shell.source_uuid.parse::<uuid::Uuid>().map_err(|error| {
        Failure::permanent(format!("The instance UUID {:?} cannot be read: {error}.", shell.source_uuid))
    })?;
    let vcenter = shell.dr_vcenter;
    let mut locks = vec![LockName::vm(&source), LockName::new_vm(&vcenter, &shell.spec.name)];
    locks.extend(hosts.iter().map(|host| LockName::host_mounts(&format!("{vcenter}/{}", host.moref))));
    Ok(locks)
}

/// What the steps work with.
struct Ground {
    targets: Targets,
    vcenters: Vcenters,
}

struct TakeViewAway(Arc<Ground>);

#[async_trait]
impl Step for TakeViewAway {
    fn name(&self) -> &'static str {
        "take_view_away"
    }

    fn percent(&self) -> (u8, u8) {
        (60, 95)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RemoveInput = cx.input()?;
        let Some(view) = StandingView::of(&input.shell) else {
            cx.info("It has no view that was kept.");
            return Ok(Value::Null);
        };
        let (target, _) = self.0.targets.host_ref(input.dr_target_id).await?;
        let client = self.0.vcenters.client(input.shell.dr_vcenter).await?;
        let zfs = self.0.targets.zfs(input.dr_target_id).await?;
        view.take_away(cx, (&client, &zfs), target.nfs_address()).await?;
        cx.console(Level::Success, "The view is gone: unmounted, no longer exported, destroyed.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

struct Forget(Arc<Ground>);

#[async_trait]
impl Step for Forget {
    fn name(&self) -> &'static str {
        "forget"
    }

    fn percent(&self) -> (u8, u8) {
        (95, 100)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RemoveInput = cx.input()?;
        let client = self.0.vcenters.client(input.shell.dr_vcenter).await?;
        if let Some(still) = input.now(&client).await? {
            return Err(Failure::refused(format!("{:?} is in the DR vCenter again.", still.name))
                .advise("Somebody registered it anew. Remove it there, or retry from the beginning."));
        }
        self.0.vcenters.store().forget_dr_shell(input.shell.id).await.map_err(not_kept)?;
        Ok(json!({ "dr_shell_id": input.shell.id, "name": input.shell.spec.name }))
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}
