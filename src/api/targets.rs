//! `/targets`: appliances.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::paging::{List, Paging};
use super::{Answer, BASE, created};
use crate::app::targets::{TargetWish, shown_dial};
use crate::app::{App, Principal};
use crate::domain::health::{Health, HealthState};
use crate::domain::ids::TargetId;
use crate::domain::target::{TARGET_TYPE, Target as DomainTarget};

/// An appliance: a host with OpenZFS and an NFS server, reached over SSH.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Always `zfs`.
    pub target_type: String,
    /// Name or address of its SSH server.
    pub hostname: String,
    /// TCP port of its SSH server.
    pub port: u16,
    /// Who logs in.
    pub ssh_username: String,
    /// With which key.
    pub ssh_key_id: String,
    /// The only host key that is accepted: `SHA256:…`.
    pub host_key_fingerprint: String,
    /// The pool in which Zerfaux works.
    pub zfs_pool: String,
    /// Whose hosts may mount: networks with commas between them.
    pub nfs_network: String,
    /// What hosts mount.
    pub nfs_address: String,
    /// What the peer appliance dials: `HOST` or `HOST:PORT`.
    pub replication_address: String,
    /// The vCenter whose hosts mount it.
    pub vcenter_id: Option<String>,
    /// The same.
    pub dr_vcenter_id: Option<String>,
    /// Whether it is looked at, and jobs may use it.
    pub is_active: bool,
    /// The directory of container stacks on it.
    pub appdata_path: Option<String>,
    /// `unknown`, `healthy`, `degraded`, `failed` or `unreachable`.
    pub health_status: String,
    /// When it was looked at last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub health_checked_at: Option<Timestamp>,
    /// The template that it was deployed from.
    pub source_template_id: Option<String>,
    /// The job that deployed it.
    pub deployed_job_id: Option<String>,
    /// The virtual machine that it is.
    pub deployed_vm_moref: Option<String>,
    /// How it came to its address: `dhcp` or `static`.
    pub deployed_ip_source: Option<String>,
    /// Who added it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Target {
    fn of(target: DomainTarget, health: Option<&Health>) -> Self {
        let vcenter = target.vcenter.map(|id| id.to_string());
        Self {
            id: target.id.to_string(),
            target_type: TARGET_TYPE.to_owned(),
            hostname: target.endpoint.host.clone(),
            port: target.endpoint.port,
            ssh_username: target.endpoint.user.clone(),
            ssh_key_id: target.ssh_key.to_string(),
            host_key_fingerprint: target.host_key.clone(),
            zfs_pool: target.zfs_pool.to_string(),
            nfs_network: target.nfs_networks.to_string(),
            nfs_address: target.nfs_address().to_owned(),
            replication_address: shown_dial(&target.replication_address(), target.endpoint.port),
            vcenter_id: vcenter.clone(),
            dr_vcenter_id: vcenter,
            is_active: target.is_active,
            health_status: health.map_or(HealthState::Unknown, |health| health.state).to_string(),
            health_checked_at: health.map(|health| health.checked_at),
            source_template_id: target.deployed.template.clone(),
            deployed_job_id: target.deployed.job.map(|id| id.to_string()),
            deployed_vm_moref: target.deployed.vm_moref.clone(),
            deployed_ip_source: target.deployed.ip_source.map(|source| source.as_str().to_owned()),
            name: target.name,
            appdata_path: target.appdata_path,
            created_by: target.created_by,
            created_at: target.created_at,
        }
    }
}

/// An appliance to be added, or its whole new form.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Name or address of its SSH server.
    #[schema(min_length = 1)]
    pub hostname: String,
    /// With which key.
    pub ssh_key_id: String,
    /// Who logs in: `zfsadmin` unless given.
    pub ssh_username: Option<String>,
    /// TCP port of its SSH server: 22 unless given.
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u32>,
    /// The pool in which Zerfaux works: `tank` unless given.
    pub zfs_pool: Option<String>,
    /// Whose hosts may mount, with commas between networks: `10.0.0.0/8` unless given.
    pub nfs_network: Option<String>,
    /// What hosts mount: the `hostname` unless given.
    pub nfs_address: Option<String>,
    /// What the peer appliance dials: `hostname` and `port` unless given.
    pub replication_address: Option<String>,
    /// The vCenter whose hosts mount it.
    pub vcenter_id: Option<String>,
    /// Whether it is looked at, and jobs may use it: true unless given.
    pub is_active: Option<bool>,
    /// The directory of container stacks on it.
    pub appdata_path: Option<String>,
    /// The fingerprint of the host key that a person has compared.
    pub host_key_fingerprint: Option<String>,
}

/// What is to be different. What is left out stays; an empty text takes a value back to the usual one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetChange {
    /// What people will call it.
    pub name: Option<String>,
    /// Name or address of its SSH server.
    pub hostname: Option<String>,
    /// With which key.
    pub ssh_key_id: Option<String>,
    /// Who logs in.
    pub ssh_username: Option<String>,
    /// TCP port of its SSH server.
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u32>,
    /// The pool in which Zerfaux works.
    pub zfs_pool: Option<String>,
    /// Whose hosts may mount, with commas between networks.
    pub nfs_network: Option<String>,
    /// What hosts mount.
    pub nfs_address: Option<String>,
    /// What the peer appliance dials.
    pub replication_address: Option<String>,
    /// The vCenter whose hosts mount it.
    pub vcenter_id: Option<String>,
    /// Whether it is looked at, and jobs may use it.
    pub is_active: Option<bool>,
    /// The directory of container stacks on it.
    pub appdata_path: Option<String>,
    /// The fingerprint of the host key that a person has compared.
    pub host_key_fingerprint: Option<String>,
}

