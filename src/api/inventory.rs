//! `/vcenters/{id}/vms` and the other lists of what a vCenter has.

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::inventory_items::{Datastore, Host, Network, Place, VmDetails};
use super::paging::{List, Paging};
use crate::app::inventory::{PlaceKind, PowerState, VmFilter, VmLine, VmSort};
use crate::app::{App, AppError};
use crate::domain::ids::VcenterId;
use crate::domain::moref::{DatastoreRef, ManagedRef, VmRef};

/// A virtual machine or a template, as a list has it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Vm {
    /// vSphere's reference.
    pub moref: String,
    /// The connection's id.
    pub vcenter_id: String,
    /// Its name.
    pub name: String,
    /// Whether it is a template.
    pub is_template: bool,
    /// `on`, `off`, `suspended` or `unknown`.
    pub power_state: String,
    /// The guest operating system as vSphere calls it.
    pub guest_os: Option<String>,
    /// The guest's first address.
    pub guest_ip: Option<String>,
    /// Virtual CPUs.
    pub cpu_count: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The capacity of all disks, in bytes.
    pub disk_bytes: u64,
    /// The host's name.
    pub host: Option<String>,
    /// The cluster's name.
    pub cluster: Option<String>,
    /// The names of its datastores.
    pub datastores: Vec<String>,
    /// Whether it has a snapshot of vSphere's.
    pub has_snapshot: bool,
    /// Since when it is gone from the vCenter; null: it is there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub gone_at: Option<Timestamp>,
}

impl From<VmLine> for Vm {
    fn from(line: VmLine) -> Self {
        Self {
            moref: line.object.id().to_owned(),
            vcenter_id: line.vcenter.to_string(),
            name: line.name,
            is_template: line.template,
            power_state: line.power.as_str().to_owned(),
            guest_os: line.guest,
            guest_ip: line.guest_ip,
            cpu_count: line.cpus,
            memory_bytes: line.memory_bytes,
            disk_bytes: line.disk_bytes,
            host: line.host,
            cluster: line.cluster,
            datastores: line.datastores,
            has_snapshot: line.has_snapshot,
            gone_at: line.gone_at,
        }
    }
}

/// Which virtual machines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Items at most: 1 to 1000, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// The `next` of the part before.
    pub cursor: Option<String>,
    /// Only those with this text in name, guest name or address.
    pub q: Option<String>,
    /// Only in this state: `on`, `off`, `suspended`, `unknown`.
    pub power: Option<String>,
    /// Only with a disk on the datastore of this reference.
    pub datastore: Option<String>,
    /// Only with a card on the network of this reference.
    pub network: Option<String>,
    /// Only on the host, or in the cluster, of this reference.
    pub place: Option<String>,
    /// `false` (the default): those that are there; `true`: also those that are gone.
    pub gone: Option<bool>,
    /// `name` (the default), `power`, `cpus`, `memory`, `disks`; with `-` in front the largest first.
    pub sort: Option<String>,
}

async fn page(app: &App, id: VcenterId, which: Which, template: Option<bool>) -> Answer<Json<List<Vm>>> {
    let cases = app.vcenters()?;
    cases.get(id).await?;
    let paging = Paging { limit: which.limit, cursor: which.cursor, q: which.q };
    let (limit, offset) = (paging.limit()?, paging.cursor::<u32>()?.unwrap_or(0));
    let power = match which.power.as_deref() {
        None => None,
        Some(word @ ("on" | "off" | "suspended" | "unknown")) => Some(PowerState::parse(word)),
        Some(_) => {
            let message = "The power state is on, off, suspended or unknown.";
            return Err(AppError::invalid("power", message).into());
        }
    };
    let asked = which.sort.as_deref().unwrap_or("name");
    let (descending, column) = match asked.strip_prefix('-') {
        Some(column) => (true, column),
        None => (false, asked),
    };
    let sort = match column {
        "name" => VmSort::Name,
        "power" => VmSort::Power,
        "cpus" => VmSort::Cpus,
        "memory" => VmSort::Memory,
        "disks" => VmSort::DiskBytes,
        _ => {
            let message = "It is sorted by name, power, cpus, memory or disks.";
            return Err(AppError::invalid("sort", message).into());
        }
    };
    let filter = VmFilter {
        vcenter: Some(id),
        search: paging.q,
        power,
        template,
        datastore: which.datastore.map(DatastoreRef::new),
        network: which.network,
        place: which.place.map(|place| ManagedRef::new("", place)),
        with_gone: which.gone.unwrap_or(false),
        only_gone: false,
        sort,
        descending,
        offset,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    };
    let found = cases.vms(&filter).await?;
    let end = u64::from(offset) + found.items.len() as u64;
    let next = (end < found.total && !found.items.is_empty()).then(|| end.to_string());
    let items = found.items.into_iter().map(Vm::from).collect();
    Ok(Json(List { items, total: found.total, next }))
}

