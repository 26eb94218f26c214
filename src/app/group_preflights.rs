//! Preflights of protection groups: each is looked over once a day, and when the inventory shows something else; the last
//! result is kept, and what is new needs somebody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::Value;

use super::group_obstacles::{Protected, Seen};
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::GroupId;
use crate::domain::job::Failure;
pub use crate::domain::preflight::{KnownObstacle, Preflight};
use crate::domain::protection_group::ProtectionGroup;
use crate::engine::Clock;
use crate::engine::reconcile::Reconciler;
use crate::plan::preflight::{differs, is_due, preflight};
use crate::plan::readiness::REPLICATED;

/// The reconciler's name.
pub const NAME: &str = "group_preflights";
/// From one round to the next.
const EVERY: Duration = Duration::from_secs(60);
/// So long a group's inventory is not compared again, however often a round is made.
const COMPARED_EVERY: Duration = Duration::from_secs(5 * 60);
/// Groups looked over side by side.
const AT_ONCE: usize = 4;
/// Groups looked over in one round, so that a clock that jumps makes no storm.
const MOST_IN_A_ROUND: usize = 32;

impl App {
    /// The last preflight of a group; none: it had none yet.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn group_preflight(&self, id: GroupId) -> Result<Option<Preflight>, AppError> {
        self.protection_group(id).await?;
        Ok(self.store.group_preflight(id).await?)
    }

    /// The last preflight of each group that had one.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn group_preflights(&self) -> Result<std::collections::BTreeMap<GroupId, Preflight>, AppError> {
        Ok(self.store.group_preflights().await?)
    }

    /// Looks a group over now. Asks its source appliance; if that does not answer, it is one of the obstacles.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn run_preflight(&self, who: &Principal, id: GroupId) -> Result<Preflight, AppError> {
        let group = self.protection_group(id).await?;
        let kept = self.look_over(&group).await?;
        let entry = self.entry(who, "protection_group.preflight", &group.name, Outcome::Done, Value::Null);
        // Whoever asks sees what is new.
        self.store.see_group_preflight(id, entry).await?;
        kept.ok_or_else(|| AppError::NotFound(format!("there is no protection group {id}")))
    }

    /// Says that somebody has seen what is new for a group: it is no more among what needs somebody.
    ///
    /// # Errors
    /// If there is no such group, or it had no preflight yet.
    pub async fn see_preflight(&self, who: &Principal, id: GroupId) -> Result<(), AppError> {
        let group = self.protection_group(id).await?;
        let entry =
            self.entry(who, "protection_group.preflight_seen", &group.name, Outcome::Done, Value::Null);
        Ok(self.store.see_group_preflight(id, entry).await?)
    }

    /// Something of a group was changed here: it is looked over soon.
    pub(super) fn wake_preflights(&self) {
        self.reconcilers.wake(NAME);
    }

    async fn look_over(&self, group: &ProtectionGroup) -> Result<Option<Preflight>, AppError> {
        let protected = self.store.protected_vms(Some(group.id)).await?;
        let (mut found, seen) = self.obstacles_of(group, Protected::Assigned(&protected), Seen::Look).await?;
        found.extend(self.plan_obstacles(group.id).await?);
        let ready = self.ready_of(group.id).await?;
        let now = self.clock.now();
        let of = move |last: Option<&Preflight>| preflight(last, found, seen, ready, now);
        Ok(self.store.keep_group_preflight(group.id, of).await?)
    }

    /// How many virtual machines of a group can be recovered as soon as it has a checkpoint within its RPO; and how many it has.
    async fn ready_of(&self, id: GroupId) -> Result<(u64, u64), AppError> {
        let all = self.protected_vms(id).await?;
        let prepared = all.iter().filter(|one| {
            let mut lasting = one.readiness.items.iter().filter(|item| item.key != REPLICATED);
            !lasting.any(|item| item.state.is_open())
        });
        Ok((prepared.count() as u64, all.len() as u64))
    }

    /// How many virtual machines a group has.
    async fn count_of(&self, id: GroupId) -> Result<u64, AppError> {
        Ok(self.store.protected_vms(Some(id)).await?.len() as u64)
    }

    /// Whether the inventory alone shows something else than the last preflight found.
    async fn has_changed(&self, group: &ProtectionGroup, last: &Preflight) -> Result<bool, AppError> {
        let protected = self.store.protected_vms(Some(group.id)).await?;
        let before = Seen::Before(last.seen.clone().unwrap_or_default());
        let (mut found, _) = self.obstacles_of(group, Protected::Assigned(&protected), before).await?;
        found.extend(self.plan_obstacles(group.id).await?);
        // While the appliance is silent, what it showed last is not known well enough to be compared.
        let changed = last.seen.is_some() && differs(last, &found);
        Ok(changed || self.ready_of(group.id).await? != (last.ready, last.vms))
    }
}

/// Looks the groups over again and again.
pub struct GroupPreflights {
    app: App,
    clock: Arc<dyn Clock>,
    /// When the inventory of each was compared last, by the clock that never jumps.
    compared: Mutex<HashMap<GroupId, Duration>>,
}

impl GroupPreflights {
    /// By these use cases. Their own reconcilers are not used.
    pub fn new(app: App, clock: Arc<dyn Clock>) -> Self {
        Self { app: app.with_clock(Arc::clone(&clock)), clock, compared: Mutex::default() }
    }

    /// Whether this group's inventory is to be compared in this round.
    fn compares(&self, id: GroupId) -> bool {
        let passed = self.clock.passed();
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let last = compared.get(&id).copied();
        let is_time = last.is_none_or(|last| passed.saturating_sub(last) >= COMPARED_EVERY);
        if is_time {
            compared.insert(id, passed);
        }
        is_time
    }

    async fn wanted(&self) -> Result<Vec<ProtectionGroup>, AppError> {
        let (groups, kept) = (self.app.protection_groups().await?, self.app.group_preflights().await?);
        self.compared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, _| groups.iter().any(|group| group.id == *id));
        let now = self.clock.now();
        let mut wanted = Vec::new();
        for group in groups {
            if wanted.len() == MOST_IN_A_ROUND {
                break;
            }
            let last = kept.get(&group.id);
            let changed = match last {
                _ if is_due(last, now) => true,
                // Virtual machines came or went: what was said of them is not true any more.
                Some(last) if self.app.count_of(group.id).await? != last.vms => true,
                Some(last) if self.compares(group.id) => self.app.has_changed(&group, last).await?,
                _ => false,
            };
            if changed {
                wanted.push(group);
            }
        }
        Ok(wanted)
    }

    async fn round(&self) -> Result<usize, AppError> {
        let wanted = self.wanted().await?;
        let count = wanted.len();
        let looks = futures_util::stream::iter(wanted).map(|group| async move {
            let kept = self.app.look_over(&group).await?;
            let Some(kept) = kept else { return Ok(()) };
            for one in kept.obstacles.iter().filter(|one| one.is_new && one.since == kept.checked_at) {
                tracing::warn!(group = group.name, object = one.object, why = one.why, "would hurt later");
            }
            Ok::<_, AppError>(())
        });
        let all: Vec<Result<(), AppError>> = looks.buffer_unordered(AT_ONCE).collect().await;
        // One that cannot be looked over must not keep the others from it.
        all.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(count)
    }
}

#[async_trait]
impl Reconciler for GroupPreflights {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<String, Failure> {
        match self.round().await {
            Ok(count) => Ok(format!("{count} groups were looked over.")),
            Err(AppError::Failed(failure)) => Err(failure),
            Err(error) => Err(Failure::transient(format!("Groups could not be looked over: {error}."))),
        }
    }
}
