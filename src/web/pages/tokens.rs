//! `/users/tokens`: what programs come in with.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::users::{crumbs, described, roles};
use crate::app::FieldError;
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::users::{TokenRow, UserForm};
use crate::web::view::form::Field;
use crate::web::view::list::in_query;
use crate::web::view::navigation::Area;
use crate::web::view::status::Mark;
use crate::web::view::{Page, Status};
use crate::web::{Answer, Site, Trouble};

#[derive(Template)]
#[template(path = "users/token.html")]
struct MadeToken {
    page: Page,
    token: String,
}

/// The tokens that are good.
pub(super) async fn rows(site: &Site, cx: &Cx) -> Result<Vec<TokenRow>, Trouble> {
    let tokens = site.app.tokens().await?.into_iter().filter(|token| token.revoked_at.is_none());
    let rows = tokens.map(|token| TokenRow {
        revoke: format!("/users/tokens/{}/revoke", in_query(token.name.as_str())),
        role: token.role.as_str(),
        status: match token.is_good(cx.now) {
            true => Status::new(Mark::Met, "good"),
            false => Status::new(Mark::Unknown, "expired"),
        },
        expires: token.expires_at.map(|at| cx.ago(at)),
        used: token.last_used_at.map(|at| cx.ago(at)),
        name: token.name.to_string(),
    });
    Ok(rows.collect())
}

pub(crate) async fn new(cx: Cx) -> Answer {
    draw(&cx, StatusCode::OK, "", "viewer", "365", &[])
}

fn draw(cx: &Cx, status: StatusCode, name: &str, role: &str, days: &str, errors: &[FieldError]) -> Answer {
    let error = |field| error_of(errors, field);
    let fields = vec![
        Field::line("name", "Name")
            .value(name)
            .hint("What it is for; stands in the audit log, and can never be used again.")
            .first()
            .error(error("name")),
        Field::select("role", "Role", roles()).value(role).error(error("role")),
        Field::number("expires_days", "Good for")
            .value(days)
            .unit("days")
            .optional()
            .hint("Left empty, until it is revoked.")
            .error(error("expires_days")),
    ];
    let mut page = cx.page("Create a token", Area::Users);
    page.crumbs = crumbs();
    let (action, button) = ("/users/tokens".to_owned(), "Create this token".to_owned());
    cx.draw_with(status, &UserForm { page, action, fields, button, roles: described() })
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let (name, role, typed_days) =
        (typed(&form, "name"), typed(&form, "role"), typed(&form, "expires_days").trim());
    // A text that is no number is as wrong as a number that is too large.
    let days = (!typed_days.is_empty()).then(|| typed_days.parse().unwrap_or(i64::MAX));
    match site.app.create_token(cx.who()?, name, role, days).await {
        Ok((token, secret)) => {
            let mut page = cx.page(format!("Token {}", token.name), Area::Users);
            page.crumbs = crumbs();
            cx.draw(&MadeToken { page, token: secret.reveal().to_owned() })
        }
        Err(error) => {
            let errors = beside(error, "name")?;
            draw(&cx, StatusCode::UNPROCESSABLE_ENTITY, name, role, typed_days, &errors)
        }
    }
}

pub(crate) async fn revoke(State(site): State<Site>, cx: Cx, Path(name): Path<String>) -> Answer {
    site.app.revoke_token(cx.who()?, &name).await?;
    Ok(done(&site, "/users", &format!("The token {name} is no longer good.")))
}
