//! `/protection-groups`

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::{Accepted, accepted};
use super::paging::{List, Paging};
use super::protection_group_fields::{BothKeep, ProtectionGroupFields, Schedule, Timetable, Window};
use super::{Answer, BASE, created};
use crate::app::group_obstacles::Obstacle as Found;
use crate::app::protection_groups::{Checkpoint as Kept, GroupWish, ProtectionGroup as Group, Rhythm};
use crate::app::recovery_runs::Tested;
use crate::app::{App, Principal};
use crate::domain::dataset::Guid;
use crate::domain::ids::GroupId;
use crate::domain::timetable::{Allows, clock_of};

/// A group of virtual machines that are replicated together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProtectionGroup {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The vCenter that has the virtual machines.
    pub source_vcenter_id: String,
    /// The appliance that exports their datastore.
    pub source_target_id: String,
    /// The dataset behind it.
    pub source_dataset: String,
    /// The vCenter in which they are recovered.
    pub dr_vcenter_id: String,
    /// The appliance that has the replica.
    pub dr_target_id: String,
    /// The replica.
    pub dr_dataset: String,
    /// How much may be lost, in minutes; null with a calendar.
    pub rpo_minutes: Option<u32>,
    /// When runs start, instead of an RPO.
    pub schedule: Option<Schedule>,
    /// Which checkpoints stay.
    pub retention: BothKeep,
    /// `auto`, `relay` or `direct`.
    pub transport: String,
    /// The most that is sent, such as `10M`, in bytes a second.
    pub bandwidth_limit: Option<String>,
    /// When less, or nothing, is sent.
    pub timetable: Option<Timetable>,
    /// Every so many checkpoints the guests are asked to be at rest; 0: never.
    pub quiesce_every: u32,
    /// Who goes first where not all can: 0 to 100.
    pub priority: u8,
    /// Whether it is replicated at all.
    pub enabled: bool,
    /// Since when no run is started by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Group> for ProtectionGroup {
    fn from(group: Group) -> Self {
        let wish = GroupWish::from(&group);
        let policy = group.policy;
        let (rpo_minutes, schedule) = match policy.rhythm {
            Rhythm::Rpo { minutes } => (Some(minutes), None),
            Rhythm::Calendar { pattern, time_zone } => {
                (None, Some(Schedule { calendar: pattern, time_zone: Some(time_zone) }))
            }
        };
        let timetable = policy.timetable.map(|one| Timetable {
            time_zone: Some(one.time_zone),
            windows: one
                .windows
                .into_iter()
                .map(|window| Window {
                    days: window.days.iter().map(|day| day.as_str().to_owned()).collect(),
                    from: clock_of(window.from),
                    to: clock_of(window.to),
                    bandwidth_limit: match window.allows {
                        Allows::Nothing => None,
                        Allows::AtMost(rate) => Some(rate.to_string()),
                    },
                })
                .collect(),
        });
        Self {
            id: group.id.to_string(),
            name: group.name,
            description: group.description,
            source_vcenter_id: group.source.vcenter.to_string(),
            source_target_id: group.source.target.to_string(),
            source_dataset: group.source.dataset.to_string(),
            dr_vcenter_id: group.dr.vcenter.to_string(),
            dr_target_id: group.dr.target.to_string(),
            dr_dataset: group.dr.dataset.to_string(),
            rpo_minutes,
            schedule,
            retention: BothKeep { source: Some(policy.keep_source.into()), dr: Some(policy.keep_dr.into()) },
            transport: wish.transport,
            bandwidth_limit: policy.bandwidth_limit.map(|rate| rate.to_string()),
            timetable,
            quiesce_every: wish.quiesce_every.parse().unwrap_or(0),
            priority: policy.priority,
            enabled: group.enabled,
            paused_at: group.paused_at,
            created_by: group.created_by,
            created_at: group.created_at,
        }
    }
}

/// Protection groups, by name.
#[utoipa::path(get, path = "/protection-groups", tag = "protection-groups", params(Paging),
    responses((status = OK, description = "The groups", body = List<ProtectionGroup>)))]
pub async fn list(
    State(app): State<App>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<ProtectionGroup>>> {
    let all = app.protection_groups().await?.into_iter().map(ProtectionGroup::from).collect();
    Ok(Json(paging.part(all, |one: &ProtectionGroup, words| one.name.to_lowercase().contains(words))?))
}

/// Make a protection group. Appliance and dataset are told by the datastore, or given; both have to agree.
#[utoipa::path(post, path = "/protection-groups", tag = "protection-groups", request_body = ProtectionGroupFields,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key creates nothing again")),
    responses((status = CREATED, description = "The group", body = ProtectionGroup)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(fields): Json<ProtectionGroupFields>,
) -> Answer<Response> {
    let made = app.create_protection_group(&who, &fields.over(GroupWish::default())?).await?;
    let made = ProtectionGroup::from(made);
    Ok(created(format!("{BASE}/protection-groups/{}", made.id), made))
}

/// One protection group.
#[utoipa::path(get, path = "/protection-groups/{id}", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "The group", body = ProtectionGroup)))]
pub async fn one(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<ProtectionGroup>> {
    Ok(Json(app.protection_group(id).await?.into()))
}

/// Change a protection group. Its dataset and its replica stay: another dataset is another group.
#[utoipa::path(patch, path = "/protection-groups/{id}", tag = "protection-groups", request_body = ProtectionGroupFields,
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "The group as it is now", body = ProtectionGroup)))]
pub async fn change(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(fields): Json<ProtectionGroupFields>,
) -> Answer<Json<ProtectionGroup>> {
    let old = GroupWish::from(&app.protection_group(id).await?);
    Ok(Json(app.update_protection_group(&who, id, &fields.over(old)?).await?.into()))
}

