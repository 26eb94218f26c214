//! `/protection-groups/new`: the wizard for a protection group, over a draft that every step saves. Its policy is in
//! `group_form.rs`.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::group_form::{self, Drawn, LOOK, MORE};
use super::group_steps::{self, address, steps};
use super::protection_groups;
use crate::app::group_drafts::{GroupDraft, GroupForm};
use crate::app::group_sides::GroupSource;
use crate::app::{AppError, FieldError};
use crate::domain::ids::{DraftId, GroupId};
use crate::web::cx::{Cx, Typed, beside, done, error_of, sentence, typed};
use crate::web::screens::group_wizard::{ChooseSource, SourceChoice};
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site, Trouble};

pub(crate) async fn new(State(site): State<Site>, cx: Cx) -> Answer {
    // Back from the next step: the same draft is gone on with.
    let draft = match cx.asked("draft").parse::<DraftId>() {
        Ok(id) => site.app.group_draft(cx.who()?, id).await.ok().filter(|draft| draft.group.is_none()),
        Err(_) => None,
    };
    let mut form = draft.as_ref().map_or_else(GroupForm::usual, |draft| draft.form.clone());
    if draft.is_none() {
        // Where one comes from a datastore, it is chosen.
        form.wish.source_vcenter_id = cx.asked("vcenter").to_owned();
        form.wish.protection_datastore = cx.asked("datastore").to_owned();
    }
    draw_source(&site, &cx, StatusCode::OK, draft.map(|draft| draft.id), &form, &[]).await
}

async fn draw_source(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    draft: Option<DraftId>,
    form: &GroupForm,
    errors: &[FieldError],
) -> Answer {
    let (usable, other): (Vec<GroupSource>, Vec<GroupSource>) =
        site.app.group_sources().await?.into_iter().partition(|one| one.behind.is_ok());
    let wish = &form.wish;
    let of = |one: &GroupSource| {
        let (id, name) = (one.datastore.object.id(), &one.datastore.name);
        one.vcenter.to_string() == wish.source_vcenter_id
            && (id == wish.protection_datastore || *name == wish.protection_datastore)
    };
    let untold = usable.iter().any(|one| one.behind.as_ref().is_ok_and(|behind| behind.dataset.is_none()));
    let choices = usable.iter().map(|one| SourceChoice {
        value: format!("{} {}", one.vcenter, one.datastore.object.id()),
        name: format!("{} in {}", one.datastore.name, one.vcenter_name),
        told: group_steps::told(one),
        chosen: usable.len() == 1 || of(one),
    });
    let screen = ChooseSource {
        page: cx.page("New protection group", Area::Protection),
        steps: steps(None, 0),
        draft: draft.map(|id| id.to_string()),
        choices: choices.collect(),
        refused: other
            .into_iter()
            .map(|one| {
                let name = format!("{} in {}", one.datastore.name, one.vcenter_name);
                (name, one.behind.err().unwrap_or_default())
            })
            .collect(),
        dataset: untold.then(|| {
            Field::line("source_dataset", "Dataset")
                .value(&wish.source_dataset)
                .optional()
                .hint("Only where the export does not tell it, such as tank/vm.")
                .error(error_of(errors, "source_dataset"))
        }),
        error: errors
            .iter()
            .find(|error| !untold || error.field != "source_dataset")
            .map(|error| sentence(&error.message)),
    };
    cx.draw_with(status, &screen)
}

