//! What cancelling, failures and virtual machines that changed leave of a move.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zerfaux::domain::job::{FailureKind, Job, JobState};
use zerfaux::domain::moref::VmRef;
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::sim::vcenter::Rule;
use zerfaux::store::Store;
use zerfaux::vsphere::Client;

use crate::deployed::{by_name, login_of};
use crate::laws::{Facts, Scene};
use crate::moved::{MovedScene, MovedWorld};

const KIND: &str = "move_to_protection_datastore";

struct Site {
    scene: Arc<MovedScene>,
    engine: Engine,
    before: Facts,
    _world: MovedWorld,
    _place: tempfile::TempDir,
}

impl Site {
    async fn new(world: MovedWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let before = scene.fingerprint().await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![scene.definition()], clock);
        Self { scene, engine, before, _world: world, _place: place }
    }

    async fn run(&self, change: impl Fn(&mut Value)) -> Job {
        let mut input = self.scene.input();
        change(&mut input);
        let id = self.engine.enqueue(KIND, input, "anna").await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    #[track_caller]
    fn refused(&self, job: &Job, says: &[&str]) {
        let failure = job.failure.as_ref().unwrap_or_else(|| panic!("{job:?}"));
        assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some("look")));
        for needle in says {
            assert!(failure.message.contains(needle), "{needle:?} is not in {:?}", failure.message);
        }
    }

    async fn client(&self) -> Client {
        Client::connect(login_of(&self.scene.known)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_virtual_machine_under_the_reference_is_not_touched() {
    let site = Site::new(MovedWorld::default()).await;
    let job = site
        .run(|input| input["vms"][1]["instance_uuid"] = json!("50380000-0000-4000-8000-000000000000"))
        .await;
    site.refused(&job, &["now is another virtual machine"]);
    assert_eq!(job.failure.unwrap().kind, FailureKind::Refused);
    assert_eq!(site.scene.fingerprint().await, site.before, "the others were not touched either");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_is_said_of_all_before_anything_is() {
    let site = Site::new(MovedWorld::default()).await;
    let datastores = by_name(&site.client().await, "Datastore").await;
    let (name, local) = datastores.iter().find(|(name, _)| name == "local-esx01").unwrap().clone();
    let job = site.run(|input| input["datastore"] = json!(local)).await;
    site.refused(&job, &["does not mount", &name]);
    assert_eq!(site.scene.fingerprint().await, site.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_does_not_stop_the_others_and_a_retry_moves_the_rest() {
    let rule = Rule {
        method: Some("RelocateVM_Task".to_owned()),
        count: Some(1),
        fault: Some("NoDiskSpace".to_owned()),
        in_task: true,
        ..Rule::default()
    };
    let site = Site::new(MovedWorld { rules: vec![rule], ..MovedWorld::default() }).await;
    let job = site.run(|_| ()).await;
    let failure = job.failure.clone().unwrap();
    assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some("move")));
    assert!(failure.message.contains(" are: ") && failure.message.contains("Not moved: "), "{failure:?}");
    let moves = |facts: &Facts| facts["moves"].clone();
    let count = site.scene.input()["vms"].as_array().unwrap().len();
    assert_eq!(moves(&site.scene.fingerprint().await), (count - 1).to_string());

    site.engine.retry(job.id).await.unwrap();
    site.engine.run_until_idle().await.unwrap();
    let job = site.engine.job(job.id).await.unwrap();
    assert_eq!(job.state, JobState::Succeeded, "{job:?}");
    assert_eq!(moves(&site.scene.fingerprint().await), count.to_string(), "each of them once");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_it_stops_the_tasks_and_says_what_remains() {
    // A move takes some seconds.
    let site = Site::new(MovedWorld { pace: Some(0.3), ..MovedWorld::default() }).await;
    let client = site.client().await;
    let vms: Vec<VmRef> = site.scene.input()["vms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vm| VmRef::new(vm["vm"].as_str().unwrap()))
        .collect();
    let running = || async {
        let mut all = 0;
        for vm in &vms {
            all += client.running_tasks(vm.clone(), "VirtualMachine.relocate").await.unwrap().len();
        }
        all
    };
    let id = site.engine.enqueue(KIND, site.scene.input(), "anna").await.unwrap();
    let engine = site.engine.clone();
    let runs = tokio::spawn(async move { engine.run_until_idle().await.unwrap() });
    let limit = Instant::now() + Duration::from_secs(60);
    while running().await < 2 {
        assert!(Instant::now() < limit, "two were never under way");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(running().await, 2, "no more than asked for");
    site.engine.cancel(id).await.unwrap();
    runs.await.unwrap();
    let job = site.engine.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled, "{job:?}");
    assert_eq!(running().await, 0);
    assert_eq!(site.scene.fingerprint().await, site.before, "nothing is half moved");
    let said = format!("{:?}", job.failure);
    assert!(said.contains("None of them was moved") && said.contains("Still where they were"), "{said}");
}