/// Forget a protection group. Its replica and its checkpoints stay on the DR appliance, where the answer says.
#[utoipa::path(delete, path = "/protection-groups/{id}", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "The group as it was: `dr_dataset` on `dr_target_id` is the replica that stays", body = ProtectionGroup)))]
pub async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<Json<ProtectionGroup>> {
    Ok(Json(app.delete_protection_group(&who, id).await?.into()))
}

/// Start no run of a group by itself any more.
#[utoipa::path(post, path = "/protection-groups/{id}/pause", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = NO_CONTENT, description = "It is paused")))]
pub async fn pause(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<StatusCode> {
    app.pause_protection_group(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Start runs of a group by itself again.
#[utoipa::path(post, path = "/protection-groups/{id}/resume", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = NO_CONTENT, description = "It is not paused any more")))]
pub async fn resume(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<StatusCode> {
    app.resume_protection_group(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Start a run of a group now, also of one that is paused. If one goes on already, that is answered.
#[utoipa::path(post, path = "/protection-groups/{id}/run-now", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = ACCEPTED, description = "The run", body = Accepted)))]
pub async fn run_now(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<Response> {
    Ok(accepted(app.run_protection_group(&who, id).await?))
}

/// A point in time that can be recovered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// The snapshot's name after the `@`, the same on both sides.
    pub snapshot: String,
    /// Its GUID, the same on both sides.
    pub guid: String,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
    /// When it was complete at the DR side.
    #[schema(value_type = String, format = DateTime)]
    pub complete_at: Timestamp,
    /// How much was sent for it, in bytes.
    pub bytes: u64,
    /// `crash_consistent`, `quiesced` or `partly`.
    pub kind: String,
    /// The run that made it.
    pub job_id: Option<String>,
    /// When a test of it last ran; null: it was not tested.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub tested_at: Option<Timestamp>,
    /// What a person said of that test: `passed` or `failed`.
    pub test_verdict: Option<String>,
}

impl Checkpoint {
    /// The same, with what is known of its tests.
    pub(super) fn tested(mut self, tested: &HashMap<Guid, Tested>) -> Self {
        let tested = self.guid.parse().ok().and_then(|guid| tested.get(&Guid(guid)));
        self.tested_at = tested.map(|one| one.at);
        self.test_verdict = tested.and_then(|one| Some(one.verdict?.as_str().to_owned()));
        self
    }
}

impl From<Kept> for Checkpoint {
    fn from(one: Kept) -> Self {
        Self {
            snapshot: one.snapshot.to_string(),
            guid: one.guid.to_string(),
            taken_at: one.taken_at,
            complete_at: one.complete_at,
            bytes: one.bytes,
            kind: one.kind.as_str().to_owned(),
            job_id: one.job.map(|job| job.to_string()),
            tested_at: None,
            test_verdict: None,
        }
    }
}

/// The checkpoints that the DR side has, newest first.
#[utoipa::path(get, path = "/protection-groups/{id}/checkpoints", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id"), Paging),
    responses((status = OK, description = "The checkpoints", body = List<Checkpoint>)))]
pub async fn checkpoints(
    State(app): State<App>,
    Path(id): Path<GroupId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Checkpoint>>> {
    let tested = app.tested_checkpoints(id).await?;
    let all = app.checkpoints(id, false).await?.into_iter();
    let all = all.map(|one| Checkpoint::from(one).tested(&tested)).collect();
    Ok(Json(paging.part(all, |one: &Checkpoint, words| one.snapshot.to_lowercase().contains(words))?))
}

/// Something that would hurt the group later.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Obstacle {
    /// A name for programs, such as `child_dataset`.
    pub kind: String,
    /// What it is about.
    pub object: String,
    /// Why it hurts.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

impl From<Found> for Obstacle {
    fn from(one: Found) -> Self {
        Self { kind: one.kind.to_owned(), object: one.object, why: one.why, advice: one.advice }
    }
}

/// What would hurt the group later. Asks its source appliance.
#[utoipa::path(get, path = "/protection-groups/{id}/obstacles", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id"), Paging),
    responses((status = OK, description = "The obstacles", body = List<Obstacle>)))]
pub async fn obstacles(
    State(app): State<App>,
    Path(id): Path<GroupId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Obstacle>>> {
    paging.limit()?;
    let all = app.group_obstacles(id).await?.into_iter().map(Obstacle::from).collect();
    Ok(Json(paging.part(all, |one: &Obstacle, words| one.object.to_lowercase().contains(words))?))
}
