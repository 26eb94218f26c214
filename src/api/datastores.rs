//! `/targets/{id}/datastores`, and `/jobs/{id}/mount-again`

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::jobs::{Accepted, accepted};
use super::paging::{List, Paging};
use crate::app::datastore_mounts::TargetDatastore as Known;
use crate::app::datastores::DatastoreWish;
use crate::app::{App, Principal};
use crate::domain::ids::{JobId, TargetId};

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

/// A datastore that an appliance exports.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetDatastore {
    /// Its reference.
    pub moref: String,
    /// Its name.
    pub name: String,
    /// The vCenter that knows it.
    pub vcenter_id: String,
    /// The dataset behind it, if the path tells.
    pub dataset: Option<String>,
    /// The server, as hosts were told it.
    pub remote_host: String,
    /// The path.
    pub remote_path: String,
    /// Whether it is a protection datastore.
    pub is_protection_datastore: bool,
    /// Whether it can be reached.
    pub accessible: bool,
    /// The hosts that mount it.
    pub host_morefs: Vec<String>,
    /// How many hosts could mount it.
    pub host_count: usize,
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// What is free, in bytes.
    pub free_bytes: u64,
}

impl From<Known> for TargetDatastore {
    fn from(known: Known) -> Self {
        let datastore = known.datastore;
        Self {
            moref: datastore.object.id().to_owned(),
            name: datastore.name,
            vcenter_id: known.vcenter.to_string(),
            dataset: known.dataset.map(|dataset| dataset.to_string()),
            remote_host: known.export.host,
            remote_path: known.export.path,
            is_protection_datastore: known.protects,
            accessible: datastore.accessible,
            host_morefs: datastore.hosts.iter().map(|host| host.id().to_owned()).collect(),
            host_count: known.hosts,
            capacity_bytes: datastore.capacity_bytes,
            free_bytes: datastore.free_bytes,
        }
    }
}

/// The datastores that an appliance exports, as the inventory knows them, by name.
#[utoipa::path(get, path = "/targets/{id}/datastores", tag = "targets",
    params(("id" = String, Path, description = "The appliance's id"), Paging),
    responses((status = OK, description = "The datastores", body = List<TargetDatastore>)))]
pub async fn list(
    State(app): State<App>,
    Path(id): Path<TargetId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<TargetDatastore>>> {
    let target = app.target(id).await?;
    let all = app.target_datastores(&target).await?.into_iter().map(TargetDatastore::from).collect();
    Ok(Json(paging.part(all, |one: &TargetDatastore, words| one.name.to_lowercase().contains(words))?))
}

/// On which hosts mounting is tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MountAgain {
    /// These; empty: all on which it failed.
    pub host_morefs: Vec<String>,
}

/// Mount what a job has made on hosts on which mounting failed.
#[utoipa::path(post, path = "/jobs/{id}/mount-again", tag = "jobs", request_body = MountAgain,
    params(("id" = String, Path, description = "The job that made the datastore"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "Another job mounts it; its result has one entry per host", body = Accepted)))]
pub async fn mount_again(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<JobId>,
    Json(wish): Json<MountAgain>,
) -> Answer<Response> {
    Ok(accepted(app.mount_again(&who, id, &wish.host_morefs).await?))
}
