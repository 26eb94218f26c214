//! The site of `shelled.rs` with a test that is to be made: of the virtual machine whose disks are in the checkpoint, and of a
//! second one without disks, in a tier after it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::checkpoint::CheckpointKind;
use zerfaux::domain::hardware::PowerState;
use zerfaux::domain::ids::{ProtectedVmId, RecoveryRunId};
use zerfaux::domain::inventory::Inventory;
use zerfaux::domain::job::Job;
use zerfaux::domain::machine::Machine;
use zerfaux::domain::manifest::{Manifest, ManifestVm, Read, Rest};
use zerfaux::domain::moref::{ManagedRef, VmRef};
use zerfaux::domain::recovery_plan::{PlanVm, RecoveryPlan, Tier};
use zerfaux::domain::recovery_run::{CheckpointWish, RunPlan};
use zerfaux::engine::Definition;
use zerfaux::jobs::test_failover;
use zerfaux::plan::dr_shell::Wish as Places;
use zerfaux::plan::test_failover::{Facts as TestFacts, Member, TestWish, test_failover};

use crate::deployed::CONNECTION;
use crate::laws::{Facts, Scene, World};
use crate::protected::TARGET;
use crate::shelled::{GROUP, SOURCE, ShelledScene, ShelledWorld, inventory, replica};

pub const RUN: RecoveryRunId = RecoveryRunId::from_bytes([8; 16]);
/// The one without disks.
pub const SECOND: &str = "web";
pub const SECOND_UUID: &str = "50380000-0000-4000-8000-000000000002";
pub const DATASTORE: &str = "zx-test-080808080808";

#[derive(Default)]
pub struct TestedWorld {
    pub shelled: ShelledWorld,
}

fn member(number: u8, name: &str, uuid: &str) -> Member {
    let places = Places {
        folder: Some("Infrastructure".to_owned()),
        resource_pool: Some("Recovery".to_owned()),
        ..Places::default()
    };
    let id = ProtectedVmId::from_bytes([number; 16]);
    Member { id, instance_uuid: uuid.to_owned(), name: name.to_owned(), host_name: None, places }
}

fn in_it(machine: &Machine, vm: &str) -> ManifestVm {
    ManifestVm {
        vm: VmRef::new(vm),
        instance_uuid: machine.instance_uuid.clone().unwrap(),
        name: machine.name.clone(),
        power: PowerState::On,
        machine: Some(machine.clone()),
        read: Read::Vcenter,
        rest: Rest::NotAsked,
    }
}

/// The test that is asked for, as the wizard would have it planned.
pub fn plan_of(machine: &Machine, inventory: &Inventory, hosts: &Value) -> RunPlan {
    let mut second = machine.clone();
    (second.name, second.instance_uuid) = (SECOND.to_owned(), Some(SECOND_UUID.to_owned()));
    second.hardware.disks.clear();
    let manifest = Manifest {
        group: GROUP,
        group_name: "ERP".to_owned(),
        epoch: String::new(),
        taken_at: jiff::Timestamp::UNIX_EPOCH,
        kind: CheckpointKind::CrashConsistent,
        vms: vec![in_it(machine, "vm-1"), in_it(&second, "vm-2")],
        networks: std::collections::BTreeMap::new(),
    };
    let members =
        [member(1, SOURCE, machine.instance_uuid.as_ref().unwrap()), member(2, SECOND, SECOND_UUID)];
    let tier = |name: &str, member: &Member| Tier {
        name: name.to_owned(),
        delay_after_seconds: 5,
        vms: vec![PlanVm::plain(member.id)],
    };
    let plan = RecoveryPlan {
        tiers: vec![tier("Databases", &members[0]), tier("Web", &members[1])],
        ..RecoveryPlan::default()
    };
    let from = machine.hardware.nics[0].network.key().unwrap().to_owned();
    let to = test_network(machine, inventory);
    let wish = TestWish { networks: [(from, to.id)].into(), ..TestWish::default() };
    let taken: Vec<(ManagedRef, String)> =
        inventory.vms.iter().filter_map(|vm| Some((vm.parent.clone()?, vm.name.clone()))).collect();
    let facts = TestFacts {
        manifest: &manifest,
        plan: &plan,
        members: &members,
        places: &inventory.places,
        datastores: &inventory.datastores,
        networks: &inventory.networks,
        taken: &taken,
        appliance: ("127.0.0.1", "tank"),
        datastore: DATASTORE,
    };
    let planned = test_failover(&wish, &facts);
    assert_eq!(
        (planned.obstacles.len(), planned.left_out.len(), planned.vms.len()),
        (0, 0, 2),
        "{planned:?}"
    );
    RunPlan {
        kind: zerfaux::domain::recovery_run::RunKind::Test,
        source: None,
        run_id: RUN,
        group_id: GROUP,
        group_name: "ERP".to_owned(),
        dr_vcenter_id: CONNECTION,
        dr_target_id: TARGET,
        replica: replica().parse().unwrap(),
        checkpoint: CheckpointWish::Newest,
        clone: format!("tank/zerfaux/run/{GROUP}-20261128T120000Z").parse().unwrap(),
        datastore: DATASTORE.to_owned(),
        nfs_clients: "127.0.0.0/8".parse().unwrap(),
        hosts: serde_json::from_value(hosts.clone()).unwrap(),
        tiers: planned.tiers,
        vms: planned.vms,
        left_out: planned.left_out,
        power_ons: 2,
        reason: Some("monthly rehearsal".to_owned()),
        cleanup_minutes: None,
    }
}

