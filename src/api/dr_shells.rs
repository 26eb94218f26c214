//! `/protected-vms/{id}/dr-shell-plan` and `/protected-vms/{id}/create-dr-shell`

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::deployments::PlanFinding;
use super::jobs::{Accepted, accepted};
use crate::app::dr_shells::{CardPlan, DrShellPlan as Plan, ShellWish};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::ProtectedVmId;

/// Where the shell is to be, for the plan. Places are named by their reference or their name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShellQuery {
    /// Its name: as at the source unless given.
    pub name: Option<String>,
    /// The cluster or host on which it is to run.
    pub host: Option<String>,
    /// Its folder.
    pub folder: Option<String>,
    /// Its resource pool.
    pub resource_pool: Option<String>,
    /// The datastore of its own files.
    pub home_datastore: Option<String>,
    /// Networks at the source and those that stand for them, as a JSON object.
    pub networks: Option<String>,
    /// Whether its cards get other addresses.
    pub new_macs: Option<bool>,
}

/// A shell to be made. Places are named by their reference or their name.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewShell {
    /// Its name: as at the source unless given.
    pub name: Option<String>,
    /// The cluster or host on which it is to run.
    pub host: Option<String>,
    /// Its folder: the root of the datacenter's unless given.
    pub folder: Option<String>,
    /// Its resource pool: the root of the cluster or host unless given.
    pub resource_pool: Option<String>,
    /// The datastore of its own files, which must not be replicated.
    pub home_datastore: Option<String>,
    /// Networks at the source and those at the DR site that stand for them. What is not named keeps its name.
    pub networks: BTreeMap<String, String>,
    /// Whether its cards get other addresses.
    pub new_macs: bool,
    /// Whether the view stays, with the disks attached.
    pub keep_view: bool,
}

impl NewShell {
    fn wish(self) -> ShellWish {
        let text = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        ShellWish {
            name: text(self.name),
            host: text(self.host),
            folder: text(self.folder),
            resource_pool: text(self.resource_pool),
            home_datastore: text(self.home_datastore),
            networks: self.networks.into_iter().collect(),
            new_macs: self.new_macs,
        }
    }
}

/// A network card and where it goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanCard {
    /// What vSphere calls it.
    pub label: String,
    /// Its network at the source.
    pub source_network: String,
    /// Its network at the DR site; null: choose one.
    pub network: Option<String>,
    /// Its address at the source.
    pub source_mac: Option<String>,
    /// The address that it keeps; null: it gets another one.
    pub mac: Option<String>,
}

impl From<CardPlan> for PlanCard {
    fn from(card: CardPlan) -> Self {
        let CardPlan { label, source_network, network, source_mac, mac } = card;
        Self { label, source_network, network, source_mac, mac }
    }
}

/// What making a shell would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DrShellPlan {
    /// The protected virtual machine.
    pub protected_vm_id: String,
    /// Whether it can be made now.
    pub possible: bool,
    /// Everything decided: hardware, places, disks; null while something stands in the way.
    pub shell: Option<serde_json::Value>,
    /// The hosts that mount the view.
    pub hosts: Vec<String>,
    /// Its network cards.
    pub cards: Vec<PlanCard>,
    /// How it will not be as the source is.
    pub differences: Vec<PlanFinding>,
    /// What stands in the way.
    pub obstacles: Vec<PlanFinding>,
    /// What one should know.
    pub warnings: Vec<PlanFinding>,
}

impl From<Plan> for DrShellPlan {
    fn from(plan: Plan) -> Self {
        let shell = plan.plan;
        let told =
            |all: Vec<crate::app::dr_shells::Finding>| all.into_iter().map(PlanFinding::from).collect();
        Self {
            protected_vm_id: plan.vm.id.to_string(),
            possible: shell.spec.is_some(),
            shell: shell.spec.and_then(|spec| serde_json::to_value(spec).ok()),
            hosts: shell.hosts.into_iter().map(|host| host.name).collect(),
            cards: shell.cards.into_iter().map(PlanCard::from).collect(),
            differences: told(shell.differences),
            obstacles: told(shell.obstacles),
            warnings: told(shell.warnings),
        }
    }
}

/// What making a DR shell would do. The source is asked how it is configured now; nothing is changed.
#[utoipa::path(get, path = "/protected-vms/{id}/dr-shell-plan", tag = "protected-vms",
    params(("id" = String, Path, description = "The protected virtual machine's id"), ShellQuery),
    responses((status = OK, description = "The plan", body = DrShellPlan)))]
pub async fn plan(
    State(app): State<App>,
    Path(id): Path<ProtectedVmId>,
    Query(query): Query<ShellQuery>,
) -> Answer<Json<DrShellPlan>> {
    let networks = match query.networks.as_deref() {
        None => BTreeMap::new(),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            AppError::invalid("networks", format!("A JSON object of names is expected: {error}."))
        })?,
    };
    let wish = NewShell {
        name: query.name,
        host: query.host,
        folder: query.folder,
        resource_pool: query.resource_pool,
        home_datastore: query.home_datastore,
        networks,
        new_macs: query.new_macs.unwrap_or(false),
        keep_view: false,
    };
    Ok(Json(app.dr_shell_plan(id, &wish.wish()).await?.into()))
}

/// Make a DR shell: a powered-off virtual machine with the source's hardware, its disks proved to open on a clone of the replica.
#[utoipa::path(post, path = "/protected-vms/{id}/create-dr-shell", tag = "protected-vms", request_body = NewShell,
    params(("id" = String, Path, description = "The protected virtual machine's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job makes it", body = Accepted)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<ProtectedVmId>,
    Json(wish): Json<NewShell>,
) -> Answer<Response> {
    let keep_view = wish.keep_view;
    Ok(accepted(app.create_dr_shell(&who, id, &wish.wish(), keep_view).await?))
}
