//! What goes wrong with a deployment: in which phase, with what words, after how many attempts, and that nothing is left
//! afterwards.

#[path = "guests.rs"]
mod guests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zerfaux::domain::job::{FailureKind, Job, JobState, StepEvent};
use zerfaux::engine::{Clock, Engine, ManualClock};
use zerfaux::store::Store;

use crate::deployed::{DeployScene, DeployWorld, Differs, Plug, VM};
use crate::laws::{Facts, Scene};

/// A deployment that has ended.
struct Ended {
    job: Job,
    engine: Engine,
    store: Store,
    scene: Arc<DeployScene>,
    before: Facts,
    /// How long it took, on the clock by which it pauses.
    waited: Duration,
    _world: DeployWorld,
    _place: tempfile::TempDir,
}

/// Runs one in a site that differs, with this change of its input.
async fn deploy(differs: Differs, change: impl Fn(&mut Value)) -> Ended {
    let (world, place) = (DeployWorld::that_differs(differs), tempfile::tempdir().unwrap());
    let scene = world.start(place.path()).await;
    deploy_in(world, place, scene, change).await
}

async fn deploy_in(
    world: DeployWorld,
    place: tempfile::TempDir,
    scene: Arc<DeployScene>,
    change: impl Fn(&mut Value),
) -> Ended {
    let before = scene.fingerprint().await;
    let store = Store::open_in_memory().unwrap();
    let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
    let engine = Engine::new(store.clone(), vec![scene.definition()], Arc::clone(&clock) as _);
    let mut input = scene.input();
    change(&mut input);
    let id = engine.enqueue("deploy_zfs_target", input, "anna").await.unwrap();
    let began = clock.now();
    engine.run_until_idle().await.unwrap();
    let waited = clock.now().duration_since(began).unsigned_abs();
    let job = engine.job(id).await.unwrap();
    Ended { job, engine, store, scene, before, waited, _world: world, _place: place }
}

impl Ended {
    /// It failed in this phase after so many attempts, and says this, with this advice.
    #[track_caller]
    fn failed(&self, phase: &str, says: &str, advises: &str) -> &Self {
        let failure = self.job.failure.as_ref().unwrap_or_else(|| panic!("{:?}", self.job));
        assert_eq!(self.job.state, JobState::Failed);
        assert_eq!(self.job.failed_phase.as_deref(), Some(phase), "{failure:?}");
        assert!(failure.message.contains(says), "{says:?} is not in {:?}", failure.message);
        let advice = failure.advice.as_deref().unwrap_or_default();
        assert!(advice.contains(advises), "{advises:?} is not in {advice:?}");
        self
    }

    async fn attempts(&self, count: usize) -> &Self {
        let phase = self.job.failed_phase.as_deref().unwrap();
        let events = self.store.events(self.job.id).await.unwrap();
        let failed =
            events.iter().filter(|one| one.step == phase && matches!(one.event, StepEvent::Failed { .. }));
        assert_eq!(failed.count(), count);
        self
    }

    /// It paused so long in all, give or take what looking itself takes.
    #[track_caller]
    fn waited(&self, seconds: std::ops::RangeInclusive<u64>) -> &Self {
        assert!(seconds.contains(&self.waited.as_secs()), "{:?} is not in {seconds:?} s", self.waited);
        self
    }

