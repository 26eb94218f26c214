//! `/targets/{id}/datastores`

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Answer;
use super::jobs::{Accepted, accepted};
use crate::app::datastores::DatastoreWish;
use crate::app::{App, Principal};
use crate::domain::ids::TargetId;

/// A protection datastore to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDatastore {
    /// Its name on the hosts; the dataset is named after it.
    #[schema(min_length = 1, max_length = 42)]
    pub name: String,
    /// The vCenter whose hosts mount it: that of the appliance unless given.
    pub vcenter_id: Option<String>,
    /// Which hosts.
    pub host_morefs: Vec<String>,
    /// Whose hosts may mount, with commas between the networks: as the appliance says unless given.
    pub nfs_clients: Option<String>,
}

/// Make a protection datastore: a dataset, its export, and its mounts on hosts.
#[utoipa::path(post, path = "/targets/{id}/datastores", tag = "targets", request_body = NewDatastore,
    params(("id" = String, Path, description = "The appliance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job makes it; its result has one entry per host", body = Accepted)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
    Json(new): Json<NewDatastore>,
) -> Answer<Response> {
    let wish = DatastoreWish {
        name: new.name,
        vcenter_id: new.vcenter_id.unwrap_or_default(),
        host_morefs: new.host_morefs,
        nfs_clients: new.nfs_clients.unwrap_or_default(),
    };
    Ok(accepted(app.create_protection_datastore(&who, id, &wish).await?))
}
