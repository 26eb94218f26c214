//! Guests at rest for a moment: VMware snapshots of the group's running virtual machines, a few at once and for a limited time,
//! and their removal whatever happens.
//!
//! A snapshot of ours is known by its name, which says the group and the run. Nobody else's is ever touched. What is left
//! behind all the same, because the vCenter is away or a task came late, `vm_snapshot_watch` removes.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout, timeout_at};

use super::guests::{Gathered, Guests, key};
use crate::domain::hardware::PowerState;
use crate::domain::ids::{GroupId, VcenterId};
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::machine::Machine;
use crate::domain::manifest::{Manifest, Read, Rest};
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::domain::vm_snapshot::{NotedVmSnapshot, OwnVmSnapshot};
use crate::engine::StepContext;
use crate::jobs::failure::not_kept;
use crate::jobs::vcenters::Vcenters;
use crate::jobs::vsphere_task::{Deed, give_up, once};
use crate::vsphere::verbs::VmSnapshot;
use crate::vsphere::{Client, MachineNow, VsphereError};

/// So many guests are brought to rest, or let go, at once: each makes its host and its storage work.
const AT_ONCE: usize = 8;
/// So long the end of a task is waited for that was asked to stop because its time is over.
const STOPPING: Duration = Duration::from_secs(20);
/// So long the removal of all of them is waited for. What is not removed by then is left to the watch.
const REMOVING: Duration = Duration::from_secs(600);

/// What vCenter calls the making of a snapshot.
const CREATES: &str = "VirtualMachine.createSnapshot";

/// Makes one.
struct Create {
    vm: VmRef,
    uuid: String,
    name: String,
    snapshot: String,
    description: String,
}

#[async_trait]
impl Deed for Create {
    type Done = VmSnapshot;

    fn key(&self) -> Cow<'static, str> {
        format!("quiesce:{}", self.uuid).into()
    }

    fn progress(&self, _cx: &StepContext, _fraction: f64) {}

    fn what(&self) -> String {
        format!("bring the guest of {:?} to rest", self.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        CREATES
    }

    async fn look(&self, client: &Client, _: Option<&ManagedRef>) -> Result<Option<VmSnapshot>, Failure> {
        let all = client.snapshots(&self.vm).await?;
        Ok(all.into_iter().find(|one| one.name == self.snapshot))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        client.create_snapshot(&self.vm, &self.snapshot, &self.description, true).await
    }
}

/// Removes one.
struct Remove {
    vm: VmRef,
    uuid: String,
    name: String,
    snapshot: VmSnapshot,
}

