//! `/dr-shells/{id}`: what is done to a DR shell that is there.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::dr_shell_form::{FROM, TO, chosen_networks, network_fields, sources};
use super::protected_vms::{address, crumbs};
use super::protection_groups::address as group_address;
use crate::app::AppError;
use crate::app::dr_shell_verbs::DrShellView;
use crate::app::dr_shells::{Finding, ShellWish};
use crate::domain::ids::DrShellId;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::dr_shells::RepairShell;
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
use crate::web::view::wizard::PlanStep;
use crate::web::{Answer, Site};

/// Where one goes instead: the virtual machine, or the group if it is not in it any more.
fn back(view: &DrShellView) -> String {
    match &view.vm {
        Some(vm) => address(vm.id),
        None => format!("{}/vms", group_address(view.group.id)),
    }
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<DrShellId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(site: &Site, cx: &Cx, status: StatusCode, id: DrShellId, error: Option<String>) -> Answer {
    let view = site.app.dr_shell(id).await?;
    let shell = &view.state.shell;
    let name = shell.spec.name.clone();
    let mut page = cx.page("Remove a DR shell", Area::Protection);
    page.crumbs = crumbs(&view.group, view.vm.as_ref());
    let mut consequences = vec![match view.state.is_there {
        true => format!(
            "The virtual machine {name} in the DR vCenter is removed, with its own files on {}. It has to be off.",
            shell.spec.home_datastore
        ),
        false => format!("The DR vCenter does not have {name} any more; what is left of it is removed."),
    }];
    consequences.push(
        "Its disks are detached first and their files kept: they belong to the replica's clones.".to_owned(),
    );
    if let Some(kept) = &shell.view {
        consequences.push(format!(
            "The datastore {} is unmounted from every host, and the clone behind it destroyed.",
            kept.datastore
        ));
    }
    consequences.push(format!(
        "{}, the replica and its checkpoints are not touched. A recovery without a shell takes longer.",
        view.source_name()
    ));
    let confirm = Confirm {
        action: format!("/dr-shells/{id}/remove"),
        csrf: page.csrf.clone(),
        question: format!("Remove the DR shell {name}?"),
        consequences,
        button: format!("Remove {name}"),
        back: back(&view),
        name,
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn remove(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<DrShellId>,
    Form(form): Typed,
) -> Answer {
    let view = site.app.dr_shell(id).await?;
    let name = &view.state.shell.spec.name;
    let error = if typed(&form, "confirm").trim() != name {
        format!("This is not its name. Type {name} exactly as it stands here.")
    } else {
        match site.app.remove_dr_shell(cx.who()?, id).await {
            Ok(job) => return Ok(done(&site, &format!("/jobs/{job}"), "The DR shell is being removed.")),
            Err(AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await
}

pub(crate) async fn plan(State(site): State<Site>, cx: Cx, Path(id): Path<DrShellId>) -> Answer {
    let networks = chosen_networks(&cx.query);
    draw_plan(&site, &cx, StatusCode::OK, id, networks, Vec::new()).await
}

async fn draw_plan(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: DrShellId,
    networks: Vec<(String, String)>,
    more: Vec<String>,
) -> Answer {
    let (view, found) = site.app.repair_plan(id, &networks).await?;
    let shell = &view.state.shell;
    let (name, source) = (shell.spec.name.clone(), view.source_name().to_owned());
    let mut drift: Vec<String> = view.state.drift.iter().map(|one| one.message.clone()).collect();
    if view.state.is_there && !view.state.networks_mapped {
        drift.push("A network card is not on the network that was chosen for it.".to_owned());
    }
    let told = |all: &[Finding]| all.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    let asks = found.plan.obstacles.iter().any(|one| one.field == "networks") || !networks.is_empty();
    let fields = match asks {
        true => {
            let choices = site.app.dr_shell_choices(&view.group).await?;
            let wish = ShellWish { networks: networks.clone(), ..ShellWish::default() };
            network_fields(&wish, &choices, &found)
        }
        false => Vec::new(),
    };
    let from = sources(&found).into_iter().enumerate();
    let hidden = from.map(|(number, from)| (format!("{FROM}{number}"), from)).collect();
    let chosen = networks.iter().enumerate().flat_map(|(number, (from, to))| {
        [(format!("{FROM}{number}"), from.clone()), (format!("{TO}{number}"), to.clone())]
    });
    let step =
        |what: &str, on: &str| PlanStep { what: what.to_owned(), on: on.to_owned(), takes: String::new() };
    let hosts: Vec<&str> = found.plan.hosts.iter().map(|host| host.name.as_str()).collect();
    let mut steps =
        vec![step("Clone the newest checkpoint, export it, mount it as a datastore", &hosts.join(", "))];
    if let Some(kept) = &shell.view {
        steps.push(step("Detach the disks of the view that it has", &kept.datastore));
    }
    if !drift.is_empty() {
        steps.push(step("Change its hardware to that of the source", &name));
    }
    steps.push(step("Attach each disk from the clone, and read it back", &name));
    steps.push(match &shell.view {
        Some(kept) => step("Take the view away that it had; the new one stays", &kept.datastore),
        None => step("Detach the disks, their files kept; take the clone away again", ""),
    });
    let refreshing = drift.is_empty();
    let title = if refreshing { format!("Refresh {name}") } else { format!("Repair {name}") };
    let mut page = cx.page(&title, Area::Protection);
    page.crumbs = crumbs(&view.group, view.vm.as_ref());
    let screen = RepairShell {
        page,
        lead: match refreshing {
            true => format!(
                "It has the hardware of {source}. Its disks are proved anew from the newest checkpoint."
            ),
            false => format!("It is made as {source} is configured now, where it is. It has to be off."),
        },
        obstacles: told(&found.plan.obstacles).into_iter().chain(more).collect(),
        warnings: told(&found.plan.warnings),
        drift,
        plan: steps,
        fields,
        hidden,
        chosen: chosen.collect(),
        untouched: vec![
            format!("{source} at the source, which runs on."),
            "The replica and its checkpoints: only a clone is mounted.".to_owned(),
            "The name of the shell, where it is, and its own files.".to_owned(),
        ],
        action: format!("/dr-shells/{id}/repair"),
        button: title,
        back: back(&view),
    };
    cx.draw_with(status, &screen)
}

pub(crate) async fn repair(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<DrShellId>,
    Form(form): Typed,
) -> Answer {
    let networks = chosen_networks(&form);
    let errors: Vec<String> = match site.app.repair_dr_shell(cx.who()?, id, &networks).await {
        Ok(job) => return Ok(done(&site, &format!("/jobs/{job}"), "The DR shell is being repaired.")),
        Err(AppError::Invalid { fields }) => fields.into_iter().map(|field| field.message).collect(),
        Err(AppError::Conflict(why)) => vec![sentence(&why)],
        Err(error) => return Err(error.into()),
    };
    let known = site.app.repair_plan(id, &networks).await?.1.plan.obstacles;
    let is_new = |text: &String| !known.iter().any(|one| one.message == *text);
    let more = errors.into_iter().filter(is_new).collect();
    draw_plan(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, networks, more).await
}
