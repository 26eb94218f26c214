//! What a shell is, and what is left of it when something stands in the way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zerfaux::domain::job::{FailureKind, Job, JobState};
use zerfaux::domain::moref::VmRef;
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::store::Store;

use crate::laws::{Facts, Scene};
use crate::shelled::{GROUP, SOURCE, ShelledScene, ShelledWorld, replica};

const KIND: &str = "create_dr_shell";

struct Site {
    scene: Arc<ShelledScene>,
    engine: Engine,
    _world: ShelledWorld,
    _place: tempfile::TempDir,
}

impl Site {
    async fn new(world: ShelledWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![scene.definition()], clock);
        Self { scene, engine, _world: world, _place: place }
    }

    async fn run(&self, change: impl Fn(&mut Value)) -> Job {
        let mut input = self.scene.input();
        change(&mut input);
        let id = self.engine.enqueue(KIND, input, "anna").await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    fn zfs(&self, command: &str) -> String {
        let appliance = &self.scene.sites.as_ref().unwrap().appliance;
        let done = appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    }

    /// Failed here with these words; and a cleanup leaves the site as it was.
    async fn fails(&self, job: &Job, before: &Facts, phase: &str, says: &str) {
        let failure = job.failure.as_ref().unwrap_or_else(|| panic!("{job:?}"));
        assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some(phase)), "{failure:?}");
        assert!(failure.message.contains(says), "{says:?} is not in {:?}", failure.message);
        self.engine.cleanup(job.id).await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        assert_eq!(self.scene.fingerprint().await, *before);
    }
}

