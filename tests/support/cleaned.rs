//! The site of `tested.rs` with a test that runs: for the job that takes it away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::recovery_run::{Recovered, RecoveryRun};
use zerfaux::engine::{Definition, Engine, ManualClock};
use zerfaux::jobs::clean_up_test;
use zerfaux::store::{RunVmChange, Store};

use crate::laws::{Facts, Scene, World};
use crate::tested::{RUN, TestedScene, TestedWorld};

#[derive(Default)]
pub struct CleanedWorld {
    pub tested: TestedWorld,
}

/// What is written down of the run when its cleanup begins.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    checkpoint: Recovered,
    vms: Vec<(String, VmRef, Option<String>)>,
}

impl CleanedWorld {
    pub async fn start(&self, place: &Path) -> Arc<CleanedScene> {
        let tested = self.tested.start(place).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(1800)));
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![tested.definition()], clock);
        let id = engine.enqueue("test_failover", tested.input(), "anna").await.unwrap();
        engine.run_until_idle().await.unwrap();
        let job = engine.job(id).await.unwrap();
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        let store = &tested.made.store;
        let run = store.recovery_run(RUN).await.unwrap().unwrap();
        let vms = store.run_vms(RUN).await.unwrap().into_iter();
        let vms = vms.map(|vm| (vm.source_uuid, vm.vm.unwrap(), vm.instance_uuid)).collect();
        let kept = Kept { checkpoint: run.checkpoint.unwrap(), vms };
        std::fs::write(place.join("kept"), serde_json::to_string(&kept).unwrap()).unwrap();
        Arc::new(CleanedScene { tested })
    }
}

/// Puts into the store of another process what the test has left there.
async fn seed(scene: &TestedScene, kept: Kept) {
    let store = &scene.made.store;
    let job = zerfaux::domain::ids::JobId::from_bytes([8; 16]);
    let run = RecoveryRun::new(scene.plan.clone(), job, "anna".to_owned(), jiff::Timestamp::UNIX_EPOCH);
    store.ensure_recovery_run(&run).await.unwrap();
    store.note_recovered(RUN, &kept.checkpoint).await.unwrap();
    store.note_recovery_up(RUN, jiff::Timestamp::UNIX_EPOCH, None).await.unwrap();
    for (source, vm, uuid) in kept.vms {
        let change = RunVmChange { made: Some((vm, uuid)), ..RunVmChange::default() };
        store.change_run_vm(RUN, &source, change).await.unwrap();
    }
}

#[async_trait]
impl World for CleanedWorld {
    fn kind(&self) -> &'static str {
        "clean_up_test"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        let tested = TestedWorld::reopen(place);
        let kept: Kept = serde_json::from_str(&std::fs::read_to_string(place.join("kept")).unwrap()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(seed(&tested, kept));
            });
        });
        Arc::new(CleanedScene { tested })
    }
    async fn remove(&self, place: &Path) {
        self.tested.remove(place).await;
    }
}

pub struct CleanedScene {
    pub tested: Arc<TestedScene>,
}

#[async_trait]
impl Scene for CleanedScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.tested.made.grounds();
        clean_up_test::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        self.tested.input()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = self.tested.fingerprint().await;
        // Those of the test itself are not in the store of another process, nor how each machine was.
        facts.retain(|name, _| !name.starts_with("run step") || WORDS.iter().any(|word| name.contains(word)));
        facts
    }
    fn outcome(&self, job: &Job) -> Value {
        json!({ "state": job.state })
    }
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![("run", "what was done is told afterwards")]
    }
}

/// The steps of a cleanup.
const WORDS: [&str; 6] = ["power_off", "remove ", "unmount", "unexport", "destroy_clone", "release"];
