//! `/zfs-templates`

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging::{List, Paging};
use super::{Answer, BASE, created};
use crate::app::templates::{TemplateView, TemplateWish};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::{SshKeyId, TemplateId};

/// A template from which appliances are deployed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ZfsTemplate {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The vCenter that has the virtual machine template.
    pub vcenter_id: String,
    /// vSphere's reference of the virtual machine template.
    pub template_moref: String,
    /// Its name in the vCenter when it was registered.
    pub template_name: String,
    /// Whether the vCenter still has it.
    pub template_found: bool,
    /// The datacenter, by name or reference.
    pub default_datacenter: Option<String>,
    /// The cluster or host.
    pub default_cluster: Option<String>,
    /// The datastore of the virtual machine and its disks.
    pub default_datastore: Option<String>,
    /// The network of its NIC.
    pub default_network: Option<String>,
    /// The resource pool.
    pub default_resource_pool: Option<String>,
    /// The folder.
    pub default_folder: Option<String>,
    /// The name of the pool.
    pub default_zfs_pool_name: String,
    /// Whose hosts may mount: networks with commas between them.
    pub default_nfs_network: String,
    /// Virtual CPUs.
    pub default_cpu_count: u32,
    /// Memory in GiB.
    pub default_memory_gb: u32,
    /// Size of the disk for the pool in GiB.
    pub default_zfs_disk_gb: u32,
    /// Who logs in.
    pub default_ssh_username: String,
    /// TCP port of the SSH server.
    pub default_ssh_port: u16,
    /// The SSH key to log in with.
    pub ssh_key_id: Option<String>,
    /// Whether it is offered; false: retired.
    pub is_active: bool,
    /// How many appliances were made from it.
    pub deployment_count: u64,
    /// When the last one was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_deployed_at: Option<Timestamp>,
    /// Who registered it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<TemplateView> for ZfsTemplate {
    fn from(TemplateView { template: one, deployments, is_there }: TemplateView) -> Self {
        Self {
            id: one.id.to_string(),
            name: one.name,
            description: one.description,
            vcenter_id: one.vcenter.to_string(),
            template_moref: one.moref.id().to_owned(),
            template_name: one.vm_name,
            template_found: is_there,
            default_datacenter: one.defaults.datacenter,
            default_cluster: one.defaults.cluster,
            default_datastore: one.defaults.datastore,
            default_network: one.defaults.network,
            default_resource_pool: one.defaults.resource_pool,
            default_folder: one.defaults.folder,
            default_zfs_pool_name: one.defaults.pool.to_string(),
            default_nfs_network: one.defaults.nfs_networks.to_string(),
            default_cpu_count: one.defaults.cpus,
            default_memory_gb: one.defaults.memory_gib,
            default_zfs_disk_gb: one.defaults.disk_gib,
            default_ssh_username: one.defaults.ssh_username.to_string(),
            default_ssh_port: one.defaults.ssh_port,
            ssh_key_id: one.ssh_key.map(|key| key.to_string()),
            is_active: one.is_active,
            deployment_count: deployments.count,
            last_deployed_at: deployments.last,
            created_by: one.created_by,
            created_at: one.created_at,
        }
    }
}

/// A template to register, or what to change of one: what is left out is as usual, or stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZfsTemplateFields {
    /// What people call it. Needed for a new one.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What people say about it.
    pub description: Option<String>,
    /// The vCenter that has the virtual machine template. Needed for a new one.
    pub vcenter_id: Option<String>,
    /// vSphere's reference of the virtual machine template. Needed for a new one.
    pub template_moref: Option<String>,
    /// The datacenter, by name or reference.
    pub default_datacenter: Option<String>,
    /// The cluster or host.
    pub default_cluster: Option<String>,
    /// The datastore of the virtual machine and its disks.
    pub default_datastore: Option<String>,
    /// The network of its NIC.
    pub default_network: Option<String>,
    /// The resource pool.
    pub default_resource_pool: Option<String>,
    /// The folder.
    pub default_folder: Option<String>,
    /// The name of the pool: `tank` unless given.
    pub default_zfs_pool_name: Option<String>,
    /// Whose hosts may mount, with commas between the networks: `10.0.0.0/8` unless given.
    pub default_nfs_network: Option<String>,
    /// Virtual CPUs: 2 unless given.
    #[schema(minimum = 1, maximum = 128)]
    pub default_cpu_count: Option<u32>,
    /// Memory in GiB: 8 unless given.
    #[schema(minimum = 1, maximum = 4096)]
    pub default_memory_gb: Option<u32>,
    /// Size of the disk for the pool in GiB: 500 unless given.
    #[schema(minimum = 1, maximum = 63488)]
    pub default_zfs_disk_gb: Option<u32>,
    /// Who logs in: `zfsadmin` unless given.
    #[serde(alias = "ssh_username")]
    pub default_ssh_username: Option<String>,
    /// TCP port of the SSH server: 22 unless given.
    #[serde(alias = "ssh_port")]
    #[schema(minimum = 1)]
    pub default_ssh_port: Option<u16>,
    /// The SSH key to log in with.
    pub ssh_key_id: Option<String>,
    /// Whether it is offered; false retires it.
    pub is_active: Option<bool>,
    /// Refused: disks are never named by path, because their order is not fixed.
    #[schema(value_type = Option<String>)]
    pub default_zfs_disk_path: Option<serde_json::Value>,
}

