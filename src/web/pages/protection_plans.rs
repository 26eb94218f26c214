//! `/protected-vms/{id}/move` and `/protection-groups/{id}/move`: the wizard that moves files to the datastore on which they
//! are protected. Its steps follow from how things stand, so reloading, going back and a second tab show the same.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::protected_vms::{address, crumbs};
use super::protection_groups::address as group_address;
use crate::app::AppError;
use crate::app::dr_shells::Finding;
use crate::app::protection_plans::{MOST, ProtectionPlan, Stray};
use crate::domain::access::Role;
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::web::cx::{Cx, Typed, done, sentence};
use crate::web::screens::group_vms::Mend;
use crate::web::screens::protected_vms::{DiskRow, MoveRow, MoveSeveral, MoveVm};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::wizard::WizardStep;
use crate::web::view::{Mark, Status, size};
use crate::web::{Answer, Site};

/// Before the id of a virtual machine, in the name of its field.
const VM: &str = "vm-";

/// The steps above the question.
pub(super) fn steps(own: &str, current: usize) -> Vec<WizardStep> {
    let names = ["Compare", "Move", "Verified"];
    let step = |(place, name): (usize, &&str)| WizardStep {
        name: (*name).to_owned(),
        address: (place < current).then(|| own.to_owned()),
        current: place == current,
    };
    names.iter().enumerate().map(step).collect()
}

/// How full the required datastore is.
fn room(plan: &ProtectionPlan) -> (u8, String) {
    let (free, all) = (plan.datastore.free_bytes, plan.datastore.capacity_bytes);
    (size::percent(all.saturating_sub(free), all), format!("{} free", size::part_of(free, all)))
}

fn told(all: &[Finding]) -> Vec<String> {
    all.iter().map(|one| one.message.clone()).collect()
}

/// The configuration and each disk, current against required.
fn files(plan: &ProtectionPlan) -> Vec<DiskRow> {
    let placement = &plan.placement;
    let status = |is_there| match is_there {
        true => Status::new(Mark::Met, "there"),
        false => Status::new(Mark::Risk, "elsewhere"),
    };
    let on = |file: &str| {
        let name = file.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name);
        name.unwrap_or("unknown").to_owned()
    };
    let home = placement.home.clone().unwrap_or_default();
    let first = DiskRow {
        label: "Configuration".to_owned(),
        size: "–".to_owned(),
        datastore: on(&home),
        file: home,
        status: status(placement.home_is_there),
    };
    let disks = placement.disks.iter().map(|disk| DiskRow {
        label: disk.label.clone(),
        size: size::bytes(disk.capacity_bytes).to_string(),
        file: disk.file.clone().unwrap_or_default(),
        datastore: disk.datastore.clone().unwrap_or_else(|| "unknown".to_owned()),
        status: status(disk.is_there),
    });
    std::iter::once(first).chain(disks).collect()
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<ProtectedVmId>) -> Answer {
    draw_one(&site, &cx, StatusCode::OK, id).await
}

async fn draw_one(site: &Site, cx: &Cx, status: StatusCode, id: ProtectedVmId) -> Answer {
    let plan = site.app.protection_plan(id).await?;
    let job = site.app.move_under_way(&plan.vm).await?;
    let placement = &plan.placement;
    // A job that still reads everything back has not verified it.
    let compliant = placement.compliant && job.is_none();
    let own = format!("{}/move", address(id));
    let current = match (&job, compliant) {
        (Some(_), _) => 1,
        (None, true) => 2,
        (None, false) => 0,
    };
    let strays = placement.strays.iter().map(|stray| match stray {
        Stray::Iso { file } => {
            format!("The image {file} in a CD drive is not moved, and is not there after a recovery.")
        }
        Stray::Snapshot { file } => {
            format!("A VMware snapshot builds upon {file}; it is moved with its disk.")
        }
    });
    let name = plan.vm.name.clone();
    let mut page = cx.page(format!("Move {name}"), Area::Protection);
    page.crumbs = crumbs(&plan.group, Some(&plan.vm));
    let screen = MoveVm {
        page,
        steps: steps(&own, current),
        required: plan.datastore.name.clone(),
        room: room(&plan),
        moves: size::bytes(placement.moves_bytes).to_string(),
        disks: files(&plan),
        strays: strays.collect(),
        obstacles: told(&placement.obstacles),
        warnings: told(&placement.warnings),
        job: job.map(|job| Link {
            label: format!("{name} is being moved."),
            address: format!("/jobs/{}", job.id),
        }),
        compliant,
        action: own,
        back: address(id),
        next: Some(Mend {
            label: "Make its DR shell…",
            address: format!("{}/dr-shell", address(id)),
            sends: false,
        }),
        may_work: cx.may(Role::Operator),
        name,
    };
    cx.draw_with(status, &screen)
}

