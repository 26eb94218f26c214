//! `/protection-groups/{id}/recovery-plan` and `/protection-groups/{id}/recovery-plan/check`

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::recovery_plan_fields::Plan;
use super::{Answer, Trouble};
use crate::app::recovery_plans::{CheckFinding as Found, PlanView, Severity, mend_address};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::GroupId;
use crate::domain::recovery_plan::Purpose;

/// The recovery plan of a group.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryPlan {
    /// Counts up with each change; 0: nobody made a plan, and this is the default.
    pub version: u32,
    /// Who changed it last.
    pub changed_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// It, with every virtual machine that the group has now: one that no tier named is at the end of the last.
    pub plan: Plan,
    /// The names of the group's virtual machines by their ids.
    pub virtual_machines: BTreeMap<String, String>,
    /// The names of the networks at the source, by their keys, that the newest checkpoint knows.
    pub source_networks: BTreeMap<String, String>,
    /// What of it would fail, the worst first.
    pub findings: Vec<CheckFinding>,
}

/// A plan to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// The version that it replaces, as it was read; 0 for the default.
    pub version: u32,
    /// It.
    pub plan: Plan,
}

/// Something of a plan that would fail, or that one should know.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckFinding {
    /// A name for programs, such as `network_gone`.
    pub kind: String,
    /// `fails` or `warns`.
    pub severity: String,
    /// `test`, `real`.
    pub purposes: Vec<String>,
    /// What it is about.
    pub object: String,
    /// What is wrong.
    pub why: String,
    /// What to do about it; empty where that is said already.
    pub advice: String,
    /// Where that is done: the address of a page.
    pub mend: Option<String>,
}

/// All that would fail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanCheck {
    /// What of it would fail, the worst first.
    pub findings: Vec<CheckFinding>,
}

/// For what it is checked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckQuery {
    /// Whether it is to run while nobody looks.
    pub unattended: Option<bool>,
}

fn finding(group: GroupId, one: Found) -> CheckFinding {
    CheckFinding {
        kind: one.kind.to_owned(),
        severity: match one.severity {
            Severity::Fails => "fails",
            Severity::Warns => "warns",
        }
        .to_owned(),
        purposes: one.purposes.into_iter().map(Purpose::as_str).map(str::to_owned).collect(),
        object: one.object,
        why: one.why,
        advice: one.advice,
        mend: one.mend.map(|mend| mend_address(group, mend)),
    }
}

fn shown(view: PlanView) -> Result<RecoveryPlan, Trouble> {
    let (changed_by, changed_at) = view.changed.unzip();
    let group = view.group.id;
    Ok(RecoveryPlan {
        version: view.version,
        changed_by,
        changed_at,
        plan: Plan::try_from(&view.plan).map_err(|why| AppError::Conflict(why.to_string()))?,
        virtual_machines: view.vms.into_iter().map(|vm| (vm.id.to_string(), vm.name)).collect(),
        source_networks: view.manifest.map(|manifest| manifest.networks).unwrap_or_default(),
        findings: view.findings.into_iter().map(|one| finding(group, one)).collect(),
    })
}

/// The recovery plan of a group, and what of it would fail. No other system is asked for that.
#[utoipa::path(get, path = "/protection-groups/{id}/recovery-plan", tag = "recovery",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "The plan", body = RecoveryPlan)))]
pub async fn one(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<RecoveryPlan>> {
    Ok(Json(shown(app.recovery_plan(id).await?)?))
}

/// Replace the recovery plan of a group. Refused with 409 if another version than the one named is there.
#[utoipa::path(put, path = "/protection-groups/{id}/recovery-plan", tag = "recovery", request_body = NewPlan,
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "The plan as it is now", body = RecoveryPlan)))]
pub async fn replace(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(wish): Json<NewPlan>,
) -> Answer<Json<RecoveryPlan>> {
    let plan = wish.plan.read().map_err(|why| AppError::invalid("plan", why))?;
    app.put_recovery_plan(&who, id, wish.version, &plan).await?;
    Ok(Json(shown(app.recovery_plan(id).await?)?))
}

/// What of the recovery plan of a group would fail, with what only the DR site itself can say: its hosts and its appliance
/// are asked.
#[utoipa::path(get, path = "/protection-groups/{id}/recovery-plan/check", tag = "recovery",
    params(("id" = String, Path, description = "The group's id"), CheckQuery),
    responses((status = OK, description = "What would fail", body = PlanCheck)))]
pub async fn check(
    State(app): State<App>,
    Path(id): Path<GroupId>,
    Query(query): Query<CheckQuery>,
) -> Answer<Json<PlanCheck>> {
    let all = app.recovery_findings(id, query.unattended.unwrap_or_default()).await?;
    Ok(Json(PlanCheck { findings: all.into_iter().map(|one| finding(id, one)).collect() }))
}
