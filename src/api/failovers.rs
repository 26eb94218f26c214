//! `/protection-groups/{id}/failover` and `/protection-groups/{id}/rollback`

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Answer;
use super::jobs::{Accepted, accepted};
use crate::app::failovers::{FailoverMode, FailoverRequest, RecoveryWish};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::GroupId;

/// A failover of a group: its virtual machines go on at the DR site, on a clone of a checkpoint, until that is rolled back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewFailover {
    /// `planned`: the guests are shut down at the source, one last run is made, and nothing is lost. `disaster`: from a
    /// checkpoint, without the source, which is not waited for.
    pub mode: String,
    /// Of a disaster failover: `newest` (unless given), `newest_quiesced`, or a checkpoint by its snapshot's name or GUID. A
    /// planned one takes that of its last run.
    pub checkpoint: Option<String>,
    /// The group's name, as it is written.
    pub confirm: String,
    /// Why, for the report and the audit log. A disaster failover needs it.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Networks at the source, by name or key, and those at the DR site that stand for them, by name or reference; an empty
    /// one: disconnected. The others are as in the recovery plan, then as the DR shells have them.
    pub network_map: BTreeMap<String, String>,
    /// Of a planned failover: how many seconds a guest is given to shut down; null: 300.
    #[schema(minimum = 10, maximum = 3600)]
    pub shutdown_seconds: Option<u32>,
    /// Of a planned failover: whether a guest that has not shut down by then is powered off (null: it is), or the failover is
    /// given up and what was shut down is started again.
    pub then_power_off: Option<bool>,
}

/// What is confirmed before a failover is rolled back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRollback {
    /// The group's name, as it is written.
    pub confirm: String,
}

/// Fail a group over: planned, with the source, or after a disaster, without it.
#[utoipa::path(post, path = "/protection-groups/{id}/failover", tag = "recovery-runs", request_body = NewFailover,
    params(("id" = String, Path, description = "The group's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job does it", body = Accepted)))]
pub async fn failover(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(wish): Json<NewFailover>,
) -> Answer<Response> {
    let mode: FailoverMode =
        wish.mode.parse().map_err(|_| AppError::invalid("mode", "This is planned or disaster."))?;
    let request = FailoverRequest {
        mode,
        checkpoint: wish.checkpoint,
        wish: RecoveryWish { networks: wish.network_map, only: Vec::new() },
        reason: wish.reason,
        shutdown_seconds: wish.shutdown_seconds,
        then_power_off: wish.then_power_off,
        confirm: wish.confirm,
    };
    Ok(accepted(app.start_failover(&who, id, &request).await?.1))
}

/// Roll a failover back that is not committed: both sides become as they were before. What was written in the recovered virtual
/// machines since is lost.
#[utoipa::path(post, path = "/protection-groups/{id}/rollback", tag = "recovery-runs", request_body = NewRollback,
    params(("id" = String, Path, description = "The group's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job does it", body = Accepted)))]
pub async fn rollback(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(wish): Json<NewRollback>,
) -> Answer<Response> {
    Ok(accepted(app.roll_back_group(&who, id, &wish.confirm).await?.1))
}