pub(crate) async fn start(State(site): State<Site>, cx: Cx, Path(id): Path<ProtectedVmId>) -> Answer {
    match site.app.move_to_protection_datastore(cx.who()?, &[id], "").await {
        Ok(job) => Ok(done(&site, &format!("/jobs/{job}"), "The move is under way.")),
        // Something has changed since it was shown: it is shown again, as it stands now.
        Err(AppError::Invalid { .. }) => draw_one(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id).await,
        Err(AppError::Conflict(_)) if site.app.protection_plan(id).await?.placement.compliant => {
            Ok(done(&site, &format!("{}/move", address(id)), "Everything is there already."))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn several(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    draw_several(&site, &cx, StatusCode::OK, id, None, Vec::new()).await
}

/// `chosen`: what was ticked before; none at first, when all are that can be moved, up to the cap.
async fn draw_several(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: GroupId,
    chosen: Option<&[ProtectedVmId]>,
    errors: Vec<String>,
) -> Answer {
    let plans = site.app.protection_plans(id).await?;
    let group = site.app.protection_group(id).await?;
    let datastore = site.app.datastore_of(&group).await?;
    let back = format!("{}/vms", group_address(id));
    let (mut rows, mut left) = (Vec::new(), MOST);
    for plan in plans.iter().filter(|plan| !plan.placement.compliant) {
        let mut obstacles = told(&plan.placement.obstacles);
        if site.app.move_under_way(&plan.vm).await?.is_some() {
            obstacles = vec!["A job moves it already.".to_owned()];
        }
        let ticked = chosen.map_or(left > 0, |chosen| chosen.contains(&plan.vm.id));
        if ticked && obstacles.is_empty() {
            left = left.saturating_sub(1);
        }
        let mut from: Vec<&str> = plan
            .placement
            .disks
            .iter()
            .filter(|disk| !disk.is_there)
            .filter_map(|disk| disk.datastore.as_deref())
            .collect();
        from.dedup();
        rows.push(MoveRow {
            field: format!("{VM}{}", plan.vm.id),
            name: plan.vm.name.clone(),
            address: format!("{}/move", address(plan.vm.id)),
            moves: size::bytes(plan.placement.moves_bytes).to_string(),
            from: from.join(", "),
            chosen: ticked,
            obstacles,
        });
    }
    let mut page = cx.page("Move to the protection datastore", Area::Protection);
    page.crumbs = crumbs(&group, None);
    let (free, all) = (datastore.free_bytes, datastore.capacity_bytes);
    let screen = MoveSeveral {
        page,
        required: datastore.name,
        room: (size::percent(all.saturating_sub(free), all), format!("{} free", size::part_of(free, all))),
        compliant: plans.len() - rows.len(),
        rows,
        most: MOST,
        errors,
        action: format!("{}/move", group_address(id)),
        back,
    };
    cx.draw_with(status, &screen)
}

fn chosen(form: &HashMap<String, String>) -> Vec<ProtectedVmId> {
    let mut all: Vec<ProtectedVmId> =
        form.keys().filter_map(|name| name.strip_prefix(VM)?.parse().ok()).collect();
    all.sort();
    all
}

pub(crate) async fn start_several(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let ids = chosen(&form);
    let errors = match site.app.move_to_protection_datastore(cx.who()?, &ids, "").await {
        Ok(job) => return Ok(done(&site, &format!("/jobs/{job}"), "The move is under way.")),
        Err(AppError::Invalid { fields }) => fields.into_iter().map(|field| field.message).collect(),
        Err(AppError::Conflict(why)) => vec![sentence(&why)],
        Err(error) => return Err(error.into()),
    };
    draw_several(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(&ids), errors).await
}
