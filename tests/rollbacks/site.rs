//! A site with an engine for a failover and its rollback, whose state is asked of the simulators themselves.

use std::sync::Arc;
use std::time::Duration;

use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::moref::{TaskRef, VmRef};
use zerfaux::domain::recovery_run::{RecoveryRun, RunOutcome};
use zerfaux::domain::recovery_state::RecoveryState;
use zerfaux::engine::{Engine, ManualClock};
use zerfaux::jobs::recovery_watch::{self, RecoveryWatch};
use zerfaux::jobs::{failover, roll_back_failover};
use zerfaux::sim::vcenter::Rule;
use zerfaux::store::{CleanupStart, RecoveryStart, Store};
use zerfaux::vsphere::Client;

use crate::as_before::differences;
use crate::deployed::line;
use crate::laws::Facts;
use crate::rolled_back::{BegunScene, BegunWorld};
use crate::tested::RUN;

pub struct Site {
    pub scene: Arc<BegunScene>,
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    pub before: Facts,
    _world: BegunWorld,
    _place: tempfile::TempDir,
}

impl Site {
    pub async fn new() -> Self {
        Self::of(BegunWorld::default()).await
    }

    pub async fn of(world: BegunWorld) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = world.start(place.path()).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600)));
        let (targets, vcenters) = scene.made().grounds();
        let kinds = vec![
            failover::definition(targets.clone(), vcenters.clone()),
            roll_back_failover::definition(targets, vcenters),
        ];
        let engine = Engine::new(scene.made().store.clone(), kinds, clock.clone());
        let before = scene.exact().await;
        Self { scene, engine, clock, before, _world: world, _place: place }
    }

    pub fn store(&self) -> &Store {
        &self.scene.made().store
    }

    /// Keeps the run and its job, as the app does.
    pub async fn ask(&self) -> JobId {
        let job = self.engine.draft(failover::KIND, self.scene.alone(), "anna").unwrap();
        let run = RecoveryRun::new(self.scene.plan().clone(), job.id, "anna".to_owned(), job.created_at);
        let started = self.store().start_recovery_run(&run, &job, line()).await.unwrap();
        assert_eq!(started, RecoveryStart::Queued);
        self.engine.queued(&job);
        job.id
    }

    pub async fn fail_over(&self) -> Job {
        let id = self.ask().await;
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(id).await.unwrap()
    }

    /// The failover, and the source that was shut down for it.
    pub async fn failed_over(&self) -> Job {
        let job = self.fail_over().await;
        self.scene.shut_down(self.store(), 2).await;
        job
    }

    pub async fn ask_to_roll_back(&self) -> CleanupStart {
        let run = self.store().recovery_run(RUN).await.unwrap().unwrap();
        recovery_watch::begin(self.store(), &self.engine, &run, "anna", Some(line())).await.unwrap()
    }

    pub async fn roll_back(&self) -> Job {
        assert_eq!(self.ask_to_roll_back().await, CleanupStart::Queued);
        self.engine.run_until_idle().await.unwrap();
        let run = self.store().recovery_run(RUN).await.unwrap().unwrap();
        self.engine.job(run.cleanup_job.unwrap()).await.unwrap()
    }

    pub async fn go_on(&self, job: &Job) -> Job {
        self.engine.retry(job.id).await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.engine.job(job.id).await.unwrap()
    }

    pub fn watch(&self) -> RecoveryWatch {
        RecoveryWatch::new(self.engine.clone(), self.store().clone(), self.clock.clone())
    }

    pub async fn state(&self) -> RecoveryState {
        let kept = self.store().recovery_state(self.scene.plan().group_id).await.unwrap();
        kept.map(|(state, _)| state).unwrap_or_default()
    }

    pub fn zfs(&self, command: &str) -> String {
        let done = self.scene.made().sites.as_ref().unwrap().appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    }

    /// From now on so many calls of this method are refused.
    pub fn refuse(&self, method: &str, count: u32) {
        let rule = Rule { count: Some(count), fault: Some("ResourceInUse".to_owned()), ..Rule::on(method) };
        self.scene.made().sites.as_ref().unwrap().vcenter.add_rule(rule).unwrap();
    }

    /// The same, of calls for one object.
    pub fn refuse_of(&self, method: &str, object: &str, count: u32) {
        let object = Some(object.to_owned());
        let rule =
            Rule { object, count: Some(count), fault: Some("ResourceInUse".to_owned()), ..Rule::on(method) };
        self.scene.made().sites.as_ref().unwrap().vcenter.add_rule(rule).unwrap();
    }

    pub async fn client(&self) -> Client {
        self.scene.made().client().await
    }

    pub fn shell(&self) -> VmRef {
        self.scene.plan().vms[0].shell.as_ref().unwrap().vm.clone()
    }

    pub async fn done(&self, client: &Client, task: TaskRef) {
        client.wait_for_task(&task, "do it", &Default::default(), |_| ()).await.unwrap();
    }

    pub async fn power(&self, vm: &VmRef) -> String {
        let found = self.client().await.properties(vm, VmRef::KIND, &["runtime.powerState"]).await.unwrap();
        found.text("runtime.powerState").unwrap().to_owned()
    }

    /// Both sides are as before, the run has ended so, and the next run of the group is incremental.
    pub async fn is_as_before(&self, after: &str) {
        let found = differences(&self.before, &self.scene.exact().await);
        assert!(found.is_empty(), "{after}: {found:#?}");
        let run = self.store().recovery_run(RUN).await.unwrap().unwrap();
        assert_eq!(run.outcome, Some(RunOutcome::RolledBack), "{after}");
        replicates(self.scene.made().sites.as_ref().map(|sites| sites.appliance.as_ref()).unwrap());
    }
}

/// A checkpoint more arrives in the replica, as an increment upon the one that was recovered.
pub fn replicates(appliance: &zerfaux::sim::appliance::Appliance) {
    let run = |command: &str| {
        let done = appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
    };
    let replica = crate::shelled::replica();
    run(&format!("zfs send {replica}@zx-1 | zfs receive -u tank/source"));
    run("zfs snapshot tank/source@zx-2");
    run(&format!("zfs send -i @zx-1 tank/source@zx-2 | zfs receive -u {replica}"));
}

pub fn succeeded(job: &Job) {
    assert_eq!(job.state, JobState::Succeeded, "{:?} {:?}", job.failed_phase, job.failure);
}

/// The job has ended in this step, with these words.
pub fn stopped(job: &Job, phase: &str, says: &str) {
    let failure = job.failure.as_ref().unwrap_or_else(|| panic!("{job:?}"));
    assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some(phase)), "{failure:?}");
    assert!(failure.message.contains(says), "{says:?} is not in {:?}", failure.message);
}
