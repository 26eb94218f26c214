//! Groups that appliances have and this installation does not know.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::protection_groups::ProtectionGroup;
use super::{Answer, BASE, created};
use crate::app::adoption::{AdoptWish, Adoptable as Found};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::TargetId;

/// A group that can be taken over, or why it cannot.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdoptableGroup {
    /// Its id.
    pub group_id: String,
    /// What it is called; null: its datasets do not say.
    pub name: Option<String>,
    /// Its live dataset; null: on none of the appliances that answer.
    pub live_dataset: Option<String>,
    /// The appliance that has it.
    pub live_appliance: Option<String>,
    /// Its replica.
    pub replica_dataset: Option<String>,
    /// The appliance that has it.
    pub replica_appliance: Option<String>,
    /// How many checkpoints the replica has.
    pub checkpoints: usize,
    /// Why it cannot be taken over as it is; null: it can.
    pub obstacle: Option<String>,
}

impl From<Found> for AdoptableGroup {
    fn from(one: Found) -> Self {
        let (live_dataset, live_appliance) =
            one.live.map(|(dataset, appliance)| (dataset.to_string(), appliance)).unzip();
        let (replica_dataset, replica_appliance) =
            one.replica.map(|(dataset, appliance)| (dataset.to_string(), appliance)).unzip();
        Self {
            group_id: one.group.to_string(),
            name: one.name,
            live_dataset,
            live_appliance,
            replica_dataset,
            replica_appliance,
            checkpoints: one.checkpoints,
            obstacle: one.obstacle,
        }
    }
}

/// An appliance that did not answer: a side of a group may lie there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SilentAppliance {
    /// What it is called.
    pub appliance: String,
    /// Why it did not answer.
    pub why: String,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdoptableGroups {
    /// The groups, by name.
    pub items: Vec<AdoptableGroup>,
    /// How many there are.
    pub total: usize,
    /// Appliances that did not answer.
    pub silent: Vec<SilentAppliance>,
}

/// The groups of which a side lies on this appliance and that are not known here. Asks all appliances.
#[utoipa::path(get, path = "/targets/{id}/adoptable-groups", tag = "targets",
    params(("id" = String, Path, description = "The appliance's id")),
    responses((status = OK, description = "The groups", body = AdoptableGroups)))]
pub async fn list(State(app): State<App>, Path(id): Path<TargetId>) -> Answer<Json<AdoptableGroups>> {
    let found = app.adoptable_groups(id).await?;
    let items: Vec<AdoptableGroup> = found.groups.into_iter().map(AdoptableGroup::from).collect();
    let silent =
        found.silent.into_iter().map(|one| SilentAppliance { appliance: one.appliance, why: one.why });
    Ok(Json(AdoptableGroups { total: items.len(), items, silent: silent.collect() }))
}

/// Which group is taken over. What its datasets do not tell can be added.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptFields {
    /// The group's id, as its datasets say it.
    pub group_id: String,
    /// The vCenter that has the virtual machines, where it is not recognised.
    #[serde(default)]
    pub source_vcenter_id: Option<String>,
    /// The vCenter in which they are recovered, where it is not recognised.
    #[serde(default)]
    pub dr_vcenter_id: Option<String>,
    /// The appliance in place of the one with the live dataset, where that is gone. The group is then paused.
    #[serde(default)]
    pub source_target_id: Option<String>,
}

/// A group that was taken over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdoptedGroup {
    /// The group.
    #[serde(flatten)]
    pub group: ProtectionGroup,
    /// How many checkpoints were found.
    pub checkpoints: usize,
    /// How many virtual machines it protects.
    pub protected_vms: usize,
    /// What somebody should know.
    pub remarks: Vec<String>,
}

fn id<T: std::str::FromStr>(field: &'static str, text: Option<&str>) -> Result<Option<T>, AppError> {
    let read = |text: &str| text.parse().map_err(|_| AppError::invalid(field, "This is not an id."));
    text.map(read).transpose()
}

/// Take a group over from what its datasets say: with its virtual machines, its checkpoints and what was in them. Nothing on the
/// appliances is changed.
#[utoipa::path(post, path = "/protection-groups/adopt", tag = "protection-groups", request_body = AdoptFields,
    responses((status = CREATED, description = "The group", body = AdoptedGroup)))]
pub async fn adopt(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(fields): Json<AdoptFields>,
) -> Answer<Response> {
    let wanted = id("group_id", Some(&fields.group_id))?;
    let wanted = wanted.ok_or_else(|| AppError::invalid("group_id", "Name the group."))?;
    let wish = AdoptWish {
        source_vcenter: id("source_vcenter_id", fields.source_vcenter_id.as_deref())?,
        dr_vcenter: id("dr_vcenter_id", fields.dr_vcenter_id.as_deref())?,
        source_target: id("source_target_id", fields.source_target_id.as_deref())?,
    };
    let adopted = app.adopt_protection_group(&who, wanted, &wish).await?;
    let made = AdoptedGroup {
        group: adopted.group.into(),
        checkpoints: adopted.checkpoints,
        protected_vms: adopted.vms,
        remarks: adopted.remarks,
    };
    Ok(created(format!("{BASE}/protection-groups/{}", made.group.id), made))
}
