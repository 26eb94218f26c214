//! The site of `shelled.rs` with a failover that is to be made: of two virtual machines that run at the source, the first with
//! disks and a DR shell, the second without either, in a tier after it. The group's source dataset lies on the same appliance.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::hardware::PowerState;
use zerfaux::domain::ids::{DrShellId, RecoveryRunId};
use zerfaux::domain::inventory::Inventory;
use zerfaux::domain::job::Job;
use zerfaux::domain::machine::BootItem;
use zerfaux::domain::moref::{TaskRef, VmRef};
use zerfaux::domain::recovery_plan::BootProof;
use zerfaux::domain::recovery_run::{RunKind, RunPlan, SourceSide, UsedShell};
use zerfaux::engine::{Definition, Engine, SystemClock};
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::{failover, replicate};
use zerfaux::vsphere::verbs::{CreateVm, DeviceChange, NewDisk, NicConnection, NicSpec, Reconfigure};
use zerfaux::vsphere::{Client, Node};

use crate::deployed::{CONNECTION, Sealed};
use crate::laws::{Facts, Scene, World};
use crate::protected::TARGET;
use crate::shelled::{GROUP, ShelledScene, ShelledWorld, inventory, replica};
use crate::tested;

pub const RUN: RecoveryRunId = RecoveryRunId::from_bytes([7; 16]);
pub const DATASTORE: &str = "zx-failover-070707070707";
/// The shell.
pub const SHELL: &str = "erp-dr";
/// The one that is made.
pub const MADE: &str = "web-dr";
pub const MAC: &str = "00:50:56:01:02:03";
pub const BIOS_UUID: &str = "42380000-0000-4000-8000-00000000beef";
/// The group's dataset at the source.
pub const LIVE: &str = "tank/zerfaux/live/erp";

/// The site, and which failover it is.
pub struct FailedOverWorld {
    pub shelled: ShelledWorld,
    pub planned: bool,
    pub shells: bool,
}

impl FailedOverWorld {
    pub fn planned() -> Self {
        Self { shelled: ShelledWorld::default(), planned: true, shells: true }
    }

    pub fn disaster() -> Self {
        Self { planned: false, ..Self::planned() }
    }
}

async fn done(client: &Client, task: TaskRef) -> Option<Node> {
    client.wait_for_task(&task, "do it", &Default::default(), |_| ()).await.unwrap()
}

/// A shell that has a card on the network of the source, ready to be connected, and a disk of its own.
async fn make_shell(client: &Client, found: &Inventory, plan: &RunPlan) -> UsedShell {
    let spec = &plan.vms[0].spec;
    let san = found.datastores.iter().find(|one| one.name.starts_with("san-")).unwrap();
    let source = found.vms.iter().find(|vm| !vm.template).unwrap();
    let nic = NicSpec {
        kind: "VirtualVmxnet3".to_owned(),
        connection: NicConnection::of(&source.hardware.nics[0].network).unwrap(),
        mac: Some(MAC.to_owned()),
        start_connected: true,
    };
    let disk = NewDisk { controller: -1, unit: 0, capacity_bytes: 1 << 30, thin: true, file: None };
    let config = Reconfigure {
        name: Some(SHELL.to_owned()),
        version: Some("vmx-19".to_owned()),
        guest_id: spec.guest_id.clone(),
        cpus: i32::try_from(spec.cpus).ok(),
        memory_mib: i64::try_from(spec.memory_mib).ok(),
        firmware: Some(spec.firmware),
        devices: vec![
            DeviceChange::AddController { key: -1, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 },
            DeviceChange::AddDisk(disk),
            DeviceChange::AddNic(nic),
        ],
        ..Reconfigure::default()
    };
    let create = CreateVm {
        folder: spec.folder.clone(),
        pool: spec.pool.clone(),
        host: spec.host.clone(),
        home: format!("[{}]", san.name),
        config,
    };
    let made = done(client, client.create_vm(&create).await.unwrap()).await.unwrap();
    let vm = VmRef::new(made.reference().unwrap().id);
    let instance_uuid = client.machine(&vm).await.unwrap().instance_uuid;
    UsedShell { id: DrShellId::from_bytes([6; 16]), vm, instance_uuid }
}