impl ZfsTemplateFields {
    /// What was said, over what there was.
    fn over(self, old: TemplateWish) -> Result<TemplateWish, AppError> {
        if self.default_zfs_disk_path.is_some() {
            let message = "A disk is never named by its path: after a restart another disk may have it. Zerfaux finds \
                           the disk that it attached by its UUID. Leave this field out.";
            return Err(AppError::invalid("default_zfs_disk_path", message));
        }
        let number = |new: Option<u32>, old: String| new.map_or(old, |number| number.to_string());
        Ok(TemplateWish {
            name: self.name.unwrap_or(old.name),
            description: self.description.unwrap_or(old.description),
            vcenter_id: self.vcenter_id.unwrap_or(old.vcenter_id),
            template_moref: self.template_moref.unwrap_or(old.template_moref),
            default_datacenter: self.default_datacenter.unwrap_or(old.default_datacenter),
            default_cluster: self.default_cluster.unwrap_or(old.default_cluster),
            default_datastore: self.default_datastore.unwrap_or(old.default_datastore),
            default_network: self.default_network.unwrap_or(old.default_network),
            default_resource_pool: self.default_resource_pool.unwrap_or(old.default_resource_pool),
            default_folder: self.default_folder.unwrap_or(old.default_folder),
            default_zfs_pool_name: self.default_zfs_pool_name.unwrap_or(old.default_zfs_pool_name),
            default_nfs_network: self.default_nfs_network.unwrap_or(old.default_nfs_network),
            default_cpu_count: number(self.default_cpu_count, old.default_cpu_count),
            default_memory_gb: number(self.default_memory_gb, old.default_memory_gb),
            default_zfs_disk_gb: number(self.default_zfs_disk_gb, old.default_zfs_disk_gb),
            default_ssh_username: self.default_ssh_username.unwrap_or(old.default_ssh_username),
            default_ssh_port: number(self.default_ssh_port.map(u32::from), old.default_ssh_port),
            ssh_key_id: self.ssh_key_id.unwrap_or(old.ssh_key_id),
            retired: self.is_active.map_or(old.retired, |active| !active),
        })
    }
}

/// Templates, by name.
#[utoipa::path(get, path = "/zfs-templates", tag = "zfs-templates", params(Paging),
    responses((status = OK, description = "The templates", body = List<ZfsTemplate>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<ZfsTemplate>>> {
    let all = app.templates().await?.into_iter().map(ZfsTemplate::from).collect();
    let part = paging.part(all, |one: &ZfsTemplate, words| {
        one.name.to_lowercase().contains(words) || one.template_name.to_lowercase().contains(words)
    })?;
    Ok(Json(part))
}

/// Register a virtual machine template.
#[utoipa::path(post, path = "/zfs-templates", tag = "zfs-templates", request_body = ZfsTemplateFields,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key creates nothing again")),
    responses((status = CREATED, description = "The template", body = ZfsTemplate)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(fields): Json<ZfsTemplateFields>,
) -> Answer<Response> {
    let made = app.create_template(&who, &fields.over(TemplateWish::default())?).await?;
    let view = ZfsTemplate::from(app.template(made.id).await?);
    Ok(created(format!("{BASE}/zfs-templates/{}", view.id), view))
}

/// One template.
#[utoipa::path(get, path = "/zfs-templates/{id}", tag = "zfs-templates", params(("id" = String, Path, description = "The template's id")),
    responses((status = OK, description = "The template", body = ZfsTemplate)))]
pub async fn one(State(app): State<App>, Path(id): Path<TemplateId>) -> Answer<Json<ZfsTemplate>> {
    Ok(Json(app.template(id).await?.into()))
}

/// Change a template; `is_active: false` retires it.
#[utoipa::path(patch, path = "/zfs-templates/{id}", tag = "zfs-templates", request_body = ZfsTemplateFields,
    params(("id" = String, Path, description = "The template's id")),
    responses((status = OK, description = "The template as it is now", body = ZfsTemplate)))]
pub async fn change(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TemplateId>,
    Json(fields): Json<ZfsTemplateFields>,
) -> Answer<Json<ZfsTemplate>> {
    let old = TemplateWish::from(&app.template(id).await?.template);
    app.update_template(&who, id, &fields.over(old)?).await?;
    Ok(Json(app.template(id).await?.into()))
}

/// Forget a template. What was deployed from it stays, and so does the virtual machine template.
#[utoipa::path(delete, path = "/zfs-templates/{id}", tag = "zfs-templates", params(("id" = String, Path, description = "The template's id")),
    responses((status = NO_CONTENT, description = "It is gone")))]
pub async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TemplateId>,
) -> Answer<StatusCode> {
    app.delete_template(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For whom the script is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ForWhom {
    /// The SSH key whose public half goes into it.
    pub ssh_key_id: String,
    /// The account that Zerfaux logs in as: `zfsadmin` unless given.
    pub user: Option<String>,
}

/// The script that prepares a virtual machine (Debian 12 or 13) as a template.
#[utoipa::path(get, path = "/zfs-templates/preparation-script", tag = "zfs-templates", params(ForWhom),
    responses((status = OK, description = "A shell script", body = String, content_type = "text/x-shellscript")))]
pub async fn script(State(app): State<App>, Query(whom): Query<ForWhom>) -> Answer<Response> {
    let key: SshKeyId = whom
        .ssh_key_id
        .parse()
        .map_err(|_| AppError::invalid("ssh_key_id", "This is not the id of an SSH key."))?;
    let script = app.preparation_script(key, whom.user.as_deref().unwrap_or_default()).await?;
    let disposition = format!("attachment; filename=\"{}\"", script.name);
    let headers = [
        ("content-type", "text/x-shellscript; charset=utf-8".to_owned()),
        ("content-disposition", disposition),
    ];
    Ok((headers, script.text).into_response())
}
