//! `/protection-groups/{id}/protected-vms` and `/protected-vms/{id}`

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::paging::{List, Paging};
use crate::app::dr_shells::DrShellState;
use crate::app::protected_vms::{ProtectedVmView, ReadyItem};
use crate::app::{App, Principal};
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::domain::inventory::Drift;

/// A virtual machine that a group protects.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProtectedVm {
    /// Its id.
    pub id: String,
    /// The group.
    pub protection_group_id: String,
    /// The vCenter that has it.
    pub vcenter_id: String,
    /// By what vCenter tells it from others.
    pub instance_uuid: String,
    /// Its reference.
    pub moref: String,
    /// Its name.
    pub name: String,
    /// Whether the vCenter has it.
    pub is_there: bool,
    /// Whether all its disks are on the protection datastore; null: that is not known.
    pub in_protection_datastore: Option<bool>,
    /// Whether it has to be moved there; null: that is not known.
    pub needs_storage_vmotion: Option<bool>,
    /// How its shell stands: `none`, `ready`, `drifted` or `missing`.
    pub dr_shell_status: String,
    /// Whether Zerfaux made its shell.
    pub dr_shell_vm_created: bool,
    /// The shell's reference in the DR vCenter.
    pub dr_shell_vm_id: Option<String>,
    /// Whether everything on its check list is done.
    pub ready: bool,
    /// Its check list.
    pub readiness: Vec<Readiness>,
    /// Who assigned it.
    pub added_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
}

/// One line of a check list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `protection_datastore`, `replicated`, `dr_shell`, `networks`, `tested`.
    pub key: String,
    /// `done`, `missing`, `unknown`, or `caution`: it keeps nobody from being recovered.
    pub state: String,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl From<ReadyItem> for Readiness {
    fn from(item: ReadyItem) -> Self {
        Self {
            key: item.key.to_owned(),
            state: item.state.as_str().to_owned(),
            text: item.text,
            advice: item.advice.map(str::to_owned),
        }
    }
}

impl From<ProtectedVmView> for ProtectedVm {
    fn from(view: ProtectedVmView) -> Self {
        let there = view.drift.as_ref().map(|drift| *drift == Drift::None);
        let seen = view.seen.as_ref().map(|one| &one.object);
        Self {
            id: view.vm.id.to_string(),
            protection_group_id: view.vm.group.to_string(),
            vcenter_id: view.vm.vcenter.to_string(),
            moref: seen.map_or(&view.vm.moref, |vm| &vm.object).id().to_owned(),
            name: seen.map_or(&view.vm.name, |vm| &vm.name).clone(),
            is_there: seen.is_some(),
            instance_uuid: view.vm.instance_uuid,
            in_protection_datastore: there,
            needs_storage_vmotion: there.map(|there| !there),
            dr_shell_status: view.shell.as_ref().map_or("none", DrShellState::word).to_owned(),
            dr_shell_vm_created: view.shell.is_some(),
            dr_shell_vm_id: view.shell.as_ref().map(|one| one.shell.vm.id().to_owned()),
            ready: view.readiness.is_ready(),
            readiness: view.readiness.items.into_iter().map(Readiness::from).collect(),
            added_by: view.vm.added_by,
            added_at: view.vm.added_at,
        }
    }
}

/// The virtual machines of a group, by name.
#[utoipa::path(get, path = "/protection-groups/{id}/protected-vms", tag = "protected-vms",
    params(("id" = String, Path, description = "The group's id"), Paging),
    responses((status = OK, description = "The virtual machines", body = List<ProtectedVm>)))]
pub async fn list(
    State(app): State<App>,
    Path(id): Path<GroupId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<ProtectedVm>>> {
    let all = app.protected_vms(id).await?.into_iter().map(ProtectedVm::from).collect();
    Ok(Json(paging.part(all, |one: &ProtectedVm, words| one.name.to_lowercase().contains(words))?))
}

/// Virtual machines to be assigned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// Their references in the group's vCenter.
    pub vm_morefs: Vec<String>,
}

/// Assign virtual machines to a group: all of them, or none. A virtual machine is in one group.
#[utoipa::path(post, path = "/protection-groups/{id}/protected-vms", tag = "protected-vms", request_body = Assign,
    params(("id" = String, Path, description = "The group's id")),
    responses((status = CREATED, description = "Those that were named", body = List<ProtectedVm>)))]
pub async fn assign(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(wish): Json<Assign>,
) -> Answer<(StatusCode, Json<List<ProtectedVm>>)> {
    let made = app.assign_vms(&who, id, &wish.vm_morefs).await?;
    let items: Vec<ProtectedVm> = made.into_iter().map(ProtectedVm::from).collect();
    let total = items.len() as u64;
    Ok((StatusCode::CREATED, Json(List { items, total, next: None })))
}

/// One protected virtual machine.
#[utoipa::path(get, path = "/protected-vms/{id}", tag = "protected-vms",
    params(("id" = String, Path, description = "Its id")),
    responses((status = OK, description = "The virtual machine", body = ProtectedVm)))]
pub async fn one(State(app): State<App>, Path(id): Path<ProtectedVmId>) -> Answer<Json<ProtectedVm>> {
    Ok(Json(app.protected_vm(id).await?.1.into()))
}

/// Take a virtual machine out of its group. It and its disks stay where they are.
#[utoipa::path(delete, path = "/protected-vms/{id}", tag = "protected-vms",
    params(("id" = String, Path, description = "Its id")),
    responses((status = NO_CONTENT, description = "It is not protected any more")))]
pub async fn remove(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<ProtectedVmId>,
) -> Answer<StatusCode> {
    app.remove_protected_vm(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
