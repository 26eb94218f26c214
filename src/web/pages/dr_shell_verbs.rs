//! `/dr-shells/{id}`: what is done to a DR shell that is there.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::protected_vms::{address, crumbs};
use super::protection_groups::address as group_address;
use crate::app::AppError;
use crate::app::dr_shell_verbs::DrShellView;
use crate::domain::ids::DrShellId;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
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
    cx.draw_with(status, &ConfirmPage { page, confirm })
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