pub(crate) async fn choose_source(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let who = cx.who()?;
    let draft = match typed(&form, "draft").parse::<DraftId>() {
        Ok(id) => match site.app.group_draft(who, id).await {
            Ok(draft) if draft.group.is_none() => Some(draft),
            // One that was sent off, or is no longer there, is left alone, and another is begun.
            Ok(_) | Err(AppError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
        Err(_) => None,
    };
    let id = draft.as_ref().map_or_else(DraftId::new, |draft| draft.id);
    let mut filled = draft.map_or_else(GroupForm::usual, |draft| draft.form);
    let before = filled.wish.clone();
    let (vcenter, datastore) = typed(&form, "source").split_once(' ').unwrap_or_default();
    vcenter.clone_into(&mut filled.wish.source_vcenter_id);
    datastore.clone_into(&mut filled.wish.protection_datastore);
    typed(&form, "source_dataset").clone_into(&mut filled.wish.source_dataset);
    filled.wish.source_target_id.clear();
    if (&before.source_vcenter_id, &before.protection_datastore)
        != (&filled.wish.source_vcenter_id, &filled.wish.protection_datastore)
    {
        // A name is only wanted where the export does not tell: that of another datastore would be in the way.
        let sources = site.app.group_sources().await?;
        let told = sources.iter().any(|one| {
            one.vcenter.to_string() == vcenter
                && one.datastore.object.id() == datastore
                && one.behind.as_ref().is_ok_and(|behind| behind.dataset.is_some())
        });
        if told {
            filled.wish.source_dataset.clear();
        }
    }
    if datastore.is_empty() {
        let message = "Choose the datastore that the virtual machines are on.".to_owned();
        let fields = [FieldError { field: "protection_datastore", message }];
        let draft = (!before.source_vcenter_id.is_empty()).then_some(id);
        return draw_source(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, draft, &filled, &fields).await;
    }
    site.app.keep_group_form(who, id, &filled).await?;
    match site.app.check_group_source(&filled).await {
        Ok(source) => {
            filled.stored = site.app.group_stored(&source).await;
            site.app.keep_group_form(who, id, &filled).await?;
            Ok(Redirect::to(&address(id, "dr")).into_response())
        }
        Err(AppError::Invalid { fields }) => {
            draw_source(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, Some(id), &filled, &fields).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The draft, or where it leads if the group was made.
async fn open(site: &Site, cx: &Cx, id: DraftId) -> Result<Result<GroupDraft, Response>, Trouble> {
    let draft = site.app.group_draft(cx.who()?, id).await?;
    Ok(match draft.group {
        Some(group) => Err(made(site, group)),
        None => Ok(draft),
    })
}

fn made(site: &Site, group: GroupId) -> Response {
    done(site, &protection_groups::address(group), "This group was created already; here it is.")
}

pub(crate) async fn dr(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    match open(&site, &cx, id).await? {
        Ok(draft) => group_steps::draw_dr(&site, &cx, StatusCode::OK, &draft, &[]).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

pub(crate) async fn choose_dr(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<DraftId>,
    Form(form): Typed,
) -> Answer {
    let mut draft = match open(&site, &cx, id).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    typed(&form, "dr_vcenter_id").clone_into(&mut draft.form.wish.dr_vcenter_id);
    typed(&form, "dr_target_id").clone_into(&mut draft.form.wish.dr_target_id);
    typed(&form, "dr_parent_dataset").clone_into(&mut draft.form.wish.dr_parent_dataset);
    draft.form.protect = form.contains_key("protect");
    site.app.keep_group_form(cx.who()?, id, &draft.form).await?;
    if typed(&form, "go") == "back" {
        return Ok(Redirect::to(&format!("/protection-groups/new?draft={id}")).into_response());
    }
    let source = site.app.check_group_source(&draft.form).await;
    let checked = match source {
        Ok(source) => site.app.check_group_dr(&draft.form, &source).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Ok(Redirect::to(&address(id, "policy")).into_response()),
        Err(AppError::Invalid { fields }) => group_steps::draw_wrong(&site, &cx, &draft, &fields).await,
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn policy(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    match open(&site, &cx, id).await? {
        Ok(draft) => draw_policy(&site, &cx, StatusCode::OK, &draft, &[], false),
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// The third step. `one_more`: with an empty window in the timetable.
pub(super) fn draw_policy(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    draft: &GroupDraft,
    errors: &[FieldError],
    one_more: bool,
) -> Answer {
    let drawn = Drawn {
        title: "Policy of the new group".to_owned(),
        lead: "How often it runs, and what is kept.".to_owned(),
        action: address(draft.id, "policy"),
        form: &draft.form,
        errors,
        change: None,
        button: "Next: review".to_owned(),
        back: None,
        one_more,
        changes: false,
    };
    let mut page = drawn.page(site, cx);
    page.steps = steps(Some(draft.id), 2);
    cx.draw_with(status, &page)
}

pub(crate) async fn save_policy(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<DraftId>,
    Form(form): Typed,
) -> Answer {
    let mut draft = match open(&site, &cx, id).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    draft.form = group_form::read(&form, draft.form);
    let who = cx.who()?;
    site.app.keep_group_form(who, id, &draft.form).await?;
    match typed(&form, "go") {
        LOOK if cx.wants_fragment() => {
            return cx.draw(&group_form::look(&site, &cx, &draft.form, None));
        }
        go @ (LOOK | MORE) => return draw_policy(&site, &cx, StatusCode::OK, &draft, &[], go == MORE),
        "back" => return Ok(Redirect::to(&address(id, "dr")).into_response()),
        _ => {}
    }
    match site.app.check_group(who, &draft.form).await {
        Ok(_) => Ok(Redirect::to(&address(id, "review")).into_response()),
        Err(AppError::Invalid { fields }) => group_steps::draw_wrong(&site, &cx, &draft, &fields).await,
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn review(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    let draft = match open(&site, &cx, id).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    match site.app.review_group(cx.who()?, &draft.form).await {
        Ok(review) => group_steps::draw_review(&site, &cx, &draft, review).await,
        // What cannot be read is corrected where it was filled in.
        Err(AppError::Invalid { fields }) => group_steps::draw_wrong(&site, &cx, &draft, &fields).await,
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    let who = cx.who()?;
    let draft = match open(&site, &cx, id).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    match site.app.create_group_of_draft(who, id).await {
        Ok((group, note)) => {
            let message = note.map_or_else(
                || "The group is created. Its first replication begins.".to_owned(),
                |note| format!("The group is created. {}", sentence(&note)),
            );
            Ok(done(&site, &protection_groups::address(group), &message))
        }
        // Something has changed since the review: it is said where it was filled in.
        Err(error) => {
            let fields = beside(error, "name")?;
            group_steps::draw_wrong(&site, &cx, &draft, &fields).await
        }
    }
}
