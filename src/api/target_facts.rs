//! `/targets/{id}/…`: how an appliance is, and what is on it.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::jobs::accepted;
use super::paging::{List, Paging};
use super::{Answer, targets::Target};
use crate::app::target_health::{DatasetFacts, Part, SnapshotFacts};
use crate::app::{App, AppError, Principal};
use crate::domain::dataset::DatasetKind;
use crate::domain::health::{Health as DomainHealth, HealthState};
use crate::domain::ids::TargetId;

/// How an appliance is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetHealth {
    /// Whether one got in and nothing that is needed is broken.
    pub success: bool,
    /// `unknown`, `healthy`, `degraded`, `failed` or `unreachable`.
    pub health_status: String,
    /// When it was looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_at: Option<Timestamp>,
    /// Each thing that was looked at.
    pub checks: Vec<TargetCheck>,
    /// What was seen: release, pools, exports and so on.
    pub facts: Value,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetCheck {
    /// What.
    pub name: String,
    /// `ok`, `unknown`, `warn` or `fail`.
    pub state: String,
    /// What was found, as a sentence.
    pub found: String,
    /// What to do about it, with the command where there is one.
    pub advice: Option<String>,
}

impl TargetHealth {
    fn of(health: Option<DomainHealth>) -> Self {
        let Some(health) = health else {
            let health_status = HealthState::Unknown.to_string();
            return Self {
                success: false,
                health_status,
                checked_at: None,
                checks: Vec::new(),
                facts: Value::Null,
            };
        };
        let check = |check: crate::domain::health::HealthCheck| TargetCheck {
            name: check.name,
            state: check.verdict.as_str().to_owned(),
            found: check.found,
            advice: check.advice,
        };
        Self {
            success: matches!(health.state, HealthState::Healthy | HealthState::Degraded),
            health_status: health.state.to_string(),
            checked_at: Some(health.checked_at),
            checks: health.checks.into_iter().map(check).collect(),
            facts: serde_json::to_value(health.facts).unwrap_or_default(),
        }
    }
}

/// What was found about an appliance when it was looked at last.
#[utoipa::path(get, path = "/targets/{id}/health", tag = "targets", params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "What was found", body = TargetHealth)))]
pub async fn health(State(app): State<App>, Path(id): Path<TargetId>) -> Answer<Json<TargetHealth>> {
    Ok(Json(TargetHealth::of(app.target_health(id).await?)))
}

/// Log in now and look at everything. An appliance that cannot be reached is an error; one that is not well is not.
#[utoipa::path(post, path = "/targets/{id}/test", tag = "targets", params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "What was found", body = TargetHealth)))]
pub async fn test(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
) -> Answer<Json<TargetHealth>> {
    Ok(Json(TargetHealth::of(Some(app.test_target(&who, id).await?))))
}

/// Look at an appliance as a job, whose console tells each finding.
#[utoipa::path(post, path = "/targets/{id}/health-check", tag = "targets", params(("id" = String, Path, description = "The appliance's id")),
    responses((status = ACCEPTED, description = "The job is queued", body = super::jobs::Accepted)))]
pub async fn check(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
) -> Answer<Response> {
    Ok(accepted(app.start_health_check(&who, id).await?))
}

/// A host key that was compared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedHostKey {
    /// `SHA256:…`
    pub host_key_fingerprint: String,
}

/// Accept another host key in place of the one before. A login has to work with it.
#[utoipa::path(post, path = "/targets/{id}/host-key", tag = "targets", request_body = AcceptedHostKey,
    params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "The appliance", body = Target)))]
pub async fn accept_host_key(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
    Json(given): Json<AcceptedHostKey>,
) -> Answer<Json<Target>> {
    let host = app.target(id).await?.endpoint.host;
    app.accept_host_key(&who, id, &given.host_key_fingerprint).await?.kept(&host)?;
    super::targets::one(State(app), Path(id)).await
}

