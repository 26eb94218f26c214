//! Groups that appliances have and our database does not: found by what their datasets say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::failure::not_kept;
use super::manifests::read_terms;
use super::targets::Targets;
use crate::domain::dataset::{Dataset, Guid, Owner, Role};
use crate::domain::epoch::Epoch;
use crate::domain::ids::{GroupId, TargetId};
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::domain::target::Target;
use crate::domain::terms::Terms;

/// Asked side by side.
const AT_ONCE: usize = 8;
/// Nobody waits longer for one appliance.
const LONGEST: Duration = Duration::from_secs(60);

/// A dataset that says whose it is.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Where it lies.
    pub target: TargetId,
    /// What the appliance is called.
    pub appliance: String,
    /// The dataset.
    pub dataset: DatasetName,
    /// Its own GUID.
    pub guid: Guid,
    /// What it is for.
    pub role: Role,
    /// Which way its group goes, as it says; none: it says nothing that is understood.
    pub epoch: Option<Epoch>,
    /// What its group is, as it says; or why that cannot be read.
    pub terms: Result<Terms, String>,
    /// How many checkpoints of the group it has.
    pub checkpoints: usize,
}

/// What was found of all groups, and which appliances did not answer.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The datasets of each group.
    pub groups: BTreeMap<GroupId, Vec<Claimed>>,
    /// Those that did not answer, with why.
    pub silent: Vec<Silent>,
}

/// An appliance that did not answer.
#[derive(Debug, Clone, Serialize)]
pub struct Silent {
    /// What it is called.
    pub appliance: String,
    /// Why.
    pub why: String,
}

/// Looks for groups on all appliances that are in use.
///
/// # Errors
/// If the database does not answer. An appliance that does not is named.
pub async fn survey(targets: &Targets) -> Result<Survey, Failure> {
    let all = targets.store().targets().await.map_err(not_kept)?;
    let looks = all.into_iter().filter(|target| target.is_active).map(|target| {
        let targets = targets.clone();
        async move {
            let looked = tokio::time::timeout(LONGEST, look(&targets, &target)).await;
            let late =
                |_| Err(Failure::transient(format!("It did not answer within {} s.", LONGEST.as_secs())));
            (target.name, looked.unwrap_or_else(late))
        }
    });
    let looked: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    let mut survey = Survey::default();
    for (appliance, outcome) in looked {
        match outcome {
            Ok(found) => {
                for (group, claimed) in found {
                    survey.groups.entry(group).or_default().push(claimed);
                }
            }
            Err(failure) => survey.silent.push(Silent { appliance, why: failure.message }),
        }
    }
    survey.silent.sort_by(|one, other| one.appliance.cmp(&other.appliance));
    for found in survey.groups.values_mut() {
        found.sort_by(|one, other| (one.role.as_str(), one.target).cmp(&(other.role.as_str(), other.target)));
    }
    Ok(survey)
}

async fn look(targets: &Targets, target: &Target) -> Result<Vec<(GroupId, Claimed)>, Failure> {
    let zfs = targets.zfs(target.id).await?;
    let named: Vec<DatasetName> = zfs
        .browse(&target.zfs_pool)
        .await?
        .into_iter()
        .filter(|one| matches!(one.role, Some(Role::Live | Role::Replica)))
        .map(|one| one.name)
        .collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let datasets = zfs.datasets(&named, false).await?;
    let mut terms = read_terms(&zfs, &named).await?;
    let claimed = |dataset: Dataset| {
        let group: GroupId = dataset.group.as_deref()?.parse().ok()?;
        let own = Owner::Zerfaux(group.to_string());
        let said = match terms.remove(&dataset.name) {
            Some(Ok(terms)) if terms.group == group => Ok(terms),
            Some(Ok(_)) => Err("What it says of its group is of another group.".to_owned()),
            Some(Err(error)) => Err(format!("What it says of its group cannot be read: {error}.")),
            None => Err("It does not say what its group is: a run writes that on it.".to_owned()),
        };
        let claimed = Claimed {
            target: target.id,
            appliance: target.name.clone(),
            guid: dataset.guid,
            role: dataset.role?,
            epoch: dataset.epoch.as_deref().and_then(|epoch| epoch.parse().ok()),
            terms: said,
            checkpoints: dataset.snapshots.iter().filter(|snapshot| snapshot.owner == own).count(),
            dataset: dataset.name,
        };
        Some((group, claimed))
    };
    Ok(datasets.into_iter().filter_map(claimed).collect())
}
