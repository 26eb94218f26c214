//! The health of appliances: every active one is looked at once a minute, over the connection that is kept to it.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;

use super::failure::not_kept;
use super::health_check::examine;
use super::targets::Targets;
use crate::domain::health::HealthState;
use crate::domain::ids::TargetId;
use crate::domain::job::Failure;
use crate::engine::reconcile::Reconciler;

/// The reconciler's name.
pub const NAME: &str = "target_watch";
/// From one look to the next.
const EVERY: Duration = Duration::from_secs(60);
/// Looked at side by side.
const AT_ONCE: usize = 16;

/// Looks at all active appliances.
pub struct TargetWatch(Targets);

impl TargetWatch {
    /// Looks at those that `targets` knows.
    pub fn new(targets: Targets) -> Self {
        Self(targets)
    }

    async fn one(&self, id: TargetId) -> Result<HealthState, Failure> {
        let store = self.0.store();
        let before = store.target_health(id).await.map_err(not_kept)?.map(|health| health.state);
        let (target, health) = examine(&self.0, id).await?;
        if before != Some(health.state) {
            let state = health.state.as_str();
            match health.state {
                HealthState::Healthy => {
                    tracing::info!(appliance = target.name, state, "an appliance is well")
                }
                _ => {
                    let worst = health.checks.iter().max_by_key(|check| check.verdict);
                    let why = worst.map(|check| format!("{}: {}", check.name, check.found));
                    tracing::warn!(appliance = target.name, state, why, "an appliance is not well");
                }
            }
        }
        store.put_target_health(id, &health).await.map_err(not_kept)?;
        Ok(health.state)
    }
}

#[async_trait]
impl Reconciler for TargetWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<String, Failure> {
        let active: Vec<TargetId> = {
            let all = self.0.store().targets().await.map_err(not_kept)?;
            all.into_iter().filter(|target| target.is_active).map(|target| target.id).collect()
        };
        let count = active.len();
        let looks = futures_util::stream::iter(active).map(|id| self.one(id)).buffer_unordered(AT_ONCE);
        let states: Vec<Result<HealthState, Failure>> = looks.collect().await;
        let well = states.iter().filter(|state| matches!(state, Ok(HealthState::Healthy))).count();
        // One that could not be looked at at all (its key is gone) must not keep the others from being kept.
        if let Some(Err(failure)) = states.into_iter().find(Result::is_err) {
            return Err(failure);
        }
        Ok(format!("{well} of {count} appliances are well."))
    }
}
