//! `/users`: who may sign in, as what.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::SecretString;

use super::tokens;
use crate::app::FieldError;
use crate::domain::access::{Role, User};
use crate::domain::ids::UserId;
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::users::{UserForm, UserRow, Users};
use crate::web::view::Status;
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let you = cx.who()?.session().map(|(_, user)| user);
    let mut rows = Vec::new();
    for user in site.app.users().await? {
        rows.push(UserRow {
            address: format!("/users/{}", user.id),
            role: user.role.as_str(),
            status: match user.disabled {
                true => Status::new(Mark::Unknown, "disabled"),
                false => Status::new(Mark::Met, "active"),
            },
            seen: user.last_sign_in_at.map(|at| cx.ago(at)),
            sessions: site.app.count_sessions(user.id).await?,
            you: you == Some(user.id),
            name: user.name.to_string(),
        });
    }
    let tokens = tokens::rows(&site, &cx).await?;
    cx.draw(&Users { page: cx.page("Users", Area::Users), rows, tokens })
}

/// The roles to choose from.
pub(super) fn roles() -> Vec<Choice> {
    Role::ALL.map(|role| Choice::new(role.as_str(), role.as_str())).to_vec()
}

/// What each role may do.
pub(super) fn described() -> Vec<(&'static str, &'static str)> {
    Role::ALL.map(|role| (role.as_str(), role.describe())).to_vec()
}

/// The step back to the list.
pub(super) fn crumbs() -> Vec<Link> {
    vec![Link { label: "Users".to_owned(), address: "/users".to_owned() }]
}

pub(crate) async fn new(cx: Cx) -> Answer {
    draw_new(&cx, StatusCode::OK, "", "operator", &[])
}

fn draw_new(cx: &Cx, status: StatusCode, name: &str, role: &str, errors: &[FieldError]) -> Answer {
    let error = |field| error_of(errors, field);
    let fields = vec![
        Field::line("name", "Name")
            .value(name)
            .hint("What they sign in with: letters, digits, and . _ - @")
            .first()
            .error(error("name")),
        Field::select("role", "Role", roles()).value(role).error(error("role")),
        Field::password("password", "First password", "new-password")
            .hint("At least 8 characters. They can change it under their name.")
            .error(error("password")),
    ];
    let mut page = cx.page("Add a user", Area::Users);
    page.crumbs = crumbs();
    let (action, button) = ("/users".to_owned(), "Add this user".to_owned());
    cx.draw_with(status, &UserForm { page, action, fields, button, roles: described() })
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let (name, role) = (typed(&form, "name"), typed(&form, "role"));
    let password = SecretString::from(typed(&form, "password"));
    match site.app.add_user(cx.who()?, name, role, &password).await {
        Ok(user) => Ok(done(&site, "/users", &format!("{} can sign in now.", user.name))),
        Err(error) => {
            let errors = beside(error, "name")?;
            draw_new(&cx, StatusCode::UNPROCESSABLE_ENTITY, name, role, &errors)
        }
    }
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<UserId>) -> Answer {
    let user = site.app.user(id).await?;
    let (role, disabled) = (user.role.as_str(), user.disabled);
    draw_one(&cx, StatusCode::OK, &user, role, disabled, &[])
}

fn draw_one(
    cx: &Cx,
    status: StatusCode,
    user: &User,
    role: &str,
    disabled: bool,
    errors: &[FieldError],
) -> Answer {
    let error = |field| error_of(errors, field);
    let fields = vec![
        Field::select("role", "Role", roles()).value(role).error(error("role")),
        Field::check("disabled", "Keep this user out")
            .value(if disabled { "on" } else { "" })
            .error(error("disabled")),
        Field::password("password", "New password", "new-password")
            .optional()
            .hint("Left empty, the password stays as it is.")
            .error(error("password")),
    ];
    let mut page = cx.page(user.name.to_string(), Area::Users);
    page.crumbs = crumbs();
    let (action, button) = (format!("/users/{}", user.id), "Save, and end their sessions".to_owned());
    cx.draw_with(status, &UserForm { page, action, fields, button, roles: described() })
}

pub(crate) async fn change(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<UserId>,
    Form(form): Typed,
) -> Answer {
    let (who, user) = (cx.who()?, site.app.user(id).await?);
    let (role, disabled) = (typed(&form, "role"), typed(&form, "disabled") == "on");
    let password = typed(&form, "password");
    let changed = async {
        if !password.is_empty() {
            site.app.set_password(who, id, &SecretString::from(password)).await?;
        }
        if disabled != user.disabled {
            site.app.set_disabled(who, id, disabled).await?;
        }
        if role != user.role.as_str() {
            site.app.set_role(who, id, role).await?;
        }
        Ok(())
    };
    match changed.await {
        Ok(()) => Ok(done(&site, "/users", &format!("{} was changed.", user.name))),
        Err(error) => {
            let field = if disabled != user.disabled { "disabled" } else { "role" };
            let errors = beside(error, field)?;
            draw_one(&cx, StatusCode::UNPROCESSABLE_ENTITY, &user, role, disabled, &errors)
        }
    }
}