    /// A cleanup takes everything away that it made, and what was there before stays.
    async fn cleans_up(&self) {
        self.engine.cleanup(self.job.id).await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        let job = self.engine.job(self.job.id).await.unwrap();
        assert!(job.state.is_final(), "{job:?}");
        assert_eq!(self.scene.fingerprint().await, self.before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_ends_with_an_appliance_whose_export_every_host_mounts() {
    let ended = deploy(Differs::default(), |_| ()).await;
    assert_eq!(ended.job.state, JobState::Succeeded, "{:?}", ended.job.failure);
    let result = ended.job.result.clone().unwrap();
    assert_eq!(result["detected_ip"], "127.0.0.1");
    assert_eq!(result["datastore_name"], format!("nfs-{VM}"));
    assert!(result["hosts"].as_array().unwrap().iter().all(|host| host["result"] == "done"), "{result}");
    let appliance = &ended.scene.sites.as_ref().unwrap().appliance;
    assert_eq!(result["host_key"], appliance.host_key_fingerprint());
    let shown = |script: &str| String::from_utf8(appliance.run(script).stdout).unwrap();
    let properties = shown("zfs get -H -o property,value compression,atime,xattr tank");
    assert_eq!(properties, "compression\tlz4\natime\toff\nxattr\tsa\n");
    assert!(shown("zpool status tank").contains("wwn-0x"), "named by its lasting name");
    let share = shown("zfs get -H -o value sharenfs tank/nfs");
    assert!(share.contains("rw=@10.0.0.0/8:@127.0.0.0/8") && !share.contains("async"), "{share}");
    let parents = shown("zfs list -H -r -o name,canmount tank/zerfaux");
    for parent in ["live", "replica", "run", "keep"] {
        assert!(parents.contains(&format!("tank/zerfaux/{parent}\toff")), "{parents}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_with_something_on_it_is_not_touched() {
    let ended = deploy(Differs { plug: Plug::Used, ..Differs::default() }, |_| ()).await;
    ended.failed("zfs_create", "not blank", "Nothing was written").attempts(1).await;
    let appliance = &ended.scene.sites.as_ref().unwrap().appliance;
    assert!(appliance.commands().iter().all(|command| !command.contains("zpool create")));
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_blank_disk_of_the_same_size_is_not_taken_for_it() {
    let ended = deploy(Differs { plug: Plug::Another, ..Differs::default() }, |_| ()).await;
    // It might only be late, so it is looked for three times.
    ended.failed("zfs_create", "no disk has the serial number", "attached").attempts(3).await;
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_turn_up_is_told_with_what_the_host_sees() {
    let ended = deploy(Differs { plug: Plug::Nothing, ..Differs::default() }, |_| ()).await;
    ended.failed("zfs_create", "/dev/sda", "attached").attempts(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_template_with_that_name_is_left_alone() {
    let ended = deploy(Differs { pools: vec!["tank".into()], ..Differs::default() }, |_| ()).await;
    ended.failed("zfs_create", "not made by this job", "another name").attempts(1).await;
    // A real `zpool create` would complain of that pool's directory before it looks at the name.
    let appliance = &ended.scene.sites.as_ref().unwrap().appliance;
    assert!(appliance.commands().iter().all(|command| !command.contains("zpool create")));
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_rejected_is_not_tried_again() {
    let ended = deploy(Differs { other_key: true, ..Differs::default() }, |_| ()).await;
    ended.failed("ssh_connect", "rejects the key", "authorized_keys").attempts(1).await;
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_that_does_not_answer_is_tried_six_times() {
    // A port at which nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ended = deploy(Differs::default(), |input| input["login"]["ssh_port"] = free.into()).await;
    ended.failed("ssh_connect", "127.0.0.1", "Is SSH enabled").attempts(6).await;
    assert_eq!(ended.job.failure.as_ref().unwrap().kind, FailureKind::Transient);
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_nfs_server_the_template_is_to_blame() {
    let missing = vec!["exportfs".to_owned()];
    let ended = deploy(Differs { missing, ..Differs::default() }, |_| ()).await;
    ended.failed("nfs_setup", "could not start the NFS server", "nfs-kernel-server").attempts(2).await;
    let said = &ended.job.failure.as_ref().unwrap().message;
    assert!(said.contains("does not exist") && !said.contains("dataset"), "no dataset is missing: {said}");
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_gone_is_named_before_anything_is_made() {
    let ended = deploy(Differs::default(), |input| input["template_moref"] = "vm-none".into()).await;
    ended.failed("clone", "is not in the vCenter", "Refresh the sync").attempts(1).await;
    assert_eq!(ended.scene.fingerprint().await, ended.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_left_the_vcenter_is_named_before_anything_is_made() {
    let ended = deploy(Differs::default(), |input| {
        let network = json!({ "kind": "Network", "id": "network-none" });
        input["place"]["network"] = json!({ "kind": "standard", "name": "Servers", "network": network });
    })
    .await;
    ended.failed("clone", "Network \"Servers\" not found", "Refresh the sync").attempts(1).await;
    assert_eq!(ended.scene.fingerprint().await, ended.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_on_the_new_appliance_keeps_a_cleanup_from_destroying_it() {
    // Hosts that the vCenter does not have: the last phase fails, with the pool made.
    let ended = deploy(Differs::default(), |input| {
        input["datastore_hosts"] = json!([{ "moref": "host-none", "name": "esx-none" }]);
    })
    .await;
    assert_eq!(ended.job.failed_phase.as_deref(), Some("register_datastore"));
    let appliance = &ended.scene.sites.as_ref().unwrap().appliance;
    appliance.write("tank/nfs", "precious", b"data").unwrap();
    ended.engine.cleanup(ended.job.id).await.unwrap();
    ended.engine.run_until_idle().await.unwrap();
    let job = ended.engine.job(ended.job.id).await.unwrap();
    assert_eq!(job.state, JobState::Waiting, "{job:?}");
    assert!(job.failure.unwrap().message.contains("not empty"));
    assert_eq!(appliance.files("tank/nfs")["precious"].as_deref(), Some(&b"data"[..]));
    assert!(
        ended.scene.fingerprint().await.keys().any(|name| name.contains(VM)),
        "the machine is still there"
    );
}

#[test]
fn the_preparation_script_grants_every_command_that_is_run_as_root() {
    let rules = zerfaux::plan::preparation::sudo_commands();
    for words in zerfaux::zfs::PRIVILEGED {
        let line = words.join(" ");
        let granted = rules.iter().any(|rule| rule.ends_with(&format!("/{line}")));
        assert!(granted, "{line:?} is not in {rules:?}");
    }
}
