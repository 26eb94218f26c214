//! `/account`: one's own password and sessions.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use crate::app::FieldError;
use crate::domain::ids::SessionId;
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::account::{Account, SessionRow};
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    draw(&site, &cx, StatusCode::OK, &[]).await
}

async fn draw(site: &Site, cx: &Cx, status: StatusCode, errors: &[FieldError]) -> Answer {
    let who = cx.who()?;
    let current = who.session().map(|(id, _)| id);
    let sessions = site.app.own_sessions(who).await?.into_iter().map(|session| SessionRow {
        id: session.id.to_string(),
        this_one: current == Some(session.id),
        address: session.address,
        agent: if session.agent.is_empty() { "unnamed program".to_owned() } else { session.agent },
        began: cx.ago(session.created_at),
        used: cx.ago(session.last_seen_at),
    });
    let error = |field| error_of(errors, field);
    let fields = vec![
        Field::password("old_password", "Password now", "current-password").error(error("old_password")),
        Field::password("new_password", "New password", "new-password")
            .hint("At least 8 characters; 15 or more are better. Any characters.")
            .error(error("new_password")),
        Field::password("again", "The new password again", "new-password").error(error("again")),
    ];
    let page = cx.page("Your account", Area::Account);
    cx.draw_with(status, &Account { page, fields, sessions: sessions.collect() })
}

pub(crate) async fn password(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let old = SecretString::from(typed(&form, "old_password"));
    let new = SecretString::from(typed(&form, "new_password"));
    let errors = if typed(&form, "again") != new.expose_secret() {
        vec![FieldError { field: "again", message: "The two new passwords differ.".to_owned() }]
    } else {
        match site.app.change_own_password(cx.who()?, &old, &new).await {
            Ok(()) => {
                return Ok(done(&site, "/account", "Your password was changed. Other sessions have ended."));
            }
            Err(error) => beside(error, "old_password")?,
        }
    };
    draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &errors).await
}

pub(crate) async fn end_session(State(site): State<Site>, cx: Cx, Path(id): Path<SessionId>) -> Answer {
    site.app.end_session(cx.who()?, id).await?;
    Ok(done(&site, "/account", "The session has ended."))
}
