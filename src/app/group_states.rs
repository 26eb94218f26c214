//! How protection groups stand: what the scheduler knows of them, put together for people.

use std::collections::HashMap;
use std::time::Duration;

use super::{App, AppError};
pub use crate::domain::checkpoint::{Breach, Checkpoint, GroupRun, RpoDay};
use crate::domain::ids::{GroupId, TargetId};
pub use crate::domain::preflight::Preflight;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::recovery_run::RecoveryRun;
use crate::jobs::group_runs::{Known, known};
pub use crate::plan::rpo::{RpoState, UnknownBecause};
pub use crate::plan::schedule::Next;
use crate::plan::schedule::{Limits, decide, is_tight, standing};

/// So many days of a group's history are told, and so many of its breaches.
const TOLD_DAYS: u32 = 90;
const TOLD_BREACHES: u32 = 100;

/// A group with how it stands.
#[derive(Debug, Clone)]
pub struct GroupState {
    /// The group.
    pub group: ProtectionGroup,
    /// How it stands against its RPO; none with a calendar.
    pub rpo: Option<RpoState>,
    /// How old its newest checkpoint at the DR side is; none: there is none.
    pub age: Option<Duration>,
    /// What it does next.
    pub next: Next,
    /// Its newest checkpoint at the DR side.
    pub newest: Option<Checkpoint>,
    /// Its recent runs, newest first.
    pub runs: Vec<GroupRun>,
    /// How long a run is expected to last.
    pub expected: Duration,
    /// Whether a run is expected to last longer than half the RPO.
    pub is_tight: bool,
    /// How many virtual machines it protects.
    pub vms: u64,
    /// Its last preflight; none: it had none yet.
    pub preflight: Option<Preflight>,
    /// The names of its appliances, the source's first.
    pub appliances: (String, String),
    /// Its failover that is neither rolled back nor committed.
    pub failover: Option<RecoveryRun>,
}

impl GroupState {
    /// The run that goes on, if one does.
    pub fn running(&self) -> Option<&GroupRun> {
        self.runs.iter().find(|run| run.finished_at.is_none())
    }

    /// How many of its virtual machines can be recovered now; none: it had no preflight yet.
    pub fn ready(&self) -> Option<u64> {
        let is_within = match &self.rpo {
            Some(RpoState::Met { .. } | RpoState::AtRisk { .. }) => true,
            Some(_) => false,
            None => self.newest.is_some(),
        };
        self.preflight.as_ref().map(|last| if is_within { last.ready.min(self.vms) } else { 0 })
    }

    /// The run that ended last.
    pub fn last_run(&self) -> Option<&GroupRun> {
        self.runs.iter().find(|run| run.finished_at.is_some())
    }
}

impl App {
    /// All groups by name, each with how it stands.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn group_states(&self) -> Result<Vec<GroupState>, AppError> {
        let now = self.clock.now();
        let all = known(&self.store, now).await?;
        let facts: Vec<_> = all.iter().map(|one| one.facts.clone()).collect();
        let next = decide(&facts, now, Limits::from(&self.settings()));
        let vms = self.store.protected_vms(None).await?;
        let mut preflights = self.store.group_preflights().await?;
        let names: HashMap<TargetId, String> =
            self.store.targets().await?.into_iter().map(|one| (one.id, one.name)).collect();
        let runs = self.store.unfinished_recovery_runs().await?.into_iter();
        let mut failovers: HashMap<GroupId, RecoveryRun> =
            runs.filter(|run| run.plan.kind.is_failover()).map(|run| (run.plan.group_id, run)).collect();
        let named = |id: TargetId| names.get(&id).cloned().unwrap_or_default();
        let mut state = |(one, (_, next)): (Known, (GroupId, Next))| GroupState {
            rpo: standing(&one.facts, now),
            age: one.newest.as_ref().and_then(|newest| now.duration_since(newest.taken_at).try_into().ok()),
            next,
            newest: one.newest,
            runs: one.runs,
            expected: one.facts.expected,
            is_tight: is_tight(&one.facts),
            vms: vms.iter().filter(|vm| vm.group == one.group.id).count() as u64,
            preflight: preflights.remove(&one.group.id),
            appliances: (named(one.group.source.target), named(one.group.dr.target)),
            failover: failovers.remove(&one.group.id),
            group: one.group,
        };
        Ok(all.into_iter().zip(next).map(&mut state).collect())
    }

    /// How one group stands.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn group_state(&self, id: GroupId) -> Result<GroupState, AppError> {
        let all = self.group_states().await?;
        let found = all.into_iter().find(|one| one.group.id == id);
        found.ok_or_else(|| AppError::NotFound(format!("there is no protection group {id}")))
    }

    /// The newest runs of a group, at most so many, newest first.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn group_runs(&self, id: GroupId, most: u32) -> Result<Vec<GroupRun>, AppError> {
        Ok(self.store.group_runs(id, most).await?)
    }

    /// The last days of a group, and the times during which its RPO was broken, both newest first.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn rpo_history(&self, id: GroupId) -> Result<(Vec<RpoDay>, Vec<Breach>), AppError> {
        self.protection_group(id).await?;
        let days = self.store.rpo_days(id, TOLD_DAYS).await?;
        Ok((days, self.store.rpo_breaches(Some(id), false, TOLD_BREACHES).await?))
    }
}
