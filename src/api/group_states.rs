//! How protection groups stand: `/protection-groups/{id}/state` and `/rpo-history`.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::group_preflights::GroupPreflight;
use super::protection_groups::Checkpoint;
use crate::app::App;
use crate::app::group_states::{Breach, GroupState as Stands, Next, RpoDay, RpoState};
use crate::domain::ids::GroupId;

/// How a protection group stands now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupState {
    /// `met`, `at_risk`, `broken` or `unknown`; null with a calendar.
    pub rpo: Option<String>,
    /// How old the newest checkpoint at the DR side is, in seconds; null: there is none.
    pub age_seconds: Option<u64>,
    /// By how much the RPO is broken, in seconds; null: it is not.
    pub broken_by_seconds: Option<u64>,
    /// `running`, `due`, `waiting`, `scheduled`, `closed` by its timetable, or `never` by itself.
    pub next: String,
    /// When the next run starts; null: now, or not by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
    /// The run that goes on.
    pub running_job_id: Option<String>,
    /// The run that ended last.
    pub last_job_id: Option<String>,
    /// Whether that one brought a checkpoint.
    pub last_succeeded: Option<bool>,
    /// How long a run is expected to last, in seconds.
    pub expected_seconds: u64,
    /// Whether that is more than half the RPO.
    pub is_tight: bool,
    /// The newest checkpoint.
    pub newest_checkpoint: Option<Checkpoint>,
    /// How many virtual machines it protects.
    pub protected_vms: u64,
    /// How many of them can be recovered now; null: it had no preflight yet.
    pub ready_vms: Option<u64>,
    /// Its last preflight; null: it had none yet.
    pub preflight: Option<GroupPreflight>,
}

impl From<Stands> for GroupState {
    fn from(one: Stands) -> Self {
        let (rpo, broken_by) = match one.rpo {
            None => (None, None),
            Some(RpoState::Met { .. }) => (Some("met"), None),
            Some(RpoState::AtRisk { .. }) => (Some("at_risk"), None),
            Some(RpoState::Broken { by }) => (Some("broken"), Some(by.as_secs())),
            Some(RpoState::Unknown(_)) => (Some("unknown"), None),
        };
        let (next, at) = match one.next {
            Next::Start => ("due", None),
            Next::Busy => ("running", None),
            Next::At(at) => ("scheduled", Some(at)),
            Next::WaitsForRoom => ("waiting", None),
            Next::Closed(at) => ("closed", at),
            Next::Never => ("never", None),
        };
        let ready_vms = one.ready();
        Self {
            ready_vms,
            preflight: one.preflight.clone().map(GroupPreflight::from),
            rpo: rpo.map(str::to_owned),
            age_seconds: one.age.map(|age| age.as_secs()),
            broken_by_seconds: broken_by,
            next: next.to_owned(),
            next_run_at: at,
            running_job_id: one.running().map(|run| run.job.to_string()),
            last_job_id: one.last_run().map(|run| run.job.to_string()),
            last_succeeded: one.last_run().and_then(|run| run.succeeded),
            expected_seconds: one.expected.as_secs(),
            is_tight: one.is_tight,
            newest_checkpoint: one.newest.map(Checkpoint::from),
            protected_vms: one.vms,
        }
    }
}

/// How a protection group stands against its RPO, and what it does next.
#[utoipa::path(get, path = "/protection-groups/{id}/state", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "How it stands", body = GroupState)))]
pub async fn state(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<GroupState>> {
    Ok(Json(app.group_state(id).await?.into()))
}

/// How a protection group stood against its RPO.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RpoHistory {
    /// The last days (UTC), newest first.
    pub days: Vec<DayOfRpo>,
    /// When it was broken, newest first.
    pub breaches: Vec<RpoBreach>,
}

/// One day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DayOfRpo {
    /// Such as `2026-11-28`.
    pub day: String,
    /// For how long it was watched, in seconds.
    pub watched_seconds: u64,
    /// For how long of that its RPO was broken.
    pub broken_seconds: u64,
    /// The greatest age of its newest checkpoint, in seconds.
    pub worst_age_seconds: u64,
}

/// A time during which the RPO was broken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RpoBreach {
    /// When the newest checkpoint became older than the RPO.
    #[schema(value_type = String, format = DateTime)]
    pub began_at: Timestamp,
    /// When a newer one was complete; null: it is broken still.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The greatest age of the newest checkpoint, in seconds.
    pub worst_age_seconds: u64,
}

impl From<RpoDay> for DayOfRpo {
    fn from(one: RpoDay) -> Self {
        let RpoDay { day, watched_seconds, broken_seconds, worst_age_seconds } = one;
        Self { day, watched_seconds, broken_seconds, worst_age_seconds }
    }
}

impl From<Breach> for RpoBreach {
    fn from(one: Breach) -> Self {
        Self { began_at: one.began_at, ended_at: one.ended_at, worst_age_seconds: one.worst_age_seconds }
    }
}

/// How a protection group stood against its RPO on each of the last 90 days, and when it was broken.
#[utoipa::path(get, path = "/protection-groups/{id}/rpo-history", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "Days and breaches", body = RpoHistory)))]
pub async fn rpo_history(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<RpoHistory>> {
    let (days, breaches) = app.rpo_history(id).await?;
    Ok(Json(RpoHistory {
        days: days.into_iter().map(DayOfRpo::from).collect(),
        breaches: breaches.into_iter().map(RpoBreach::from).collect(),
    }))
}
