//! Changing a protection group, and removing it.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::group_form::{self, Drawn, LOOK, MORE};
use super::protection_groups::address;
use crate::app::group_drafts::GroupForm;
use crate::app::protection_groups::ProtectionGroup;
use crate::app::{AppError, FieldError};
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, beside, done, sentence, typed};
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site};

pub(super) fn crumbs(group: &ProtectionGroup) -> Vec<Link> {
    vec![
        Link { label: "Protection".to_owned(), address: "/protection-groups".to_owned() },
        Link { label: group.name.clone(), address: address(group.id) },
    ]
}

pub(crate) async fn edit(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let group = site.app.protection_group(id).await?;
    let stored = site.app.group_stored(&group.source).await;
    let form = GroupForm { stored, ..GroupForm::from(&group) };
    draw(&site, &cx, StatusCode::OK, &group, &form, &[], false).await
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    group: &ProtectionGroup,
    form: &GroupForm,
    errors: &[FieldError],
    one_more: bool,
) -> Answer {
    let drawn = Drawn {
        title: format!("Change {}", group.name),
        lead: format!("What is replicated stays: {} to {}.", group.source.dataset, group.dr.dataset),
        action: format!("{}/edit", address(group.id)),
        form,
        errors,
        change: site.app.group_change(group.id).await?,
        button: "Save the group".to_owned(),
        back: Some(format!("{}/settings", address(group.id))),
        one_more,
        changes: true,
    };
    let mut page = drawn.page(site, cx);
    page.page.crumbs = crumbs(group);
    cx.draw_with(status, &page)
}

pub(crate) async fn change(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let group = site.app.protection_group(id).await?;
    let mut filled = group_form::read(&form, GroupForm::from(&group));
    filled.stored = typed(&form, "stored").parse().ok();
    filled.wish.disabled = !form.contains_key("enabled");
    match typed(&form, "go") {
        LOOK if cx.wants_fragment() => {
            let change = site.app.group_change(id).await?;
            return cx.draw(&group_form::look(&site, &cx, &filled, change));
        }
        go @ (LOOK | MORE) => {
            return draw(&site, &cx, StatusCode::OK, &group, &filled, &[], go == MORE).await;
        }
        _ => {}
    }
    match site.app.update_protection_group(cx.who()?, id, &filled.asked()).await {
        Ok(_) => Ok(done(&site, &format!("{}/settings", address(id)), "The group is changed.")),
        Err(error) => {
            let fields = beside(error, "name")?;
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &group, &filled, &fields, false).await
        }
    }
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let group = site.app.protection_group(id).await?;
    draw_ask(&site, &cx, StatusCode::OK, group, None).await
}

async fn draw_ask(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    group: ProtectionGroup,
    error: Option<String>,
) -> Answer {
    let mut page = cx.page("Delete a protection group", Area::Protection);
    page.crumbs = crumbs(&group);
    let dr = site.app.target(group.dr.target).await?;
    let checkpoints = site.app.checkpoints(group.id, false).await?.len();
    let shells = site.app.dr_shells(group.id).await?.len();
    let many = if checkpoints == 1 { "" } else { "s" };
    let mut consequences = vec![
        format!(
            "Nothing is replicated any more, and Zerfaux forgets the group with its history. {} and the virtual machines \
             on it stay as they are.",
            group.source.dataset
        ),
        format!(
            "The replica {} on {} stays, with {checkpoints} checkpoint{many}. Zerfaux removes none of them, and nobody tidies \
             them up: what they take stays taken.",
            group.dr.dataset, dr.name
        ),
    ];
    if shells > 0 {
        let what = if shells == 1 { "a DR shell" } else { "DR shells" };
        consequences.insert(
            0,
            format!("It has {what} in the DR vCenter. Remove them first, on the page of each of its virtual machines."),
        );
    }
    consequences
        .push("The snapshots of this group at the source stay too, with the hold on the newest.".to_owned());
    let confirm = Confirm {
        action: format!("{}/delete", address(group.id)),
        csrf: page.csrf.clone(),
        question: format!("Delete the group {}?", group.name),
        consequences,
        button: format!("Delete {}", group.name),
        back: format!("{}/settings", address(group.id)),
        name: group.name,
        error,
    };
    let other = cx.may(Role::Admin).then(|| Link {
        label: "Delete it with its replica instead".to_owned(),
        address: format!("{}/delete-with-replica", address(group.id)),
    });
    cx.draw_with(status, &ConfirmPage { page, confirm, other })
}

pub(crate) async fn delete(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let group = site.app.protection_group(id).await?;
    let error = if typed(&form, "confirm").trim() != group.name {
        format!("This is not its name. Type {} exactly as it stands here.", group.name)
    } else {
        match site.app.delete_protection_group(cx.who()?, id).await {
            Ok(gone) => {
                let message = format!("{} is deleted. Its replica {} stays.", gone.name, gone.dr.dataset);
                return Ok(done(&site, "/protection-groups", &message));
            }
            Err(AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, group, Some(error)).await
}