impl FailedOverWorld {
    /// The failover that is asked for.
    async fn plan(&self, made: &ShelledScene) -> RunPlan {
        let client = made.client().await;
        let found = inventory(&client).await;
        let mut plan = tested::plan_of(&made.machine(), &found, &made.known["wish"]["hosts"]);
        plan.run_id = RUN;
        plan.clone = format!("tank/zerfaux/run/{GROUP}-20261128T190000Z").parse().unwrap();
        plan.datastore = DATASTORE.to_owned();
        let running: Vec<_> = found.vms.iter().filter(|vm| vm.power == PowerState::On).take(2).collect();
        for ((vm, source), name) in plan.vms.iter_mut().zip(running).zip([SHELL, MADE]) {
            vm.source_uuid = source.instance_uuid.clone().unwrap();
            vm.source = self.planned.then(|| source.object.clone());
            vm.spec.name = name.to_owned();
            vm.spec.home_datastore = DATASTORE.to_owned();
            vm.check.proof = BootProof::Tools;
        }
        plan.vms[0].bios_uuid = Some(BIOS_UUID.to_owned());
        plan.vms[0].spec.nics[0].mac = Some(MAC.to_owned());
        let second = plan.vms[0].spec.disks[1].key;
        plan.vms[0].spec.boot_order = vec![BootItem::Disk { key: second }, BootItem::Cd];
        if self.shells {
            plan.vms[0].shell = Some(make_shell(&client, &found, &plan).await);
        }
        plan.kind = RunKind::DisasterFailover;
        plan.reason = Some("the source burns".to_owned());
        if self.planned {
            plan.kind = RunKind::PlannedFailover;
            plan.source = Some(SourceSide {
                vcenter_id: CONNECTION,
                target_id: TARGET,
                dataset: LIVE.parse().unwrap(),
                shutdown_seconds: 120,
                then_power_off: false,
            });
        }
        client.log_out().await.unwrap();
        plan
    }

    pub async fn start(&self, place: &Path) -> Arc<FailedOverScene> {
        let made = self.shelled.start(place).await;
        let replica = replica();
        let appliance = &made.sites.as_ref().unwrap().appliance;
        for command in [
            "zfs create -o canmount=off -o mountpoint=none tank/zerfaux/live".to_owned(),
            format!("zfs send {replica}@zx-1 | zfs receive -u {LIVE}"),
            format!("zfs set zerfaux:group={GROUP} {LIVE}@zx-1"),
            format!("zfs set zerfaux:group={GROUP} zerfaux:role=replica {replica}"),
            format!("zfs set zerfaux:group={GROUP} zerfaux:role=live {LIVE}"),
        ] {
            let done = appliance.run(&command);
            assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        }
        let plan = self.plan(&made).await;
        std::fs::write(place.join("failover"), serde_json::to_string(&plan).unwrap()).unwrap();
        Arc::new(FailedOverScene { made, plan, runs: Once::new() })
    }

    pub fn reopen(place: &Path) -> Arc<FailedOverScene> {
        let made = ShelledWorld::reopen(place);
        let plan = serde_json::from_str(&std::fs::read_to_string(place.join("failover")).unwrap()).unwrap();
        Arc::new(FailedOverScene { made, plan, runs: Once::new() })
    }
}

#[async_trait]
impl World for FailedOverWorld {
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
        self.shelled.remove(place).await;
    }
}

pub struct FailedOverScene {
    pub made: Arc<ShelledScene>,
    pub plan: RunPlan,
    runs: Once,
}

impl FailedOverScene {
    /// The runs of groups, as another engine on the store of this scene does them.
    fn replication(&self) -> Definition {
        replications(&self.made)
    }

