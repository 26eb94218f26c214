//! A site with an engine for tests and their cleanups, whose state is asked of the simulators themselves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::machine::Machine;
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::recovery_run::RunVm;
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::jobs::{clean_up_test, recovery_watch::RecoveryWatch};
use zerfaux::sim::vcenter::Rule;
use zerfaux::vsphere::Client;

use crate::laws::Facts;
use crate::tested::{RUN, TestedScene, TestedWorld};

pub struct Trial {
    pub scene: Arc<TestedScene>,
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    pub before: Facts,
    _world: TestedWorld,
    _place: tempfile::TempDir,
}

impl Trial {
    pub async fn new() -> Self {
        Self::of(TestedWorld::default()).await
    }

    pub async fn of(world: TestedWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let (targets, vcenters) = scene.made.grounds();
        let kinds = vec![
            zerfaux::jobs::test_failover::definition(targets.clone(), vcenters.clone()),
            clean_up_test::definition(targets, vcenters),
        ];
        let engine = Engine::new(scene.made.store.clone(), kinds, clock.clone());
        let before = scene.facts().await;
        Self { scene, engine, clock, before, _world: world, _place: place }
    }

    /// Runs a job of this kind to its end.
    pub async fn run(&self, kind: &str, change: impl Fn(&mut Value)) -> Job {
        let mut input = serde_json::to_value(&self.scene.plan).unwrap();
        change(&mut input);
        let id = self.engine.enqueue(kind, input, "anna").await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    pub async fn test(&self) -> Job {
        self.run("test_failover", |_| ()).await
    }

    pub async fn clean_up(&self) -> Job {
        self.run("clean_up_test", |_| ()).await
    }

    pub async fn go_on(&self, job: &Job) -> Job {
        self.engine.retry(job.id).await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(job.id).await.unwrap()
    }

    pub fn zfs(&self, command: &str) -> String {
        let appliance = &self.scene.made.sites.as_ref().unwrap().appliance;
        let done = appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    }

    /// From now on so many calls of this method are refused.
    pub fn refuse(&self, method: &str, count: u32) {
        let rule = Rule { count: Some(count), fault: Some("ResourceInUse".to_owned()), ..Rule::on(method) };
        self.scene.made.sites.as_ref().unwrap().vcenter.add_rule(rule).unwrap();
    }

    pub async fn client(&self) -> Client {
        self.scene.made.client().await
    }

    pub async fn vms(&self) -> Vec<RunVm> {
        self.scene.made.store.run_vms(RUN).await.unwrap()
    }

    pub async fn machine(&self, vm: &VmRef) -> Machine {
        self.client().await.machine(vm).await.unwrap()
    }

    pub async fn power(&self, vm: &VmRef) -> String {
        let found = self.client().await.properties(vm, VmRef::KIND, &["runtime.powerState"]).await.unwrap();
        found.text("runtime.powerState").unwrap().to_owned()
    }

    /// What a step of a virtual machine, or of all, was seen to do.
    pub async fn evidence(&self, source: Option<&str>, step: &str) -> String {
        let all = self.scene.made.store.run_steps(RUN).await.unwrap();
        let found = all.iter().find(|one| one.source_uuid.as_deref() == source && one.step == step);
        found.unwrap_or_else(|| panic!("no step {step} of {source:?} in {all:?}")).evidence.clone()
    }

    /// Everything is as before the test: inventory, mounts, exports, datasets, holds.
    pub async fn is_as_before(&self) {
        assert_eq!(self.scene.facts().await, self.before);
    }

    pub fn watch(&self) -> RecoveryWatch {
        RecoveryWatch::new(self.engine.clone(), self.scene.made.store.clone(), self.clock.clone())
    }
}

pub fn succeeded(job: &Job) {
    assert_eq!(job.state, JobState::Succeeded, "{:?} {:?}", job.failed_phase, job.failure);
}
