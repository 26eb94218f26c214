//! `/protection-groups/{id}/key`: the key of a group whose datasets are encrypted.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::SecretString;

use super::protection_groups::address;
use crate::app::FieldError;
use crate::app::group_keys::GroupKey;
use crate::domain::ids::GroupId;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::protection_groups::{GroupKeyForm, GroupKeyView};
use crate::web::view::form::{Confirm, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Page, Status};
use crate::web::{Answer, Site};

/// What the settings page says of a key that is kept.
pub(super) fn view(cx: &Cx, key: &GroupKey) -> GroupKeyView {
    GroupKeyView {
        status: match &key.tried {
            Some((root, _)) => Status::new(Mark::Met, format!("it opens {root}")),
            None => Status::new(Mark::Risk, "kept, and never tried: no appliance answered"),
        },
        set_by: key.set_by.clone(),
        set: cx.ago(key.set_at),
    }
}

fn back(id: GroupId) -> String {
    format!("{}/settings#key", address(id))
}

async fn frame(site: &Site, cx: &Cx, id: GroupId, title: &str) -> Result<Page, crate::web::Trouble> {
    let group = site.app.protection_group(id).await?;
    let mut page = cx.page(title, Area::Protection);
    page.crumbs = vec![
        Link { label: "Protection".to_owned(), address: "/protection-groups".to_owned() },
        Link { label: group.name, address: format!("{}/settings", address(id)) },
    ];
    Ok(page)
}

pub(crate) async fn form(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    draw(&site, &cx, StatusCode::OK, id, &[]).await
}

/// The key is never sent back.
async fn draw(site: &Site, cx: &Cx, status: StatusCode, id: GroupId, errors: &[FieldError]) -> Answer {
    let field = Field::password("key", "Key", "off")
        .hint("The passphrase; or the key in 64 hexadecimal digits.")
        .error(error_of(errors, "key"))
        .first();
    let page = frame(site, cx, id, "Encryption key").await?;
    cx.draw_with(status, &GroupKeyForm { page, address: address(id), field })
}

pub(crate) async fn set(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    match site.app.set_group_key(cx.who()?, id, SecretString::from(typed(&form, "key"))).await {
        Ok(key) => {
            let said = match key.tried {
                Some((root, _)) => format!("The key opens {root}, and is kept."),
                None => "The key is kept. It was not tried: no appliance answered.".to_owned(),
            };
            Ok(done(&site, &back(id), &said))
        }
        Err(error) => {
            let errors = beside(error, "key")?;
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, &errors).await
        }
    }
}

pub(crate) async fn ask_to_forget(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(site: &Site, cx: &Cx, status: StatusCode, id: GroupId, error: Option<String>) -> Answer {
    let page = frame(site, cx, id, "Forget the encryption key").await?;
    let name = site.app.protection_group(id).await?.name;
    let confirm = Confirm {
        action: format!("{}/key/forget", address(id)),
        csrf: page.csrf.clone(),
        question: format!("Forget the key of {name}?"),
        consequences: vec![
            "It is destroyed here and cannot be shown before.".to_owned(),
            "Until it is entered again, the group can only be recovered by somebody who loads the key on the DR appliance."
                .to_owned(),
        ],
        button: "Forget the key".to_owned(),
        back: back(id),
        name,
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm })
}

pub(crate) async fn forget(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let group = site.app.protection_group(id).await?;
    if typed(&form, "confirm").trim() != group.name {
        let error = format!("This is not its name. Type {} exactly as it stands here.", group.name);
        return draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await;
    }
    site.app.forget_group_key(cx.who()?, id).await?;
    Ok(done(&site, &back(id), "The key is forgotten."))
}
