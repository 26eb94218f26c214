//! `/replication-jobs`: replications between two appliances.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Answer;
use super::jobs::accepted;
use crate::app::replications::ReplicationWish;
use crate::app::{App, Principal};

/// A replication to be started, or looked at before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReplication {
    /// From which appliance.
    pub source_target_id: String,
    /// What is sent.
    pub source_dataset: String,
    /// To which appliance.
    pub destination_target_id: String,
    /// What is received into.
    pub destination_dataset: String,
    /// With everything below.
    #[serde(default)]
    pub recursive: bool,
    /// Send what is there, without a snapshot of now.
    #[serde(default)]
    pub no_snapshot: bool,
    /// Leave out the snapshots between the base and the newest.
    #[serde(default)]
    pub only_newest: bool,
    /// `auto` (unless given), `relay` or `direct`.
    pub transport: Option<String>,
    /// Bytes a second at most.
    #[schema(minimum = 1)]
    pub bandwidth_limit: Option<u64>,
    /// Which of our snapshots stay at the source, such as `last=3,daily=7`; all unless given.
    pub keep_source: Option<String>,
    /// The same at the destination.
    pub keep_destination: Option<String>,
    /// `stop` (unless given), `keep-and-continue` or `keep-and-seed`.
    pub on_conflict: Option<String>,
}

impl From<NewReplication> for ReplicationWish {
    fn from(new: NewReplication) -> Self {
        Self {
            source_target_id: new.source_target_id,
            source_dataset: new.source_dataset,
            destination_target_id: new.destination_target_id,
            destination_dataset: new.destination_dataset,
            recursive: new.recursive,
            no_snapshot: new.no_snapshot,
            only_newest: new.only_newest,
            transport: new.transport.unwrap_or_default(),
            bandwidth_limit: new.bandwidth_limit.map(|limit| limit.to_string()).unwrap_or_default(),
            keep_source: new.keep_source.unwrap_or_default(),
            keep_destination: new.keep_destination.unwrap_or_default(),
            on_conflict: new.on_conflict.unwrap_or_default(),
        }
    }
}

/// Replicate a dataset from one appliance to another.
#[utoipa::path(post, path = "/replication-jobs", tag = "jobs", request_body = NewReplication,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "The job is queued", body = super::jobs::Accepted)))]
pub async fn start(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(new): Json<NewReplication>,
) -> Answer<Response> {
    Ok(accepted(app.replicate_between(&who, &new.into()).await?))
}

/// What a replication would do now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplicationPreview {
    /// Whether a snapshot would be taken first.
    pub snapshot_first: bool,
    /// Whether the stream would go straight from host to host.
    pub direct: bool,
    /// Which way it would go and why.
    pub way: String,
    /// Dataset by dataset, parents first: what would be sent, about how many bytes, or what stands in the way.
    pub datasets: Vec<Value>,
}

/// What a replication would do now. Changes nothing.
#[utoipa::path(post, path = "/replication-jobs/preview", tag = "jobs", request_body = NewReplication,
    responses((status = OK, description = "What would be done", body = ReplicationPreview)))]
pub async fn preview(
    State(app): State<App>,
    Json(new): Json<NewReplication>,
) -> Answer<Json<ReplicationPreview>> {
    let prepared = app.prepare_replication(&new.into()).await?;
    let preview = app.preview_replication(prepared.input).await?;
    let datasets = preview.datasets.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
    let (snapshot_first, direct, way) = (preview.snapshot_first, preview.direct, preview.way);
    Ok(Json(ReplicationPreview { snapshot_first, direct, way, datasets }))
}