    /// What is there.
    pub async fn facts(&self) -> Facts {
        let mut facts = self.made.fingerprint().await;
        let Some(sites) = &self.made.sites else { return facts };
        let exports = sites.appliance.run("exportfs -v");
        facts.insert("exports".to_owned(), String::from_utf8(exports.stdout).unwrap());
        let of = |command: &str| String::from_utf8(sites.appliance.run(command).stdout).unwrap();
        let snapshots = of(&format!("zfs list -H -r -t snapshot -o name {}", replica()));
        let held: BTreeSet<String> = snapshots
            .lines()
            .flat_map(|name| {
                of(&format!("zfs holds -H {name}")).lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .filter_map(|line| Some(line.split('\t').nth(1)?.to_owned()))
            .filter(|tag| tag.starts_with("zerfaux-run"))
            .collect();
        facts.insert("holds".to_owned(), format!("{held:?}"));
        // Which checkpoints there are beyond the first is the replication's business; of which a clone is, is ours.
        let datasets: Vec<String> = facts["datasets"].lines().filter_map(without_runs).collect();
        facts.insert("datasets".to_owned(), datasets.join("\n"));
        facts
    }

    /// The run as it is kept.
    async fn kept(&self, facts: &mut Facts) {
        let on_disk = self.made.sites.is_some().then(|| self.made.store_on_disk()).flatten();
        let store = on_disk.as_ref().unwrap_or(&self.made.store);
        if let Some(run) = store.recovery_run(RUN).await.unwrap() {
            let kept = (run.checkpoint.is_some(), run.up_at.is_some(), run.outcome);
            facts.insert("run".to_owned(), format!("{kept:?}"));
        }
        if let Some((state, _)) = store.recovery_state(GROUP).await.unwrap() {
            facts.insert("state".to_owned(), format!("{:?} fenced: {:?}", state.phase(), state.fenced));
        }
        for vm in store.run_vms(RUN).await.unwrap() {
            let before = (
                vm.before.shell_hardware.map(|one| (one.disks.len(), one.controllers.len(), one.nics.len())),
                vm.before.shell_bios_uuid.is_some(),
                vm.before.source_was_on,
            );
            let told = format!("{:?} {:?} {before:?}", vm.state, vm.failure);
            facts.insert(format!("run vm {}", vm.test_name), told);
        }
        for step in store.run_steps(RUN).await.unwrap() {
            let uuid = step.source_uuid.as_deref();
            let of = self.plan.vms.iter().find(|vm| uuid == Some(&*vm.source_uuid));
            let name = format!("run step {} {}", step.step, of.map_or("all", |vm| vm.spec.name.as_str()));
            facts.insert(name, format!("{:?} {}", step.ok, step.ended_at.is_some()));
        }
        if let Some(store) = on_disk {
            // After a crash neither a second one nor none.
            let runs = store.recent_group_runs().await.unwrap().remove(&GROUP).unwrap_or_default();
            facts.insert("runs of the group".to_owned(), runs.len().to_string());
            store.close().await;
        }
    }
}

/// The runs of groups.
pub fn replications(made: &ShelledScene) -> Definition {
    let sealed = Arc::new(Sealed(made.known["key"].as_str().unwrap().to_owned()));
    let (_, vcenters) = made.grounds();
    replicate::definition_for_groups(Arc::new(Hosts::new(Some(sealed), None)), vcenters)
}

/// A line of the datasets, with the checkpoints of runs called the same.
fn without_runs(line: &str) -> Option<String> {
    let is_run = |name: &str| {
        let tag = name.split_once(['@', '#']).map(|(_, tag)| tag);
        tag.is_some_and(|tag| tag != "zx-1")
    };
    let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
    if is_run(&fields[0]) {
        return None;
    }
    for field in fields.iter_mut().skip(1).filter(|field| is_run(field)) {
        *field = "the last run".to_owned();
    }
    Some(fields.join("\t"))
}

#[async_trait]
impl Scene for FailedOverScene {
    fn definition(&self) -> Definition {
        self.runs.call_once(|| {
            let engine =
                Engine::new(self.made.store.clone(), vec![self.replication()], Arc::new(SystemClock::new()));
            tokio::spawn(async move {
                while engine.run_until_idle().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        });
        let (targets, vcenters) = self.made.grounds();
        failover::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        serde_json::to_value(&self.plan).unwrap()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = self.facts().await;
        self.kept(&mut facts).await;
        facts
    }
    /// Times and tags of the run are not the same in two lives of a site.
    fn steady(&self, mut output: Value) -> Value {
        if output["snapshot"].is_string() {
            output["taken_at"] = Value::Null;
        }
        output
    }
    /// References are not the same in two lives of a site.
    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        json!({ "state": job.state, "up": result["vms_up"], "failed": result["vms_failed"] })
    }
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("run", "what was done is told afterwards"),
            ("state", "a group that nothing was done to has none"),
        ]
    }
}
