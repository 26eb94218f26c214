//! `/protection-groups/{id}/preflight`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::app::group_preflights::Preflight;
use crate::app::{App, AppError, Principal};
use crate::domain::ids::GroupId;

/// What the last preflight of a protection group found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupPreflight {
    /// When everything was looked at.
    #[schema(value_type = String, format = DateTime)]
    pub checked_at: Timestamp,
    /// Whether the source appliance answered.
    pub appliance_answered: bool,
    /// What would hurt the group later.
    pub obstacles: Vec<KnownObstacle>,
}

/// Something that would hurt a group later, and since when that is known.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KnownObstacle {
    /// A name for programs.
    pub kind: String,
    /// What it is about.
    pub object: String,
    /// Why it hurts.
    pub why: String,
    /// What to do about it.
    pub advice: String,
    /// When it was found first.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Whether it came after the first preflight and nobody has said that it was seen.
    pub is_new: bool,
}

impl From<Preflight> for GroupPreflight {
    fn from(last: Preflight) -> Self {
        let obstacles = last.obstacles.into_iter().map(|one| KnownObstacle {
            kind: one.kind,
            object: one.object,
            why: one.why,
            advice: one.advice,
            since: one.since,
            is_new: one.is_new,
        });
        Self {
            checked_at: last.checked_at,
            appliance_answered: last.seen.is_some(),
            obstacles: obstacles.collect(),
        }
    }
}

/// What the last preflight of a protection group found. One is made daily, and when the inventory shows something else.
#[utoipa::path(get, path = "/protection-groups/{id}/preflight", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "What it found", body = GroupPreflight)))]
pub async fn last(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<GroupPreflight>> {
    let last = app.group_preflight(id).await?;
    let none =
        || AppError::NotFound("this group had no preflight yet; it has one within a minute".to_owned());
    Ok(Json(last.ok_or_else(none)?.into()))
}

/// Look a protection group over now. Asks its source appliance. What is new counts as seen.
#[utoipa::path(post, path = "/protection-groups/{id}/preflight", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "What was found", body = GroupPreflight)))]
pub async fn check(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<Json<GroupPreflight>> {
    Ok(Json(app.run_preflight(&who, id).await?.into()))
}

/// Say that what is new in a protection group's preflight was seen: it is no more among what needs somebody.
#[utoipa::path(post, path = "/protection-groups/{id}/preflight/seen", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = NO_CONTENT, description = "It is noted")))]
pub async fn see(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<StatusCode> {
    app.see_preflight(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