/// The network that the cards of the test are connected to: not that of the source.
pub fn test_network(machine: &Machine, inventory: &Inventory) -> ManagedRef {
    let from = machine.hardware.nics[0].network.key().unwrap();
    let another = |one: &&zerfaux::domain::inventory::Network| {
        one.object.id != from && one.portgroup_key.as_deref() != Some(from) && one.name != from
    };
    let mut all: Vec<_> = inventory.networks.iter().filter(another).collect();
    all.sort_by_key(|one| one.object.kind != "Network");
    all[0].object.clone()
}

impl TestedWorld {
    pub async fn start(&self, place: &Path) -> Arc<TestedScene> {
        let made = self.shelled.start(place).await;
        let client = made.client().await;
        let found = inventory(&client).await;
        client.log_out().await.unwrap();
        let plan = plan_of(&made.machine(), &found, &made.known["wish"]["hosts"]);
        std::fs::write(place.join("test"), serde_json::to_string(&plan).unwrap()).unwrap();
        Arc::new(TestedScene { made, plan })
    }

    pub fn reopen(place: &Path) -> Arc<TestedScene> {
        let made = ShelledWorld::reopen(place);
        let plan = serde_json::from_str(&std::fs::read_to_string(place.join("test")).unwrap()).unwrap();
        Arc::new(TestedScene { made, plan })
    }
}

#[async_trait]
impl World for TestedWorld {
    fn kind(&self) -> &'static str {
        "test_failover"
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

pub struct TestedScene {
    pub made: Arc<ShelledScene>,
    pub plan: RunPlan,
}

impl TestedScene {
    /// What is there, and what is written down of the run.
    pub async fn facts(&self) -> Facts {
        let mut facts = self.made.fingerprint().await;
        if let Some(sites) = &self.made.sites {
            let held = sites.appliance.run(&format!("zfs holds -H {}@zx-1", replica()));
            let held = String::from_utf8(held.stdout).unwrap();
            let tags: Vec<&str> = held.lines().filter_map(|line| line.split('\t').nth(1)).collect();
            facts.insert("holds".to_owned(), tags.join(" "));
            let exports = sites.appliance.run("exportfs -v");
            facts.insert("exports".to_owned(), String::from_utf8(exports.stdout).unwrap());
        }
        facts
    }

    /// The run as it is kept.
    async fn kept(&self, facts: &mut Facts) {
        let on_disk = self.made.sites.is_some().then(|| self.made.store_on_disk()).flatten();
        let store = on_disk.as_ref().unwrap_or(&self.made.store);
        if let Some(run) = store.recovery_run(RUN).await.unwrap() {
            let kept =
                (run.checkpoint.map(|one| one.snapshot), run.up_at.is_some(), run.cleaned_at.is_some());
            facts.insert("run".to_owned(), format!("{kept:?}"));
        }
        for vm in store.run_vms(RUN).await.unwrap() {
            facts.insert(format!("run vm {}", vm.name), format!("{:?} {:?}", vm.state, vm.failure));
        }
        for step in store.run_steps(RUN).await.unwrap() {
            let of =
                step.source_uuid.as_deref().map(|uuid| if uuid == SECOND_UUID { SECOND } else { SOURCE });
            let name = format!("run step {} {}", step.step, of.unwrap_or("all"));
            facts.insert(name, format!("{:?} {}", step.ok, step.ended_at.is_some()));
        }
        if let Some(store) = on_disk {
            store.close().await;
        }
    }
}

#[async_trait]
impl Scene for TestedScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.made.grounds();
        test_failover::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        serde_json::to_value(&self.plan).unwrap()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = self.facts().await;
        self.kept(&mut facts).await;
        facts
    }
    /// References are not the same in two lives of a site.
    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        json!({ "state": job.state, "up": result["vms_up"], "failed": result["vms_failed"] })
    }
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![("run", "what was done is told afterwards")]
    }
}
