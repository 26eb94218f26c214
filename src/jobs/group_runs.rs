//! Starts the runs of protection groups when they are due, takes in what the ended ones brought, and watches how each group
//! stands against its RPO.
//!
//! What to start is decided in `plan::schedule`, of facts that are all in the database; so after a crash the next look
//! decides as if nothing had happened. A run and its job are written together, and the database takes no second one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::failure::{not_kept, recorded};
pub use super::group_facts::{Known, known};
use super::replicate::{self, Guests, OnConflict, ReplicateInput};
use super::targets::Targets;
use crate::domain::checkpoint::{Checkpoint, CheckpointKind, GroupRun};
use crate::domain::dataset::Guid;
use crate::domain::ids::GroupId;
use crate::domain::job::{Failure, Job, JobState};
use crate::domain::location::Location;
use crate::domain::names::{DatasetName, SnapTag};
use crate::domain::protection_group::{ProtectionGroup, Quiesce};
use crate::engine::reconcile::Reconciler;
use crate::engine::{Clock, Engine};
use crate::plan::replication::History;
use crate::plan::rpo::RpoState;
use crate::plan::schedule::{Limits, Next, decide, standing, taken};
use crate::store::{RpoSample, RunStart, Store, StoreError};

/// The reconciler's name.
pub const NAME: &str = "group_runs";
/// From one look to the next, if no group is due before.
const EVERY: Duration = Duration::from_secs(2);
/// While a group that is due waits for room.
const ROOM_EVERY: Duration = Duration::from_millis(250);
/// Never shorter, however many are due.
const SHORTEST: Duration = Duration::from_millis(50);
/// How a group stands is written down so often, and whenever it has changed.
const WRITTEN_EVERY: Duration = Duration::from_secs(30);
/// Longer than this nothing counts as watched at once: the machine slept.
const WATCHED_AT_MOST: Duration = Duration::from_secs(300);
/// Who starts runs.
const BY: &str = "scheduler";

/// See the module.
pub struct GroupRuns {
    engine: Engine,
    targets: Targets,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

/// What was written down last.
#[derive(Default)]
struct Seen {
    at: Option<Duration>,
    broken: HashSet<GroupId>,
    /// Until the next look: to when the next group is due.
    pause: Option<Duration>,
}

impl GroupRuns {
    /// Starts runs in `engine`, on appliances that `targets` knows.
    pub fn new(engine: Engine, targets: Targets, clock: Arc<dyn Clock>) -> Self {
        Self { engine, targets, clock, seen: Mutex::default() }
    }

    async fn start(&self, group: &ProtectionGroup, now: Timestamp) -> Result<bool, Failure> {
        let input = input_of(&self.targets, group, now).await?;
        let job = self.engine.draft(replicate::KIND, input, BY);
        let job = job.map_err(|error| Failure::permanent(format!("A run could not be made: {error}.")))?;
        let started = self.targets.store().start_group_run(group.id, &job, None).await.map_err(not_kept)?;
        if started == RunStart::Queued {
            self.engine.queued(&job);
        }
        Ok(started == RunStart::Queued)
    }

    /// Writes down how the groups stand, and says what is broken or mended.
    async fn watch(&self, all: &[Known], now: Timestamp) -> Result<(), Failure> {
        let passed = self.clock.passed();
        let samples: Vec<RpoSample> =
            all.iter().filter(|one| one.group.enabled).filter_map(|one| sample(one, now)).collect();
        let broken: HashSet<GroupId> =
            samples.iter().filter(|one| one.broken_since.is_some()).map(|one| one.group).collect();
        let watched = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let since = seen.at.map(|at| passed.saturating_sub(at));
            if since.is_some_and(|since| since < WRITTEN_EVERY) && seen.broken == broken {
                return Ok(());
            }
            *seen = Seen { at: Some(passed), broken, pause: seen.pause };
            since.unwrap_or_default().min(WATCHED_AT_MOST).as_secs()
        };
        let samples = samples.into_iter().map(|one| RpoSample { watched_seconds: watched, ..one }).collect();
        let told = self.targets.store().record_rpo(now, samples).await.map_err(not_kept)?;
        let name =
            |id: &GroupId| all.iter().find(|one| one.group.id == *id).map(|one| one.group.name.clone());
        for id in &told.0 {
            tracing::warn!(group = name(id), "the RPO of a protection group is broken");
        }
        for id in &told.1 {
            tracing::info!(group = name(id), "the RPO of a protection group is met again");
        }
        Ok(())
    }
}

#[async_trait]
impl Reconciler for GroupRuns {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).pause.unwrap_or(EVERY)
    }

    async fn run(&self) -> Result<String, Failure> {
        fold(self.targets.store(), self.clock.now()).await.map_err(not_kept)?;
        let now = self.clock.now();
        let all = known(self.targets.store(), now).await?;
        let facts: Vec<_> = all.iter().map(|one| one.facts.clone()).collect();
        let (mut started, mut failed, mut pause) = (0, None, EVERY);
        let settings = self.targets.store().installation_settings().await.map_err(not_kept)?;
        for ((_, next), one) in decide(&facts, now, Limits::from(&settings)).into_iter().zip(&all) {
            match next {
                Next::Start => {}
                Next::At(at) => {
                    pause = pause.min(at.duration_since(now).try_into().unwrap_or_default());
                    continue;
                }
                Next::WaitsForRoom => {
                    pause = pause.min(ROOM_EVERY);
                    continue;
                }
                Next::Busy | Next::Closed(_) | Next::Never => continue,
            }
            match self.start(&one.group, now).await {
                Ok(true) => started += 1,
                Ok(false) => {}
                // One group whose appliance is switched off must not keep the others from running.
                Err(failure) => failed = Some(failure),
            }
        }
        self.watch(&all, now).await?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).pause = Some(pause.max(SHORTEST));
        match failed {
            Some(failure) => Err(failure),
            None => Ok(format!("{} groups looked at, {started} runs started.", all.len())),
        }
    }
}

