//! A shell whose source has changed, and one whose view is older than the newest checkpoint.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zerfaux::domain::job::{FailureKind, Job, JobState};
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::plan::shell_shape::Shape;
use zerfaux::store::Store;

use crate::laws::Scene;
use crate::reshaped::{ReshapedScene, ReshapedWorld};
use crate::shelled::{GROUP, replica};

struct Site {
    scene: Arc<ReshapedScene>,
    engine: Engine,
    _world: ReshapedWorld,
    _place: tempfile::TempDir,
}

impl Site {
    async fn new(world: ReshapedWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![scene.definition()], clock);
        Self { scene, engine, _world: world, _place: place }
    }

    async fn run(&self) -> Job {
        let id = self.engine.enqueue("repair_dr_shell", self.scene.input(), "anna").await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    fn zfs(&self, command: &str) -> String {
        let done = self.scene.0.made.sites.as_ref().unwrap().appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_gets_the_hardware_that_its_source_has_now() {
    let site = Site::new(ReshapedWorld::default()).await;
    let client = site.scene.0.made.client().await;
    let vm = site.scene.0.shell.vm.clone();
    let wanted = Shape::of_spec(&site.scene.wanted());
    assert!(!wanted.is_had_by(&client.machine(&vm).await.unwrap()));
    let job = site.run().await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    let now = client.machine(&vm).await.unwrap();
    assert!(wanted.is_had_by(&now), "{now:?}");
    assert!(now.hardware.disks.is_empty(), "they are attached when they are needed");
    let kept = site.scene.0.made.store.dr_shells(GROUP).await.unwrap();
    assert_eq!((kept.len(), kept[0].id, kept[0].spec.cpus), (1, site.scene.0.shell.id, 8));
    assert_eq!(kept[0].made_by, site.scene.0.shell.made_by, "what it says of its maker stays true");
    assert!(!site.zfs("zfs list -H -o name").contains("/run/shell-"), "the clone is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_view_becomes_one_of_the_newest_checkpoint() {
    let site = Site::new(ReshapedWorld::with_view()).await;
    let old = site.scene.0.shell.view.clone().unwrap();
    site.zfs(&format!("zfs snapshot -o zerfaux:group={GROUP} {}@zx-2", replica()));
    let job = site.run().await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    let kept = site.scene.0.made.store.dr_shells(GROUP).await.unwrap().remove(0);
    let new = kept.view.unwrap();
    assert!(new.checkpoint.to_string().ends_with("@zx-2") && new.dataset != old.dataset);
    let all = site.zfs("zfs list -H -o name");
    assert!(all.contains(new.dataset.as_str()) && !all.contains(old.dataset.as_str()), "{all}");
    let client = site.scene.0.made.client().await;
    let disks = client.machine(&kept.vm).await.unwrap().hardware.disks;
    let on_new = format!("[{}] ", new.datastore);
    assert_eq!(disks.len(), kept.spec.disks.len());
    assert!(disks.iter().all(|disk| disk.file.as_ref().unwrap().starts_with(&on_new)), "{disks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_runs_is_not_changed() {
    let site = Site::new(ReshapedWorld::default()).await;
    let client = site.scene.0.made.client().await;
    let task = client.power_on(&site.scene.0.shell.vm, None).await.unwrap();
    client.wait_for_task(&task, "power on", &CancellationToken::new(), |_| ()).await.unwrap();
    let before = site.scene.fingerprint().await;
    let job = site.run().await;
    assert_eq!(job.failure.clone().unwrap().kind, FailureKind::Refused, "{job:?}");
    assert_eq!(job.failed_phase.as_deref(), Some("look"));
    assert_eq!(site.scene.fingerprint().await, before);
}
