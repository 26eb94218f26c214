//! The site of `tested.rs` with a failover instead of a test: one virtual machine is recovered as its DR shell, which has a view
//! that stands, one is made. For the job that rolls it back, and for the failover that is killed before.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::machine::BootItem;
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::recovery_run::{
    Before, Recovered, RecoveryRun, RunKind, RunPlan, SourceSide, UsedShell,
};
use zerfaux::engine::{Definition, Engine, ManualClock};
use zerfaux::jobs::{create_dr_shell, failover, roll_back_failover};
use zerfaux::store::{RunVmChange, Store};
use zerfaux::vsphere::Client;

use crate::as_before;
use crate::deployed::{CONNECTION, by_name};
use crate::laws::{Facts, Scene, World};
use crate::protected::TARGET;
use crate::shelled::{ShelledScene, ShelledWorld, without_ids};
use crate::tested::{RUN, TestedScene, TestedWorld};

pub struct BegunWorld {
    pub tested: TestedWorld,
}

impl Default for BegunWorld {
    fn default() -> Self {
        Self::with_view(true)
    }
}

impl BegunWorld {
    /// Whether the shell has disks from a view that stands.
    pub fn with_view(keep_view: bool) -> Self {
        Self { tested: TestedWorld { shelled: ShelledWorld { keep_view, ..ShelledWorld::default() } } }
    }

    pub async fn start(&self, place: &Path) -> Arc<BegunScene> {
        let tested = self.tested.start(place).await;
        let (targets, vcenters) = tested.made.grounds();
        let job =
            run(create_dr_shell::definition(targets, vcenters), tested.made.known["wish"].clone()).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        let plan = failover_of(&tested).await;
        std::fs::write(place.join("failover"), serde_json::to_string(&plan).unwrap()).unwrap();
        Arc::new(BegunScene::new(Arc::clone(&tested.made), plan))
    }

    pub fn reopen(place: &Path) -> Arc<BegunScene> {
        let made = ShelledWorld::reopen(place);
        let plan = serde_json::from_str(&std::fs::read_to_string(place.join("failover")).unwrap()).unwrap();
        Arc::new(BegunScene::new(made, plan))
    }
}

/// Runs a job to its end, on a database of its own.
pub async fn run(definition: Definition, input: Value) -> Job {
    let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(1800)));
    let kind = definition.kind;
    let engine = Engine::new(Store::open_in_memory().unwrap(), vec![definition], clock);
    let id = engine.enqueue(kind, input, "anna").await.unwrap();
    engine.run_until_idle().await.unwrap();
    engine.job(id).await.unwrap()
}

/// Virtual machines of the inventory that run: the source is played by them.
async fn running(client: &Client) -> Vec<(VmRef, String)> {
    let mut all = Vec::new();
    for (_, id) in by_name(client, "VirtualMachine").await {
        let vm = VmRef::new(id);
        let paths = ["runtime.powerState", "config.instanceUuid"];
        let found = client.properties(&vm, VmRef::KIND, &paths).await.unwrap();
        if found.text("runtime.powerState") == Some("poweredOn") {
            all.push((vm, found.text("config.instanceUuid").unwrap().to_owned()));
        }
    }
    all
}

/// The test of the site as a planned failover.
async fn failover_of(tested: &TestedScene) -> RunPlan {
    let mut plan = tested.plan.clone();
    let shell = tested.made.store.dr_shells(plan.group_id).await.unwrap().swap_remove(0);
    plan.kind = RunKind::PlannedFailover;
    let dataset = "tank/zerfaux/live/erp".parse().unwrap();
    let (vcenter_id, target_id) = (CONNECTION, TARGET);
    let source = SourceSide { vcenter_id, target_id, dataset, shutdown_seconds: 60, then_power_off: false };
    plan.source = Some(source);
    let client = tested.made.client().await;
    for (vm, (source, uuid)) in plan.vms.iter_mut().zip(running(&client).await) {
        (vm.source, vm.source_uuid) = (Some(source), uuid);
    }
    assert!(plan.vms.iter().all(|vm| vm.source.is_some()), "the source has too few that run");
    client.log_out().await.unwrap();
    let (first, rest) = plan.vms.split_first_mut().unwrap();
    first.spec.name.clone_from(&shell.spec.name);
    first.bios_uuid = tested.made.machine().bios_uuid;
    for (nic, own) in first.spec.nics.iter_mut().zip(&shell.spec.nics) {
        nic.mac.clone_from(&own.mac);
    }
    let (disk, nic) = (first.spec.disks[0].key, first.spec.nics[0].key);
    first.spec.boot_order = vec![BootItem::Disk { key: disk }, BootItem::Nic { key: nic }];
    first.shell = Some(UsedShell { id: shell.id, vm: shell.vm, instance_uuid: shell.instance_uuid });
    rest[0].spec.name = "web".to_owned();
    plan
}

/// A failover that is to be done, and what of it a rollback takes back. The guests of the source are shut down by hand, because
/// its last run has a world of its own.
pub struct BegunScene {
    pub tested: TestedScene,
}