/// Virtual machines of a vCenter, without templates.
#[utoipa::path(get, path = "/vcenters/{id}/vms", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Which),
    responses((status = OK, description = "The virtual machines", body = List<Vm>)))]
pub async fn vms(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(which): Query<Which>,
) -> Answer<Json<List<Vm>>> {
    page(&app, id, which, Some(false)).await
}

/// Templates of a vCenter.
#[utoipa::path(get, path = "/vcenters/{id}/templates", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Which),
    responses((status = OK, description = "The templates", body = List<Vm>)))]
pub async fn templates(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(which): Query<Which>,
) -> Answer<Json<List<Vm>>> {
    page(&app, id, which, Some(true)).await
}

/// One virtual machine or template with its hardware.
#[utoipa::path(get, path = "/vcenters/{id}/vms/{moref}", tag = "inventory",
    params(("id" = String, Path, description = "The connection's id"), ("moref" = String, Path, description = "vSphere's reference")),
    responses((status = OK, description = "The virtual machine", body = VmDetails)))]
pub async fn vm(
    State(app): State<App>,
    Path((id, moref)): Path<(VcenterId, String)>,
) -> Answer<Json<VmDetails>> {
    let view = app.vcenters()?.vm_view(id, &VmRef::new(moref)).await?;
    Ok(Json(VmDetails::from(view)))
}

/// Datastores of a vCenter, by name.
#[utoipa::path(get, path = "/vcenters/{id}/datastores", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Paging),
    responses((status = OK, description = "The datastores", body = List<Datastore>)))]
pub async fn datastores(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Datastore>>> {
    let cases = app.vcenters()?;
    cases.get(id).await?;
    let all = cases.datastores(id).await?.into_iter().map(Datastore::from).collect();
    Ok(Json(paging.part(all, |one: &Datastore, words| one.name.to_lowercase().contains(words))?))
}

/// Networks of a vCenter, by name.
#[utoipa::path(get, path = "/vcenters/{id}/networks", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Paging),
    responses((status = OK, description = "The networks", body = List<Network>)))]
pub async fn networks(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Network>>> {
    let cases = app.vcenters()?;
    cases.get(id).await?;
    let all = cases.networks(id).await?.into_iter().map(Network::from).collect();
    Ok(Json(paging.part(all, |one: &Network, words| one.name.to_lowercase().contains(words))?))
}

/// Hosts of a vCenter, by name.
#[utoipa::path(get, path = "/vcenters/{id}/hosts", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Paging),
    responses((status = OK, description = "The hosts", body = List<Host>)))]
pub async fn hosts(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Host>>> {
    let cases = app.vcenters()?;
    cases.get(id).await?;
    let places = cases.places(id, None).await?;
    let hosts = places.iter().filter(|place| place.object.kind == PlaceKind::Host);
    let all = hosts.map(|host| Host::of(host, &places)).collect();
    Ok(Json(paging.part(all, |one: &Host, words| one.name.to_lowercase().contains(words))?))
}

async fn places(app: &App, id: VcenterId, paging: &Paging, kinds: &[PlaceKind]) -> Answer<Json<List<Place>>> {
    let cases = app.vcenters()?;
    cases.get(id).await?;
    let all = cases.places(id, None).await?;
    let all = all.into_iter().filter(|place| kinds.contains(&place.object.kind)).map(Place::from).collect();
    Ok(Json(paging.part(all, |one: &Place, words| one.name.to_lowercase().contains(words))?))
}

/// Clusters of a vCenter, and hosts that stand alone, by name.
#[utoipa::path(get, path = "/vcenters/{id}/clusters", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Paging),
    responses((status = OK, description = "The clusters", body = List<Place>)))]
pub async fn clusters(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Place>>> {
    places(&app, id, &paging, &[PlaceKind::Cluster, PlaceKind::StandaloneHost]).await
}

/// Datacenters and folders of a vCenter, by name.
#[utoipa::path(get, path = "/vcenters/{id}/folders", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Paging),
    responses((status = OK, description = "The folders", body = List<Place>)))]
pub async fn folders(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Place>>> {
    places(&app, id, &paging, &[PlaceKind::Datacenter, PlaceKind::Folder]).await
}

/// Resource pools of a vCenter, by name.
#[utoipa::path(get, path = "/vcenters/{id}/resource-pools", tag = "inventory", params(("id" = String, Path, description = "The connection's id"), Paging),
    responses((status = OK, description = "The resource pools", body = List<Place>)))]
pub async fn resource_pools(
    State(app): State<App>,
    Path(id): Path<VcenterId>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Place>>> {
    places(&app, id, &paging, &[PlaceKind::Pool]).await
}
