//! A site with one engine for failovers, tests, and the runs of groups, whose state is asked of the simulators themselves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::recovery_run::{RecoveryRun, RunVm};
use zerfaux::domain::recovery_state::{Phase, RecoveryState};
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::jobs::{clean_up_test, failover, test_failover};
use zerfaux::sim::vcenter::Rule;
use zerfaux::vsphere::Client;
use zerfaux::vsphere::verbs::Reconfigure;

use crate::failed_over::{FailedOverScene, FailedOverWorld, RUN, replications};
use crate::laws::Facts;
use crate::shelled::GROUP;

pub struct Site {
    pub scene: Arc<FailedOverScene>,
    pub engine: Engine,
    pub before: Facts,
    _world: FailedOverWorld,
    _place: tempfile::TempDir,
}

impl Site {
    pub async fn of(world: FailedOverWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let (targets, vcenters) = scene.made.grounds();
        let kinds = vec![
            failover::definition(targets.clone(), vcenters.clone()),
            replications(&scene.made),
            test_failover::definition(targets.clone(), vcenters.clone()),
            clean_up_test::definition(targets, vcenters),
        ];
        let engine = Engine::new(scene.made.store.clone(), kinds, clock);
        let before = scene.facts().await;
        Self { scene, engine, before, _world: world, _place: place }
    }

    pub async fn planned() -> Self {
        Self::of(FailedOverWorld::planned()).await
    }

    pub async fn disaster() -> Self {
        Self::of(FailedOverWorld::disaster()).await
    }

    /// Runs a job with this input to its end.
    pub async fn run(&self, kind: &str, input: Value) -> Job {
        let id = self.engine.enqueue(kind, input, "anna").await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    pub fn input(&self) -> Value {
        serde_json::to_value(&self.scene.plan).unwrap()
    }

    pub async fn fail_over(&self, change: impl Fn(&mut Value)) -> Job {
        let mut input = self.input();
        change(&mut input);
        self.run("failover", input).await
    }

    pub fn zfs(&self, command: &str) -> String {
        let appliance = &self.scene.made.sites.as_ref().unwrap().appliance;
        let done = appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    }

    pub fn rule(&self, rule: Rule) {
        self.scene.made.sites.as_ref().unwrap().vcenter.add_rule(rule).unwrap();
    }

    pub async fn client(&self) -> Client {
        self.scene.made.client().await
    }

    pub async fn vms(&self) -> Vec<RunVm> {
        self.scene.made.store.run_vms(RUN).await.unwrap()
    }

    pub async fn kept(&self) -> RecoveryRun {
        self.scene.made.store.recovery_run(RUN).await.unwrap().unwrap()
    }

    pub async fn state(&self) -> RecoveryState {
        self.scene.made.store.recovery_state(GROUP).await.unwrap().unwrap().0
    }

    pub fn source(&self, number: usize) -> VmRef {
        self.scene.plan.vms[number].source.clone().unwrap()
    }

    pub async fn power(&self, vm: &VmRef) -> String {
        let found = self.client().await.properties(vm, VmRef::KIND, &["runtime.powerState"]).await.unwrap();
        found.text("runtime.powerState").unwrap().to_owned()
    }

    pub async fn set_power(&self, vm: &VmRef, on: bool) {
        let client = self.client().await;
        let task = if on { client.power_on(vm, None).await } else { client.power_off(vm).await };
        client.wait_for_task(&task.unwrap(), "do it", &Default::default(), |_| ()).await.unwrap();
    }

    /// How the guest of this machine behaves.
    pub async fn behaves(&self, vm: &VmRef, option: (&str, &str)) {
        let extra_config = vec![(option.0.to_owned(), option.1.to_owned())];
        let client = self.client().await;
        let change = Reconfigure { extra_config, ..Reconfigure::default() };
        let task = client.reconfigure(vm, &change).await.unwrap();
        client.wait_for_task(&task, "do it", &Default::default(), |_| ()).await.unwrap();
    }

    /// Of which virtual machine (its place in the plan), or of the run as a whole.
    pub async fn evidence(&self, of: Option<usize>, step: &str) -> String {
        let source = of.map(|number| self.scene.plan.vms[number].source_uuid.clone());
        let all = self.scene.made.store.run_steps(RUN).await.unwrap();
        let found = all.iter().find(|one| one.source_uuid == source && one.step == step);
        found.unwrap_or_else(|| panic!("no step {step} of {source:?} in {all:?}")).evidence.clone()
    }

    /// Nothing was failed over, and both sides are as before.
    pub async fn is_as_before(&self) {
        assert_eq!(self.scene.facts().await, self.before);
        let state = self.state().await;
        assert_eq!((state.phase(), state.line(), state.fenced), (Phase::Protected, None, None));
        assert!(self.kept().await.cleaned_at.is_some(), "another failover may be begun");
    }
}

pub fn succeeded(job: &Job) {
    assert_eq!(job.state, JobState::Succeeded, "{:?} {:?}", job.failed_phase, job.failure);
}

/// It ended at this step, with these words.
pub fn failed(job: &Job, phase: &str, says: &[&str]) {
    let failure = job.failure.as_ref().unwrap_or_else(|| panic!("{job:?}"));
    assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some(phase)), "{failure:?}");
    for says in says {
        assert!(failure.message.contains(says), "{says:?} is not in {:?}", failure.message);
    }
}