impl BegunScene {
    fn new(made: Arc<ShelledScene>, plan: RunPlan) -> Self {
        Self { tested: TestedScene { made, plan } }
    }

    pub fn plan(&self) -> &RunPlan {
        &self.tested.plan
    }

    pub fn made(&self) -> &ShelledScene {
        &self.tested.made
    }

    /// What the failover is given: without the source.
    pub fn alone(&self) -> Value {
        serde_json::to_value(RunPlan { source: None, ..self.plan().clone() }).unwrap()
    }

    /// Both sides, down to references and GUIDs.
    pub async fn exact(&self) -> Facts {
        let client = self.made().client().await;
        let mut facts = as_before::vcenter(&client).await;
        client.log_out().await.unwrap();
        facts.extend(as_before::appliance(&self.made().sites.as_ref().unwrap().appliance));
        facts
    }

    /// Shuts the source down as the failover would have, first keeping that it ran.
    pub async fn shut_down(&self, store: &Store, how_many: usize) {
        let client = self.made().client().await;
        for vm in &self.plan().vms {
            let before = Before { source_was_on: Some(true), ..Before::default() };
            store.note_run_vm_before(RUN, &vm.source_uuid, &before).await.unwrap();
        }
        for vm in self.plan().vms.iter().rev().take(how_many) {
            let off = client.power_off(vm.source.as_ref().unwrap()).await.unwrap();
            client.wait_for_task(&off, "power it off", &Default::default(), |_| ()).await.unwrap();
        }
        client.log_out().await.unwrap();
    }
}

#[async_trait]
impl World for BegunWorld {
    fn kind(&self) -> &'static str {
        "failover"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        Self::reopen(place)
    }
    async fn remove(&self, place: &Path) {
        self.tested.remove(place).await;
    }
}

#[async_trait]
impl Scene for BegunScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.made().grounds();
        failover::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        self.alone()
    }
    async fn fingerprint(&self) -> Facts {
        self.tested.fingerprint().await
    }
    fn outcome(&self, job: &Job) -> Value {
        json!({ "state": job.state })
    }
}

#[derive(Default)]
pub struct RolledBackWorld {
    pub begun: BegunWorld,
}

/// What is written down of the run when its rollback begins.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    checkpoint: Recovered,
    vms: Vec<(String, VmRef, Option<String>, Before)>,
}

/// Puts into the store of another process what the failover has left there.
async fn seed(scene: &BegunScene, kept: Kept) {
    let store = &scene.made().store;
    let job = zerfaux::domain::ids::JobId::from_bytes([8; 16]);
    let run = RecoveryRun::new(scene.plan().clone(), job, "anna".to_owned(), jiff::Timestamp::UNIX_EPOCH);
    store.ensure_recovery_run(&run).await.unwrap();
    store.note_recovered(RUN, &kept.checkpoint).await.unwrap();
    for (source, vm, uuid, before) in kept.vms {
        let change = RunVmChange { made: Some((vm, uuid)), ..RunVmChange::default() };
        store.change_run_vm(RUN, &source, change).await.unwrap();
        store.note_run_vm_before(RUN, &source, &before).await.unwrap();
    }
}

#[async_trait]
impl World for RolledBackWorld {
    fn kind(&self) -> &'static str {
        "roll_back_failover"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let begun = self.begun.start(place).await;
        let job = run(begun.definition(), begun.alone()).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        let store = &begun.made().store;
        begun.shut_down(store, 2).await;
        let checkpoint = store.recovery_run(RUN).await.unwrap().unwrap().checkpoint.unwrap();
        let vms = store.run_vms(RUN).await.unwrap().into_iter();
        let vms = vms.map(|vm| (vm.source_uuid, vm.vm.unwrap(), vm.instance_uuid, vm.before)).collect();
        let kept = Kept { checkpoint, vms };
        std::fs::write(place.join("kept"), serde_json::to_string(&kept).unwrap()).unwrap();
        Arc::new(RolledBackScene { begun })
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        let begun = BegunWorld::reopen(place);
        let kept: Kept = serde_json::from_str(&std::fs::read_to_string(place.join("kept")).unwrap()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(seed(&begun, kept));
            });
        });
        Arc::new(RolledBackScene { begun })
    }
    async fn remove(&self, place: &Path) {
        self.begun.remove(place).await;
    }
}

pub struct RolledBackScene {
    pub begun: Arc<BegunScene>,
}

#[async_trait]
impl Scene for RolledBackScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.begun.made().grounds();
        roll_back_failover::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        serde_json::to_value(self.begun.plan()).unwrap()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = self.begun.fingerprint().await;
        // Those of the failover itself are not in the store of another process, nor is its shell.
        facts.retain(|name, _| !name.starts_with("run step") && name != "shell" && name != "run");
        for value in facts.values_mut() {
            *value = without_ids(value);
        }
        facts
    }
    fn outcome(&self, job: &Job) -> Value {
        json!({ "state": job.state })
    }
}
