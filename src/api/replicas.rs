//! `/protection-groups/{id}/delete-with-replica`

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Answer;
use super::jobs::{Accepted, accepted};
use crate::app::replicas::DeletionWish;
use crate::app::{App, Principal};
use crate::domain::ids::GroupId;

/// What is to be destroyed, by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteWithReplica {
    /// The group's name.
    pub confirm: String,
    /// The replica's dataset, as the group has it in `dr_dataset`.
    pub replica: String,
    /// Whether the group's own snapshots at the source go too. Those of others, and the data, stay in any case.
    #[serde(default)]
    pub source_snapshots: bool,
}

/// Destroy a protection group's replica with every checkpoint, and forget the group. It is switched off at once. What somebody
/// else may want (a clone, a hold, a snapshot or a dataset that is not the group's) keeps all of it.
#[utoipa::path(post, path = "/protection-groups/{id}/delete-with-replica", tag = "protection-groups",
    request_body = DeleteWithReplica,
    params(("id" = String, Path, description = "The group's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job destroys it", body = Accepted)))]
pub async fn delete_with_replica(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(wish): Json<DeleteWithReplica>,
) -> Answer<Response> {
    let wish = DeletionWish {
        confirm: wish.confirm,
        replica: wish.replica,
        source_snapshots: wish.source_snapshots,
    };
    Ok(accepted(app.delete_group_with_replica(&who, id, &wish).await?))
}
