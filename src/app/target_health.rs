//! How appliances are, and what is on them.

use jiff::Timestamp;
use serde_json::json;

use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::health::{CapacitySample, Health, HealthState};
use crate::domain::ids::{JobId, TargetId};
use crate::domain::names::DatasetName;
use crate::domain::target::Target;
use crate::jobs::health_check::{self, HealthInput};
use crate::jobs::target_browse;

pub use crate::jobs::target_browse::{DatasetFacts, Found, Part, SnapshotFacts};
pub use crate::plan::capacity::{Forecast, forecast};

impl App {
    /// All appliances by name, each with what was found last.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn targets_with_health(&self) -> Result<Vec<(Target, Option<Health>)>, AppError> {
        let mut known = self.store.targets_health().await?;
        let with = |target: Target| {
            let found = known.iter().position(|(id, _)| *id == target.id);
            let health = found.map(|at| known.swap_remove(at).1);
            (target, health)
        };
        Ok(self.store.targets().await?.into_iter().map(with).collect())
    }

    /// What was found about an appliance last; none if nobody has looked yet.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn target_health(&self, id: TargetId) -> Result<Option<Health>, AppError> {
        self.target(id).await?;
        Ok(self.store.target_health(id).await?)
    }

    /// How many active appliances stand in which state.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn count_targets_by_health(&self) -> Result<Vec<(HealthState, u64)>, AppError> {
        Ok(self.store.count_targets_by_health().await?)
    }

    /// How full a pool was since then, oldest first.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn target_capacity(
        &self,
        id: TargetId,
        pool: &str,
        since: Timestamp,
    ) -> Result<Vec<CapacitySample>, AppError> {
        Ok(self.store.target_capacity(id, pool, since).await?)
    }

    /// Queues a look at an appliance as a job.
    ///
    /// # Errors
    /// If there is none with this id, or the database does not answer.
    pub async fn start_health_check(&self, who: &Principal, id: TargetId) -> Result<JobId, AppError> {
        let target = self.target(id).await?;
        let entry = self.entry(who, "target.check", &target.name, Outcome::Done, json!({ "target_id": id }));
        self.start_job(who, health_check::KIND, &HealthInput { target: id }, entry).await
    }

    /// The datasets on an appliance as they are now, by name.
    ///
    /// # Errors
    /// If there is none with this id, or it does not answer in time.
    pub async fn target_datasets(&self, id: TargetId, part: &Part) -> Result<Found<DatasetFacts>, AppError> {
        self.target(id).await?;
        Ok(target_browse::datasets(&self.target_hosts(), id, part).await?)
    }

    /// The names of the datasets in an appliance's own pool, to choose from.
    ///
    /// # Errors
    /// As [`App::target_datasets`].
    pub async fn target_dataset_names(&self, id: TargetId) -> Result<Vec<DatasetName>, AppError> {
        let target = self.target(id).await?;
        Ok(target_browse::dataset_names(&self.target_hosts(), id, &target.zfs_pool).await?)
    }

    /// The snapshots of a dataset on an appliance as they are now, newest first.
    ///
    /// # Errors
    /// As [`App::target_datasets`], and if there is no such dataset.
    pub async fn target_snapshots(
        &self,
        id: TargetId,
        dataset: &str,
        part: &Part,
    ) -> Result<Found<SnapshotFacts>, AppError> {
        let target = self.target(id).await?;
        let name: DatasetName = dataset.parse().map_err(|error| AppError::invalid("dataset", error))?;
        let found = target_browse::snapshots(&self.target_hosts(), id, &name, part).await?;
        found.ok_or_else(|| AppError::NotFound(format!("there is no dataset {name} on {}", target.name)))
    }
}