impl TargetChange {
    fn put_into(self, wish: &mut TargetWish) {
        let texts = [
            (self.name, &mut wish.name),
            (self.hostname, &mut wish.hostname),
            (self.ssh_key_id, &mut wish.ssh_key_id),
            (self.ssh_username, &mut wish.ssh_username),
            (self.port.map(|port| port.to_string()), &mut wish.port),
            (self.zfs_pool, &mut wish.zfs_pool),
            (self.nfs_network, &mut wish.nfs_network),
            (self.nfs_address, &mut wish.nfs_address),
            (self.replication_address, &mut wish.replication_address),
            (self.vcenter_id, &mut wish.vcenter_id),
            (self.appdata_path, &mut wish.appdata_path),
            (self.host_key_fingerprint, &mut wish.host_key_fingerprint),
        ];
        for (given, place) in texts {
            if let Some(given) = given {
                *place = given;
            }
        }
        wish.is_active = self.is_active.unwrap_or(wish.is_active);
    }
}

impl From<NewTarget> for TargetWish {
    fn from(new: NewTarget) -> Self {
        let mut wish = Self::default();
        let change = TargetChange {
            name: Some(new.name),
            hostname: Some(new.hostname),
            ssh_key_id: Some(new.ssh_key_id),
            ssh_username: new.ssh_username,
            port: new.port,
            zfs_pool: new.zfs_pool,
            nfs_network: new.nfs_network,
            nfs_address: new.nfs_address,
            replication_address: new.replication_address,
            vcenter_id: new.vcenter_id,
            is_active: new.is_active,
            appdata_path: new.appdata_path,
            host_key_fingerprint: new.host_key_fingerprint,
        };
        change.put_into(&mut wish);
        wish
    }
}

/// Appliances, by name.
#[utoipa::path(get, path = "/targets", tag = "targets", params(Paging),
    responses((status = OK, description = "The appliances", body = List<Target>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<Target>>> {
    let all = app.targets_with_health().await?;
    let all = all.into_iter().map(|(target, health)| Target::of(target, health.as_ref())).collect();
    let part = paging.part(all, |target: &Target, words| {
        [&target.name, &target.hostname, &target.health_status]
            .iter()
            .any(|text| text.to_lowercase().contains(words))
    })?;
    Ok(Json(part))
}

/// Add an appliance. An unknown host key is a 409 `host-key-unknown` with its `fingerprint`: compare it, then send the
/// same again with `host_key_fingerprint`.
#[utoipa::path(post, path = "/targets", tag = "targets", request_body = NewTarget,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key creates nothing again")),
    responses((status = CREATED, description = "The appliance", body = Target)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(new): Json<NewTarget>,
) -> Answer<Response> {
    let wish = TargetWish::from(new);
    let target = app.create_target(&who, &wish).await?.kept(&wish.hostname)?;
    let location = format!("{BASE}/targets/{}", target.id);
    Ok(created(location, Target::of(target, None)))
}

async fn shown(app: &App, id: TargetId) -> Answer<Json<Target>> {
    let target = app.target(id).await?;
    let health = app.target_health(id).await?;
    Ok(Json(Target::of(target, health.as_ref())))
}

/// One appliance.
#[utoipa::path(get, path = "/targets/{id}", tag = "targets", params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "The appliance", body = Target)))]
pub async fn one(State(app): State<App>, Path(id): Path<TargetId>) -> Answer<Json<Target>> {
    shown(&app, id).await
}

async fn save(app: &App, who: &Principal, id: TargetId, wish: TargetWish) -> Answer<Json<Target>> {
    app.update_target(who, id, &wish).await?.kept(&wish.hostname)?;
    shown(app, id).await
}

/// Replace an appliance's settings.
#[utoipa::path(put, path = "/targets/{id}", tag = "targets", request_body = NewTarget,
    params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "The appliance", body = Target)))]
pub async fn replace(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
    Json(new): Json<NewTarget>,
) -> Answer<Json<Target>> {
    save(&app, &who, id, TargetWish::from(new)).await
}

/// Change some of an appliance's settings. With another address its host key is asked for anew.
#[utoipa::path(patch, path = "/targets/{id}", tag = "targets", request_body = TargetChange,
    params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "The appliance", body = Target)))]
pub async fn change(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
    Json(change): Json<TargetChange>,
) -> Answer<Json<Target>> {
    let mut wish = TargetWish::from(&app.target(id).await?);
    // What was accepted belongs to the address that it was accepted for.
    wish.host_key_fingerprint.clear();
    change.put_into(&mut wish);
    save(&app, &who, id, wish).await
}

/// Forget an appliance. What is on it stays. Refused while something refers to it.
#[utoipa::path(delete, path = "/targets/{id}", tag = "targets", params(("id" = String, Path, description = "The appliance's id")),
    responses((status = NO_CONTENT, description = "It is forgotten")))]
pub async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<TargetId>,
) -> Answer<StatusCode> {
    app.delete_target(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
