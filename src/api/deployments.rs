//! `/zfs-templates/{id}/deploy-plan` and `/deploy`

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::jobs::{Accepted, accepted};
use crate::app::deployments::{DeployPlan as Plan, DeployWish, Finding};
use crate::app::{App, Principal};
use crate::domain::ids::TemplateId;

/// An appliance to be made. What is left out is as the template says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Deploy {
    /// The virtual machine's name: `zfs-dr-` and the time unless given.
    #[schema(max_length = 80)]
    pub vm_name: Option<String>,
    /// The guest's host name: made of the machine's name unless given.
    pub hostname: Option<String>,
    /// The guest's domain: `local` unless given.
    pub domain: Option<String>,
    /// Domains that the guest searches.
    pub dns_suffixes: Vec<String>,
    /// The network, by its reference.
    pub network_id: Option<String>,
    /// The network, by its name.
    pub network_name: Option<String>,
    /// Whether the guest asks for its address by DHCP: yes, unless an address is given.
    pub use_dhcp: Option<bool>,
    /// The guest's fixed address.
    pub ip_address: Option<String>,
    /// Its subnet mask, such as `255.255.255.0` or `/24`.
    pub subnet_mask: Option<String>,
    /// Its gateway.
    pub gateway: Option<String>,
    /// Its name servers.
    pub dns_servers: Vec<String>,
    /// The datacenter, by reference or name.
    pub datacenter: Option<String>,
    /// The cluster or host.
    pub cluster: Option<String>,
    /// The resource pool: that of the cluster unless given.
    pub resource_pool: Option<String>,
    /// The folder: that of the template unless given.
    pub folder: Option<String>,
    /// The datastore.
    pub datastore: Option<String>,
    /// Virtual CPUs.
    #[schema(minimum = 1, maximum = 128)]
    pub cpu_count: Option<u32>,
    /// Memory in GiB.
    #[schema(minimum = 1, maximum = 4096)]
    pub memory_gb: Option<u32>,
    /// The pool.
    pub zfs_pool_name: Option<String>,
    /// Size of its disk in GiB.
    #[schema(minimum = 1, maximum = 63488)]
    pub zfs_disk_gb: Option<u32>,
    /// Whether the disk takes space as it is written: yes unless given.
    pub thin: Option<bool>,
    /// Whose hosts may mount, with commas between the networks.
    pub nfs_network: Option<String>,
    /// Who logs in.
    pub ssh_username: Option<String>,
    /// With which SSH key.
    pub ssh_key_id: Option<String>,
    /// Whether it is kept as an appliance: yes unless given.
    pub register_as_target: Option<bool>,
    /// The appliance's name: that of the machine unless given. One of that name is taken for this one.
    pub target_name: Option<String>,
    /// Whether hosts mount its export as a datastore: yes unless given.
    pub register_datastore: Option<bool>,
    /// Which hosts, by reference or name: all of the cluster unless given.
    pub datastore_hosts: Vec<String>,
}

impl From<Deploy> for DeployWish {
    fn from(deploy: Deploy) -> Self {
        let text = |text: Option<String>| text.unwrap_or_default();
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let use_dhcp = deploy.use_dhcp.unwrap_or(deploy.ip_address.is_none());
        Self {
            vm_name: text(deploy.vm_name),
            hostname: text(deploy.hostname),
            domain: text(deploy.domain),
            dns_suffixes: deploy.dns_suffixes.join(","),
            network: text(deploy.network_id.or(deploy.network_name)),
            use_dhcp,
            ip_address: text(deploy.ip_address),
            subnet_mask: text(deploy.subnet_mask),
            gateway: text(deploy.gateway),
            dns_servers: deploy.dns_servers.join(","),
            datacenter: text(deploy.datacenter),
            cluster: text(deploy.cluster),
            resource_pool: text(deploy.resource_pool),
            folder: text(deploy.folder),
            datastore: text(deploy.datastore),
            cpu_count: number(deploy.cpu_count),
            memory_gb: number(deploy.memory_gb),
            zfs_pool_name: text(deploy.zfs_pool_name),
            zfs_disk_gb: number(deploy.zfs_disk_gb),
            thick: !deploy.thin.unwrap_or(true),
            nfs_network: text(deploy.nfs_network),
            ssh_username: text(deploy.ssh_username),
            ssh_key_id: text(deploy.ssh_key_id),
            unregistered: !deploy.register_as_target.unwrap_or(true),
            target_name: text(deploy.target_name),
            unmounted: !deploy.register_datastore.unwrap_or(true),
            datastore_hosts: deploy.datastore_hosts,
        }
    }
}

/// Something that stands in the way, or that one should know.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanFinding {
    /// The field that it is about.
    pub field: String,
    /// What it is, and what to do.
    pub message: String,
}

impl From<Finding> for PlanFinding {
    fn from(finding: Finding) -> Self {
        Self { field: finding.field.to_owned(), message: finding.message }
    }
}

/// A phase with how long it will take.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanPhase {
    /// Its name.
    pub phase: String,
    /// Seconds.
    pub seconds: u64,
    /// How many earlier deployments say so; 0: a rule of thumb.
    pub runs: usize,
}

/// What a deployment would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeployPlan {
    /// Whether it can be started.
    pub possible: bool,
    /// What stands in the way.
    pub obstacles: Vec<PlanFinding>,
    /// What one should know.
    pub warnings: Vec<PlanFinding>,
    /// Its phases.
    pub phases: Vec<PlanPhase>,
    /// How long it will take in all, in seconds.
    pub estimated_seconds: u64,
    /// Everything decided, with the references of all places; null while something stands in the way.
    pub deployment: Option<serde_json::Value>,
}

impl From<Plan> for DeployPlan {
    fn from(plan: Plan) -> Self {
        let phases: Vec<PlanPhase> = plan
            .estimate
            .into_iter()
            .map(|one| PlanPhase { phase: one.phase.to_owned(), seconds: one.seconds, runs: one.runs })
            .collect();
        Self {
            possible: plan.deployment.is_some(),
            obstacles: plan.obstacles.into_iter().map(PlanFinding::from).collect(),
            warnings: plan.warnings.into_iter().map(PlanFinding::from).collect(),
            estimated_seconds: phases.iter().map(|one| one.seconds).sum(),
            phases,
            deployment: plan.deployment.and_then(|one| serde_json::to_value(one).ok()),
        }
    }
}

/// What deploying an appliance would do, and what stands in the way. Nothing is changed.
#[utoipa::path(post, path = "/zfs-templates/{id}/deploy-plan", tag = "zfs-templates", request_body = Deploy,
    params(("id" = String, Path, description = "The template's id")),
    responses((status = OK, description = "The plan", body = DeployPlan)))]
pub async fn plan(
    State(app): State<App>,
    Path(id): Path<TemplateId>,
    Json(deploy): Json<Deploy>,
) -> Answer<Json<DeployPlan>> {
    Ok(Json(app.plan_deployment(id, &deploy.into()).await?.into()))
}

/// Deploy an appliance from a template.
#[utoipa::path(post, path = "/zfs-templates/{id}/deploy", tag = "zfs-templates", request_body = Deploy,
    params(("id" = String, Path, description = "The template's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job deploys it", body = Accepted)))]
pub async fn deploy(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TemplateId>,
    Json(deploy): Json<Deploy>,
) -> Answer<Response> {
    Ok(accepted(app.deploy(&who, id, &deploy.into()).await?))
}
