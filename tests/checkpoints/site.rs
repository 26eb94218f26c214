//! A group that is run by the scheduler, with a clock in the hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use zerfaux::auth::Principal;
use zerfaux::domain::checkpoint::{Checkpoint, CheckpointKind};
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::manifest::Manifest;
use zerfaux::domain::protection_group::Quiesce;
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::engine::{Clock, Engine, ManualClock};
use zerfaux::jobs::delete_replica;
use zerfaux::jobs::group_runs::GroupRuns;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::manifests::read_manifests;
use zerfaux::jobs::replicate;
use zerfaux::jobs::targets::Targets;
use zerfaux::jobs::vcenters::Vcenters;
use zerfaux::store::{JobFilter, Store};

use crate::deployed::Sealed;
use crate::guests::{GROUP, Ground, LIVE, REPLICA, connect, group, protect};

pub struct Site {
    pub ground: Arc<Ground>,
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub engine: Engine,
    pub hosts: Arc<Hosts>,
    pub targets: Targets,
    pub vcenters: Vcenters,
    pub runs: GroupRuns,
}

impl Site {
    pub async fn new(quiesce: Quiesce) -> Self {
        let site = Self::without_group(Arc::new(Ground::new(Vec::new()))).await;
        protect(&site.store, &site.ground.known, &group(quiesce, site.clock.now())).await;
        site
    }

    /// A new installation with an empty database, to which the vCenter and the appliances were added.
    pub async fn without_group(ground: Arc<Ground>) -> Self {
        let store = Store::open_in_memory().unwrap();
        connect(&store, &ground.known).await;
        let clock = Arc::new(ManualClock::sleepless(Timestamp::now()));
        let sealed = Arc::new(Sealed(ground.known["key"].as_str().unwrap().to_owned()));
        let hosts = Arc::new(Hosts::new(Some(sealed.clone()), None));
        let vcenters = Vcenters::new(store.clone(), Some(sealed));
        let definition = replicate::definition_for_groups(Arc::clone(&hosts), vcenters.clone());
        let targets = Targets::new(store.clone(), Arc::clone(&hosts));
        let definitions = vec![definition, delete_replica::definition(targets.clone())];
        let engine = Engine::new(store.clone(), definitions, clock.clone());
        let runs = GroupRuns::new(engine.clone(), targets.clone(), clock.clone());
        Self { ground, store, clock, engine, hosts, targets, vcenters, runs }
    }

    /// Time passes, something is written, and the run that is due runs. What became of it.
    pub async fn turn(&self, seed: u64) -> Job {
        self.clock.advance(Duration::from_secs(61));
        self.ground.two.source.fill(LIVE, "erp/erp-flat.vmdk", 100_000, seed);
        let before = self.store.jobs(&JobFilter::default()).await.unwrap().len();
        self.runs.run().await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.runs.run().await.unwrap();
        let mut jobs = self.store.jobs(&JobFilter::default()).await.unwrap();
        assert_eq!(jobs.len(), before + 1, "one run");
        jobs.sort_by_key(|job| job.id);
        jobs.pop().unwrap()
    }

    /// The same, and it brought a checkpoint.
    pub async fn brings(&self, seed: u64) -> (Checkpoint, Job) {
        let job = self.turn(seed).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        (self.store.checkpoints(GROUP, false).await.unwrap().remove(0), job)
    }

    /// The manifests that lie beside the data, by tag: at the source, and at the DR side.
    pub async fn beside(&self) -> (BTreeMap<String, Manifest>, BTreeMap<String, Manifest>) {
        let group = self.store.protection_group(GROUP).await.unwrap().unwrap();
        let mut both = Vec::new();
        for (target, dataset, sim) in [
            (group.source.target, LIVE, &self.ground.two.source),
            (group.dr.target, REPLICA, &self.ground.two.target),
        ] {
            let (_, host) = self.targets.host_ref(target).await.unwrap();
            let zfs = self.hosts.zfs(&host).await.unwrap();
            let names: Vec<_> =
                sim.tags(dataset).iter().map(|tag| format!("{dataset}@{tag}").parse().unwrap()).collect();
            let found = read_manifests(&zfs, &names).await.unwrap();
            both.push(found.into_iter().map(|(name, one)| (name.tag().to_string(), one.unwrap())).collect());
        }
        let dr = both.pop().unwrap();
        (both.pop().unwrap(), dr)
    }

    pub async fn manifest(&self, checkpoint: &Checkpoint) -> Manifest {
        self.store.manifest(GROUP, checkpoint.guid).await.unwrap().expect("it is kept")
    }

    pub async fn kinds(&self) -> Vec<CheckpointKind> {
        let mut all = self.store.checkpoints(GROUP, true).await.unwrap();
        all.reverse();
        all.into_iter().map(|one| one.kind).collect()
    }
}

/// Who asks.
pub fn somebody() -> Principal {
    Principal::command_line()
}