/// The replica as ZFS sees it: nothing of it may change.
fn untouched(site: &Site) -> String {
    let replica = replica();
    let columns = "name,guid,used,written,mounted,mountpoint,sharenfs,readonly,canmount";
    site.zfs(&format!("zfs list -Hp -r -t filesystem -o {columns} {replica}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_has_the_hardware_of_its_source_and_no_disks_until_they_are_needed() {
    let site = Site::new(ShelledWorld::default()).await;
    let replica_before = untouched(&site);
    let job = site.run(|_| ()).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(untouched(&site), replica_before, "the replica is never touched");

    let source = site.scene.machine();
    let client = site.scene.client().await;
    let vm = VmRef::new(job.result.as_ref().unwrap()["vm_moref"].as_str().unwrap());
    let made = client.machine(&vm).await.unwrap();
    assert_eq!((made.name.as_str(), made.hardware.disks.len()), (SOURCE, 0));
    let hardware = |one: &zerfaux::domain::machine::Machine| {
        let nics: Vec<_> = one
            .hardware
            .nics
            .iter()
            .map(|nic| (nic.kind.clone(), nic.mac.clone(), nic.mac_is_manual))
            .collect();
        let controllers: Vec<_> =
            one.hardware.controllers.iter().map(|one| (one.kind.clone(), one.bus)).collect();
        let sizes = (one.cpus, one.cores_per_socket, one.memory_mib, one.version);
        (sizes, one.firmware, one.secure_boot, one.shows_disk_uuids, one.guest_id.clone(), nics, controllers)
    };
    assert_eq!(hardware(&made), hardware(&source));
    assert_ne!(made.instance_uuid, source.instance_uuid);

    let shells = site.scene.store.dr_shells(GROUP).await.unwrap();
    let shell = &shells[0];
    assert_eq!((shells.len(), shell.vm.clone(), shell.view.clone()), (1, vm, None));
    let proved: Vec<_> =
        shell.disks.iter().map(|disk| (disk.place.clone(), disk.capacity_bytes.unwrap())).collect();
    let place = |kind: &str, bus, unit| (kind.to_owned(), bus, unit);
    let expected = [
        (place("ParaVirtualSCSIController", 0, 0), 16 << 30),
        (place("ParaVirtualSCSIController", 0, 8), 40 << 30),
        (place("VirtualLsiLogicSASController", 1, 3), 100 << 30),
        (place("VirtualNVMEController", 0, 0), 8_u64 << 30),
    ];
    assert_eq!(proved, expected);
    assert!(!site.zfs("zfs list -H -o name").contains("shell-"), "no clone is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_view_kept_the_disks_stay_attached_and_replication_goes_on() {
    let site = Site::new(ShelledWorld { keep_view: true, ..ShelledWorld::default() }).await;
    let job = site.run(|_| ()).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    let shell = site.scene.store.dr_shells(GROUP).await.unwrap().swap_remove(0);
    let view = shell.view.unwrap();
    let made = site.scene.client().await.machine(&shell.vm).await.unwrap();
    assert_eq!(made.hardware.disks.len(), 4);
    for disk in &made.hardware.disks {
        assert!(disk.file.as_deref().unwrap().starts_with(&format!("[{}] ", view.datastore)), "{disk:?}");
    }
    let origin = site.zfs(&format!("zfs get -Hp -o value origin,zerfaux:role {}", view.dataset));
    assert_eq!(origin.trim(), format!("{}@zx-1\nrun", replica()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_in_the_checkpoint_is_named_and_nothing_is_left() {
    let site = Site::new(ShelledWorld::default()).await;
    let before = site.scene.fingerprint().await;
    let job = site.run(|input| input["spec"]["disks"][1]["path"] = json!("erp/gone.vmdk")).await;
    site.fails(&job, &before, "attach", "gone.vmdk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_of_another_size_is_no_proof() {
    let site = Site::new(ShelledWorld::default()).await;
    let before = site.scene.fingerprint().await;
    let job = site.run(|input| input["spec"]["disks"][0]["capacity_bytes"] = json!(1_u64 << 30)).await;
    assert_eq!(job.failure.as_ref().unwrap().kind, FailureKind::Refused);
    site.fails(&job, &before, "attach", "it is another disk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_checkpoint_nothing_is_made() {
    let site = Site::new(ShelledWorld::default()).await;
    let before = site.scene.fingerprint().await;
    let other = "0192ffff-0000-7000-8000-000000000001";
    let job = site.run(|input| input["group_id"] = json!(other)).await;
    let failure = job.failure.as_ref().unwrap();
    assert!(failure.message.contains("has no checkpoint of this group yet"), "{failure:?}");
    assert_eq!(site.scene.fingerprint().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_shell_of_that_name_is_left_alone_also_when_taken_back() {
    let site = Site::new(ShelledWorld::default()).await;
    assert_eq!(site.run(|_| ()).await.state, JobState::Succeeded);
    let before = site.scene.fingerprint().await;
    let other = "50380000-0000-4000-8000-000000000000";
    let job = site.run(|input| input["source_uuid"] = json!(other)).await;
    site.fails(&job, &before, "create", "which this job did not make").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_shell_of_one_machine_is_refused_and_taken_back() {
    let site = Site::new(ShelledWorld::default()).await;
    assert_eq!(site.run(|_| ()).await.state, JobState::Succeeded);
    let before = site.scene.fingerprint().await;
    let job = site.run(|input| input["spec"]["name"] = json!("erp-again")).await;
    assert_eq!(job.failure.as_ref().unwrap().kind, FailureKind::Refused);
    site.fails(&job, &before, "record", "another DR shell").await;
}

fn lock(site: &Site) -> String {
    site.zfs(&format!("zfs get -H -o value keystatus {}", replica())).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_replica_is_opened_with_its_key_and_only_as_long_as_needed() {
    let site = Site::new(ShelledWorld { encrypted: true, ..ShelledWorld::default() }).await;
    let (before, locked) = (untouched(&site), lock(&site));
    assert_eq!(locked, "unavailable");
    let job = site.run(|_| ()).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(site.scene.store.dr_shells(GROUP).await.unwrap()[0].disks.len(), 4, "the disks were seen");
    assert_eq!((untouched(&site), lock(&site)), (before, locked), "locked again");
    assert!(!site.zfs("zfs list -H -o name").contains("shell-"), "no clone is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_stays_keeps_its_replica_open() {
    let site = Site::new(ShelledWorld { encrypted: true, keep_view: true, ..ShelledWorld::default() }).await;
    let job = site.run(|_| ()).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(lock(&site), "available");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_an_encrypted_replica_is_refused_in_plain_words() {
    let site = Site::new(ShelledWorld { encrypted: true, ..ShelledWorld::default() }).await;
    site.scene.store.delete_group_key(GROUP, crate::deployed::line()).await.unwrap();
    let before = site.scene.fingerprint().await;
    let job = site.run(|_| ()).await;
    let failure = job.failure.as_ref().unwrap();
    assert_eq!(job.failed_phase.as_deref(), Some("view"), "{failure:?}");
    assert!(failure.message.contains("Zerfaux keeps no key for this group"), "{failure:?}");
    assert_eq!(site.scene.fingerprint().await, before, "nothing was begun");

    // The key was changed on the appliance after it was entered.
    let site = Site::new(ShelledWorld { encrypted: true, ..ShelledWorld::default() }).await;
    site.zfs(&format!("zfs destroy {0}@zx-1 && zfs destroy {0}", replica()));
    site.zfs(&format!(
        "printf battery-staple | zfs create -o encryption=on -o keyformat=passphrase -o canmount=noauto {}",
        replica()
    ));
    site.zfs(&format!("zfs snapshot -o zerfaux:group={GROUP} {}@zx-1", replica()));
    site.zfs(&format!("zfs unload-key {}", replica()));
    let before = site.scene.fingerprint().await;
    let job = site.run(|_| ()).await;
    site.fails(&job, &before, "view", "is not the one of").await;
    assert_eq!(lock(&site), "unavailable");
}
