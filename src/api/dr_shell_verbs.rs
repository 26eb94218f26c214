//! `/protection-groups/{id}/dr-shells` and `/dr-shells/{id}`

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::jobs::{Accepted, accepted};
use super::paging::{List, Paging};
use crate::app::dr_shell_verbs::DrShellView;
use crate::app::{App, Principal};
use crate::domain::ids::{DrShellId, GroupId};

/// A DR shell.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DrShell {
    /// Its id.
    pub id: String,
    /// Its group.
    pub protection_group_id: String,
    /// The protected virtual machine that it stands for; null: that is not in the group any more.
    pub protected_vm_id: Option<String>,
    /// The instance UUID of that one.
    pub source_instance_uuid: String,
    /// The DR vCenter.
    pub dr_vcenter_id: String,
    /// Its reference there.
    pub moref: String,
    /// Its name.
    pub name: String,
    /// How it stands: `ready`, `drifted` or `missing`.
    pub status: String,
    /// In what it differs from what it stands for.
    pub drift: Vec<String>,
    /// How many disks were proved to open.
    pub disks: usize,
    /// From which checkpoint.
    pub checkpoint: String,
    /// The datastore that was kept mounted with its disks; null: none.
    pub view_datastore: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
}

impl From<DrShellView> for DrShell {
    fn from(view: DrShellView) -> Self {
        let status = view.state.word().to_owned();
        let shell = view.state.shell;
        Self {
            id: shell.id.to_string(),
            protection_group_id: view.group.id.to_string(),
            protected_vm_id: view.vm.map(|vm| vm.id.to_string()),
            source_instance_uuid: shell.source_uuid,
            dr_vcenter_id: shell.dr_vcenter.to_string(),
            moref: shell.vm.id().to_owned(),
            name: shell.spec.name,
            status,
            drift: view.state.drift.into_iter().map(|one| one.message).collect(),
            disks: shell.disks.len(),
            checkpoint: shell.checkpoint.to_string(),
            view_datastore: shell.view.map(|view| view.datastore),
            made_at: shell.made_at,
        }
    }
}

/// The DR shells of a group.
#[utoipa::path(get, path = "/protection-groups/{id}/dr-shells", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id"), Paging),
    responses((status = OK, description = "The shells", body = List<DrShell>)))]
pub async fn list(
    State(app): State<App>,
    Path(id): Path<GroupId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<DrShell>>> {
    app.protection_group(id).await?;
    let mut items = Vec::new();
    for shell in app.dr_shells(id).await? {
        items.push(app.dr_shell(shell.id).await?.into());
    }
    Ok(Json(paging.part(items, |shell: &DrShell, words| shell.name.to_lowercase().contains(words))?))
}

/// One DR shell.
#[utoipa::path(get, path = "/dr-shells/{id}", tag = "dr-shells",
    params(("id" = String, Path, description = "The shell's id")),
    responses((status = OK, description = "The shell", body = DrShell)))]
pub async fn one(State(app): State<App>, Path(id): Path<DrShellId>) -> Answer<Json<DrShell>> {
    Ok(Json(app.dr_shell(id).await?.into()))
}

/// Remove a DR shell: the virtual machine that Zerfaux made, the files of its disks kept, and the view that was kept.
#[utoipa::path(delete, path = "/dr-shells/{id}", tag = "dr-shells",
    params(("id" = String, Path, description = "The shell's id")),
    responses((status = ACCEPTED, description = "A job removes it", body = Accepted)))]
pub async fn remove(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<DrShellId>,
) -> Answer<Response> {
    Ok(accepted(app.remove_dr_shell(&who, id).await?))
}

/// How a DR shell is to be repaired.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Repair {
    /// Networks at the source and those at the DR site that stand for them, where others than those of its cards are wanted.
    pub networks: BTreeMap<String, String>,
}

/// Make a DR shell as what it stands for is now, and its view, if it has one, of the newest checkpoint.
#[utoipa::path(post, path = "/dr-shells/{id}/repair", tag = "dr-shells", request_body = Repair,
    params(("id" = String, Path, description = "The shell's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job repairs it", body = Accepted)))]
pub async fn repair(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<DrShellId>,
    Json(wish): Json<Repair>,
) -> Answer<Response> {
    let networks: Vec<(String, String)> = wish.networks.into_iter().collect();
    Ok(accepted(app.repair_dr_shell(&who, id, &networks).await?))
}