/// Takes in the runs whose jobs have ended, with the checkpoints that they brought.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn fold(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    for (run, job) in store.unfinished_group_runs().await? {
        let group = store.protection_group(run.group).await?;
        if let Some((run, checkpoint)) = ended(group.as_ref(), run, job.as_ref(), now) {
            store.finish_group_run(&run, checkpoint).await?;
        }
    }
    Ok(())
}

/// How a group stands; none if it has no RPO.
fn sample(one: &Known, now: Timestamp) -> Option<RpoSample> {
    let rpo = Duration::from_secs(one.group.policy.rhythm.rpo_seconds()?);
    let state = standing(&one.facts, now)?;
    let taken = taken(one.facts.newest, one.facts.last_good_start, now, rpo);
    let age = taken.and_then(|at| u64::try_from(now.duration_since(at).as_secs()).ok());
    let since = |at: Timestamp| at.checked_add(rpo).unwrap_or(now);
    let broken_since = match state {
        RpoState::Broken { .. } => taken.map(since),
        // A group that never had a checkpoint has its whole RPO for the first.
        RpoState::Unknown(_) if taken.is_none() && one.newest.is_none() => {
            Some(since(one.group.created_at)).filter(|at| *at < now)
        }
        _ => None,
    };
    Some(RpoSample { group: one.group.id, watched_seconds: 0, age_seconds: age, broken_since })
}

/// What the result of a run tells.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    arrivals: Vec<Arrived>,
}

#[derive(Deserialize)]
struct Arrived {
    source: DatasetName,
    tag: SnapTag,
    guid: Guid,
    taken_at: Option<Timestamp>,
}

/// A run as it is once its job has ended, and the checkpoint that it brought; none while the job goes on.
fn ended(
    group: Option<&ProtectionGroup>,
    run: GroupRun,
    job: Option<&Job>,
    now: Timestamp,
) -> Option<(GroupRun, Option<Checkpoint>)> {
    let Some(job) = job else {
        return Some((GroupRun { finished_at: Some(now), succeeded: Some(false), ..run }, None));
    };
    if !job.state.is_final() {
        return None;
    }
    let finished_at = job.finished_at.unwrap_or(now);
    let took = job.started_at.map(|from| finished_at.duration_since(from).as_millis());
    let told = job.result.as_ref().and_then(|result| Told::deserialize(result).ok());
    let bytes = told.as_ref().map_or(0, |told| told.bytes);
    let arrived = told.filter(|_| job.state == JobState::Succeeded).and_then(|told| {
        let own = |one: &Arrived| group.is_some_and(|group| one.source == group.source.dataset);
        told.arrivals.into_iter().find(own)
    });
    let checkpoint = arrived.map(|one| Checkpoint {
        group: run.group,
        guid: one.guid,
        snapshot: one.tag,
        taken_at: one.taken_at.unwrap_or(run.started_at),
        complete_at: finished_at,
        bytes,
        kind: CheckpointKind::CrashConsistent,
        job: Some(job.id),
        gone_at: None,
    });
    let run = GroupRun {
        finished_at: Some(finished_at),
        took_ms: took.and_then(|took| u64::try_from(took).ok()),
        succeeded: Some(checkpoint.is_some()),
        bytes,
        ..run
    };
    Some((run, checkpoint))
}

/// Whether the guests are to be at rest in the next run: every so many of those that bring a checkpoint. One that fails is made
/// good by the next.
async fn quiesces(store: &Store, group: &ProtectionGroup) -> Result<bool, Failure> {
    let Quiesce::Every(every) = group.policy.quiesce else { return Ok(false) };
    let since = store.runs_since_quiesced(group.id).await.map_err(not_kept)?;
    Ok(since.is_none_or(|since| since + 1 >= u64::from(every)))
}

/// What the job of a run that starts at `now` is given.
///
/// # Errors
/// If an appliance of the group is gone or switched off.
pub async fn input_of(targets: &Targets, group: &ProtectionGroup, now: Timestamp) -> Result<Value, Failure> {
    let (_, source) = targets.host_ref(group.source.target).await?;
    let (dr, destination) = targets.host_ref(group.dr.target).await?;
    let policy = &group.policy;
    let limit = crate::plan::timetable::limit(policy, now);
    let mut input = recorded(ReplicateInput {
        source: Location { host: source, dataset: group.source.dataset.clone() },
        destination: Location { host: destination, dataset: group.dr.dataset.clone() },
        group: Some(group.id),
        recursive: false,
        snapshot: true,
        history: History::default(),
        keep_source: policy.keep_source,
        keep_destination: policy.keep_dr,
        bandwidth_limit: limit.map(|rate| rate.bytes_per_second()),
        transport: policy.transport,
        replication_address: dr.replication_address.clone(),
        guests: Some(Guests::of(group.source.vcenter, quiesces(targets.store(), group).await?)),
        on_conflict: OnConflict::Stop,
    })?;
    // For people, who know the group and not its datasets; the job itself has no use for it.
    input["group_name"] = group.name.as_str().into();
    Ok(input)
}