#[async_trait]
impl Deed for Remove {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        format!("let go:{}", self.uuid).into()
    }

    fn progress(&self, _cx: &StepContext, _fraction: f64) {}

    fn what(&self) -> String {
        format!("remove the VMware snapshot {:?} of {:?}", self.snapshot.name, self.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        "vm.Snapshot.remove"
    }

    async fn look(&self, client: &Client, _: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let all = client.snapshots(&self.vm).await?;
        Ok((!all.iter().any(|one| one.snapshot == self.snapshot.snapshot)).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        client.remove_snapshot(&self.snapshot.snapshot).await
    }
}

/// Brings the running guests to rest, and says in the manifest which are and with which disks.
///
/// # Errors
/// `Cancelled`, or if the database cannot be written: a guest that does not come to rest makes the checkpoint one of another kind, and no failure.
pub(super) async fn bring_to_rest(
    cx: &StepContext,
    vcenters: &Vcenters,
    gathered: &mut Gathered,
    guests: &Guests,
) -> Result<(), Failure> {
    let Gathered { manifest, client, live, late } = gathered;
    let Some(client) = client.clone() else {
        for vm in &mut manifest.vms {
            let because = match &vm.read {
                Read::Inventory { because, .. } => because.clone(),
                _ => "Its vCenter did not answer.".to_owned(),
            };
            vm.rest = Rest::NotQuiesced { because };
        }
        return Ok(());
    };
    let ends = Instant::now() + Duration::from_secs(u64::from(guests.limit_seconds));
    let wishes: Vec<(usize, Wish)> = manifest
        .vms
        .iter()
        .map(|vm| wish(cx, manifest, live.get(&key(&vm.instance_uuid)), &vm.name))
        .enumerate()
        .collect();
    let count = wishes.iter().filter(|(_, wish)| matches!(wish, Wish::Ask(_))).count();
    for (_, wish) in &wishes {
        if let Wish::Ask(deed) = wish {
            let noted = noted(cx, manifest.group, guests.vcenter, deed);
            vcenters.store().note_vm_snapshot(&noted).await.map_err(not_kept)?;
        }
    }
    if count > 0 {
        cx.info(format!("Bringing {} to rest by VMware snapshots.", machines(count)));
    }
    let all = wishes.into_iter().map(|(number, wish)| {
        let (cx, client) = (cx.clone(), client.clone());
        async move {
            let outcome = match wish {
                Wish::Known(rest) => Ok((rest, None, false)),
                Wish::Ask(deed) => ask(&cx, &client, &deed, ends).await,
            };
            (number, outcome)
        }
    });
    let outcomes: Vec<_> = stream::iter(all).buffer_unordered(AT_ONCE).collect().await;
    let mut stopped = None;
    for (number, outcome) in outcomes {
        match outcome {
            Ok((rest, machine, is_late)) => {
                let vm = &mut manifest.vms[number];
                if is_late {
                    late.insert(key(&vm.instance_uuid));
                }
                vm.rest = rest;
                // The disks that were frozen, and never those that it writes to meanwhile.
                vm.machine = machine.or_else(|| vm.machine.take());
            }
            Err(failure) => stopped = Some(failure),
        }
    }
    manifest.kind = Manifest::kind_of(&manifest.vms);
    for (name, because) in manifest.not_quiesced() {
        cx.warn(format!("{name:?} is not at rest in this checkpoint: {because}"));
    }
    match stopped {
        Some(failure) => Err(failure),
        // A task that cannot be stopped has ended well all the same.
        None if cx.cancelled().is_cancelled() => {
            Err(Failure::cancelled("Asked to stop while guests came to rest; no checkpoint was taken."))
        }
        None => Ok(()),
    }
}

enum Wish {
    Known(Rest),
    Ask(Create),
}

fn wish(cx: &StepContext, manifest: &Manifest, now: Option<&MachineNow>, name: &str) -> Wish {
    let not = |because: &str| Wish::Known(Rest::NotQuiesced { because: because.to_owned() });
    let Some(now) = now else { return not("Its vCenter does not have it any more.") };
    match now.power {
        PowerState::On => {}
        PowerState::Off => return Wish::Known(Rest::Off),
        PowerState::Suspended => return not("It is suspended, and nothing can be asked of its guest."),
        PowerState::Unknown => return not("Its vCenter does not know whether it runs."),
    }
    if !now.tools_run {
        return not("VMware Tools do not run in it. Start or install them in the guest.");
    }
    Wish::Ask(create(cx, manifest, now, name))
}

fn create(cx: &StepContext, manifest: &Manifest, now: &MachineNow, name: &str) -> Create {
    let description = format!(
        "Made by Zerfaux for a checkpoint of the protection group {} ({}). It is removed as soon as the checkpoint is \
         taken.",
        manifest.group_name, manifest.group
    );
    Create {
        vm: now.vm.clone(),
        uuid: now.machine.instance_uuid.as_deref().map(key).unwrap_or_default(),
        name: name.to_owned(),
        snapshot: OwnVmSnapshot::of(manifest.group, cx.job().id).to_string(),
        description,
    }
}

/// Noted before it is asked for, so that it is found whatever becomes of this run.
fn noted(cx: &StepContext, group: GroupId, vcenter: VcenterId, deed: &Create) -> NotedVmSnapshot {
    NotedVmSnapshot {
        vcenter,
        vm: deed.vm.clone(),
        snapshot: deed.snapshot.clone(),
        instance_uuid: deed.uuid.clone(),
        name: deed.name.clone(),
        group,
        job: cx.job().id,
        noted_at: cx.now(),
        tries: 0,
        why: None,
    }
}

async fn ask(
    cx: &StepContext,
    client: &Client,
    deed: &Create,
    ends: Instant,
) -> Result<(Rest, Option<Machine>, bool), Failure> {
    let not = |because: String| Ok((Rest::NotQuiesced { because }, None, false));
    if Instant::now() >= ends {
        return not("Its turn did not come within the time that guests have to come to rest.".to_owned());
    }
    let taken = match timeout_at(ends, once(cx, client, deed)).await {
        Ok(Ok(taken)) => taken,
        Ok(Err(failure)) if failure.kind == FailureKind::Cancelled => return Err(failure),
        Ok(Err(failure)) => return not(failure.message),
        Err(_late) => {
            // A task that does not stop may still bring a snapshot: the watch finds it by its name.
            let _unknown = timeout(STOPPING, give_up(&cx.in_any_case(), client, deed)).await;
            let because = "It did not come to rest in time.".to_owned();
            return Ok((Rest::NotQuiesced { because }, None, true));
        }
    };
    let machine = match client.machine_at(&taken.snapshot, &deed.name).await {
        Ok(machine) => machine,
        Err(error) => {
            return not(format!(
                "Which disks its VMware snapshot froze cannot be read. {}",
                Failure::from(error).message
            ));
        }
    };
    let rest = match taken.quiesced {
        true => Rest::Quiesced,
        false => Rest::NotQuiesced {
            because: "vCenter made its VMware snapshot without bringing the guest to rest.".to_owned(),
        },
    };
    Ok((rest, Some(machine), false))
}

/// What an earlier attempt of this run had brought to rest when the checkpoint was taken, as far as its VMware snapshots still
/// show.
pub(super) async fn see_at_rest(cx: &StepContext, gathered: &mut Gathered) {
    let Gathered { manifest, client, live, .. } = gathered;
    let Some(client) = client else { return };
    for number in 0..manifest.vms.len() {
        let (uuid, name) = (key(&manifest.vms[number].instance_uuid), manifest.vms[number].name.clone());
        let Wish::Ask(deed) = wish(cx, manifest, live.get(&uuid), &name) else { continue };
        let because = "The run was interrupted while the checkpoint was taken.".to_owned();
        let mut rest = Rest::NotQuiesced { because };
        if let Ok(Some(taken)) = deed.look(client, None).await
            && taken.quiesced
            && let Ok(machine) = client.machine_at(&taken.snapshot, &name).await
        {
            manifest.vms[number].machine = Some(machine);
            rest = Rest::Quiesced;
        }
        manifest.vms[number].rest = rest;
    }
    manifest.kind = Manifest::kind_of(&manifest.vms);
}

/// Removes the VMware snapshots of this run, also when a person asked to stop. What cannot be removed now is told, and left
/// to the watch.
pub(super) async fn let_go(cx: &StepContext, vcenters: &Vcenters, gathered: &Gathered, guests: &Guests) {
    let Some(client) = &gathered.client else {
        cx.info("Whether a VMware snapshot of this run is left is not known. It is looked for by itself.");
        return;
    };
    let cx = &cx.in_any_case();
    let name = OwnVmSnapshot::of(gathered.manifest.group, cx.job().id).to_string();
    let mut all = Vec::new();
    for vm in &gathered.manifest.vms {
        let uuid = key(&vm.instance_uuid);
        let Some(now) = gathered.live.get(&uuid) else { continue };
        let (cx, client, wanted) = (cx.clone(), client.clone(), name.clone());
        let (of, name, vcenter) = (now.vm.clone(), vm.name.clone(), guests.vcenter);
        let (store, is_late) = (vcenters.store().clone(), gathered.late.contains(&uuid));
        all.push(async move {
            let mut outcome = remove(&cx, &client, (of.clone(), uuid, &name), &wanted).await;
            if matches!(outcome, Ok((count, true)) if count > 0 || !is_late) {
                let forgotten = store.forget_vm_snapshot(vcenter, &of, &wanted).await;
                outcome = forgotten.map_err(not_kept).and(outcome);
            }
            (name, outcome)
        });
    }
    let ended = timeout(REMOVING, stream::iter(all).buffer_unordered(AT_ONCE).collect::<Vec<_>>()).await;
    let Ok(outcomes) = ended else {
        cx.warn(format!(
            "Not all VMware snapshots of this run were removed within {} minutes. It is gone on with by itself.",
            REMOVING.as_secs() / 60
        ));
        return;
    };
    let mut removed = 0;
    for (name, outcome) in outcomes {
        match outcome {
            Ok((count, _)) => removed += count,
            Err(failure) => cx.warn(format!(
                "The VMware snapshot of {name:?} could not be removed: {} It is tried again by itself.",
                failure.message
            )),
        }
    }
    if removed > 0 {
        cx.console(
            Level::Success,
            format!("The VMware snapshots of {} are removed again.", machines(removed)),
        );
    }
}

/// How many were removed, and whether none can come any more.
async fn remove(
    cx: &StepContext,
    client: &Client,
    (vm, uuid, name): (VmRef, String, &str),
    wanted: &str,
) -> Result<(usize, bool), Failure> {
    let mut count = 0;
    for snapshot in client.snapshots(&vm).await?.into_iter().filter(|one| one.name == wanted) {
        let (vm, uuid, name) = (vm.clone(), uuid.clone(), name.to_owned());
        once(cx, client, &Remove { vm, uuid, name, snapshot }).await?;
        count += 1;
    }
    // A task whose time was over may still bring it.
    let quiet = count > 0 || client.running_tasks(&vm, CREATES).await?.is_empty();
    Ok((count, quiet))
}

fn machines(count: usize) -> String {
    if count == 1 { "1 virtual machine".to_owned() } else { format!("{count} virtual machines") }
}
