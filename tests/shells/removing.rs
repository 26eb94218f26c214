//! What goes with a shell that is removed, and what never does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use zerfaux::domain::job::{FailureKind, Job, JobState};
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::store::Store;
use zerfaux::vsphere::verbs::Reconfigure;

use crate::laws::Scene;
use crate::shelled::{GROUP, replica};
use crate::unshelled::{UnshelledScene, UnshelledWorld};

struct Site {
    scene: Arc<UnshelledScene>,
    engine: Engine,
    _world: UnshelledWorld,
    _place: tempfile::TempDir,
}

impl Site {
    async fn new(world: UnshelledWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![scene.definition()], clock);
        Self { scene, engine, _world: world, _place: place }
    }

    async fn run(&self) -> Job {
        let id = self.engine.enqueue("remove_dr_shell", self.scene.input(), "anna").await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    fn zfs(&self, command: &str) -> String {
        let done = self.scene.made.sites.as_ref().unwrap().appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    }

    async fn machines(&self) -> usize {
        let client = self.scene.made.client().await;
        let uuid = self.scene.shell.instance_uuid.clone().unwrap();
        client.find_vms_by_uuid(&uuid, true).await.unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_with_its_view_goes_whole_and_the_replica_stays() {
    let site = Site::new(UnshelledWorld::with_view()).await;
    let view = site.scene.shell.view.clone().unwrap();
    assert!(site.zfs("zfs list -H -o name").contains(view.dataset.as_str()));
    let before = site.zfs(&format!("zfs list -Hp -r -t all -o name,guid,used {}", replica()));
    let job = site.run().await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(site.machines().await, 0);
    assert!(!site.zfs("zfs list -H -o name").contains(view.dataset.as_str()));
    assert_eq!(site.zfs(&format!("zfs list -Hp -r -t all -o name,guid,used {}", replica())), before);
    assert!(site.scene.made.store.dr_shells(GROUP).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_runs_is_left_as_it_is() {
    let site = Site::new(UnshelledWorld::default()).await;
    let client = site.scene.made.client().await;
    let task = client.power_on(&site.scene.shell.vm, None).await.unwrap();
    client.wait_for_task(&task, "power on", &CancellationToken::new(), |_| ()).await.unwrap();
    let before = site.scene.fingerprint().await;
    let job = site.run().await;
    let failure = job.failure.clone().unwrap();
    assert_eq!((job.state, failure.kind), (JobState::Failed, FailureKind::Refused));
    assert!(failure.message.contains("is not powered off"), "{failure:?}");
    assert_eq!(site.scene.fingerprint().await, before);
    assert_eq!(site.scene.made.store.dr_shells(GROUP).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_say_who_made_it_is_left_as_it_is() {
    let site = Site::new(UnshelledWorld::default()).await;
    let client = site.scene.made.client().await;
    let options = vec![("zerfaux.made_by".to_owned(), "somebody".to_owned())];
    let change = Reconfigure { extra_config: options, ..Reconfigure::default() };
    let task = client.reconfigure(&site.scene.shell.vm, &change).await.unwrap();
    client.wait_for_task(&task, "change it", &CancellationToken::new(), |_| ()).await.unwrap();
    let job = site.run().await;
    let failure = job.failure.clone().unwrap();
    assert!(failure.message.contains("does not say so"), "{failure:?}");
    assert_eq!(site.machines().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_shell_that_somebody_deleted_goes_too() {
    let site = Site::new(UnshelledWorld::with_view()).await;
    let client = site.scene.made.client().await;
    client.unregister_vm(&site.scene.shell.vm).await.unwrap();
    let job = site.run().await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert!(!site.zfs("zfs list -H -o name").contains("/run/shell-"));
    assert_eq!(job.result.unwrap_or(Value::Null)["name"], site.scene.shell.spec.name.as_str());
}