/// A dataset on an appliance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetDataset {
    /// Its name.
    pub name: String,
    /// `filesystem` or `volume`.
    pub kind: String,
    /// Bytes it uses with its snapshots and children.
    pub used: u64,
    /// Bytes it refers to.
    pub referenced: u64,
    /// Bytes it could still take.
    pub available: u64,
    /// Where it is or would be mounted.
    pub mountpoint: Option<String>,
    /// What Zerfaux uses it for: `live`, `replica`, `run` or `keep`.
    pub role: Option<String>,
    /// How many snapshots it has itself.
    pub snapshots: u64,
    /// When the newest of them was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub newest_snapshot_at: Option<Timestamp>,
}

impl From<DatasetFacts> for TargetDataset {
    fn from(facts: DatasetFacts) -> Self {
        Self {
            name: facts.name.to_string(),
            kind: if facts.kind == DatasetKind::Volume { "volume" } else { "filesystem" }.to_owned(),
            used: facts.used,
            referenced: facts.referenced,
            available: facts.available,
            mountpoint: facts.mountpoint,
            role: facts.role.map(|role| role.as_str().to_owned()),
            snapshots: facts.snapshots,
            newest_snapshot_at: facts.newest_snapshot_at,
        }
    }
}

/// A snapshot on an appliance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetSnapshot {
    /// `dataset@tag`.
    pub name: String,
    /// The same on every host that has it; a text, because JSON's numbers are too small for it.
    pub guid: String,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Bytes that only it keeps.
    pub used: u64,
    /// Bytes that it refers to.
    pub referenced: u64,
    /// The group of Zerfaux that it belongs to; null: somebody else's.
    pub group: Option<String>,
    /// The tags of its holds: while there is one, it cannot be destroyed.
    pub holds: Vec<String>,
    /// Datasets cloned from it.
    pub clones: Vec<String>,
}

impl From<SnapshotFacts> for TargetSnapshot {
    fn from(facts: SnapshotFacts) -> Self {
        Self {
            name: facts.name.to_string(),
            guid: facts.guid.to_string(),
            created_at: facts.created_at,
            used: facts.used,
            referenced: facts.referenced,
            group: facts.group,
            holds: facts.holds,
            clones: facts.clones.iter().map(ToString::to_string).collect(),
        }
    }
}

fn part(paging: &Paging) -> Result<Part, AppError> {
    let words = paging.q.clone().unwrap_or_default();
    Ok(Part { words, skip: paging.cursor()?.unwrap_or(0), limit: paging.limit()? })
}

fn listed<F, T: From<F>>(part: &Part, found: crate::app::target_health::Found<F>) -> Json<List<T>> {
    let items: Vec<T> = found.items.into_iter().map(T::from).collect();
    let end = part.skip.saturating_add(items.len());
    let more = (end as u64) < found.total && !items.is_empty();
    Json(List { items, total: found.total, next: more.then(|| end.to_string()) })
}

/// The datasets on an appliance as they are now, by name. Read from the appliance, never from the database.
#[utoipa::path(get, path = "/targets/{id}/datasets", tag = "targets", params(("id" = String, Path, description = "The appliance's id"), Paging),
    responses((status = OK, description = "The datasets", body = List<TargetDataset>)))]
pub async fn datasets(
    State(app): State<App>,
    Path(id): Path<TargetId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<TargetDataset>>> {
    let part = part(&paging)?;
    Ok(listed(&part, app.target_datasets(id, &part).await?))
}

/// Of which dataset, and which part.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfDataset {
    /// The dataset.
    pub dataset: String,
    /// Items at most: 1 to 1000, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// The `next` of the part before.
    pub cursor: Option<String>,
    /// Only items with this text in them.
    pub q: Option<String>,
}

/// The snapshots of a dataset on an appliance as they are now, newest first.
#[utoipa::path(get, path = "/targets/{id}/snapshots", tag = "targets", params(("id" = String, Path, description = "The appliance's id"), OfDataset),
    responses((status = OK, description = "The snapshots", body = List<TargetSnapshot>)))]
pub async fn snapshots(
    State(app): State<App>,
    Path(id): Path<TargetId>,
    Query(which): Query<OfDataset>,
) -> Answer<Json<List<TargetSnapshot>>> {
    let part = part(&Paging { limit: which.limit, cursor: which.cursor, q: which.q })?;
    Ok(listed(&part, app.target_snapshots(id, &which.dataset, &part).await?))
}
