//! `/users`

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::paging::{List, Paging};
use super::{Answer, BASE, created};
use crate::app::{App, Principal};
use crate::domain::access::User as DomainUser;
use crate::domain::ids::UserId;

/// What somebody may do: `admin` everything, `operator` start and stop jobs, `viewer` read.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Everything.
    Admin,
    /// Read everything, start and stop jobs.
    Operator,
    /// Read everything.
    Viewer,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Its id.
    pub id: String,
    /// What they sign in with.
    pub name: String,
    /// `admin`, `operator` or `viewer`.
    #[schema(value_type = RoleName)]
    pub role: String,
    /// Whether they are kept out.
    pub disabled: bool,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the password was set last.
    #[schema(value_type = String, format = DateTime)]
    pub password_changed_at: Timestamp,
    /// When they signed in last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_sign_in_at: Option<Timestamp>,
}

impl From<DomainUser> for User {
    fn from(user: DomainUser) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.to_string(),
            role: user.role.to_string(),
            disabled: user.disabled,
            created_at: user.created_at,
            password_changed_at: user.password_changed_at,
            last_sign_in_at: user.last_sign_in_at,
        }
    }
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What they sign in with: letters, digits, `.`, `_`, `-`, `@`.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// `admin`, `operator` or `viewer`.
    #[schema(value_type = RoleName)]
    pub role: String,
    /// At least eight characters.
    #[schema(value_type = String, min_length = 8)]
    pub password: SecretString,
}

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// `admin`, `operator` or `viewer`.
    #[schema(value_type = Option<RoleName>)]
    pub role: Option<String>,
    /// Whether they are kept out.
    pub disabled: Option<bool>,
    /// A new password.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretString>,
}

/// Users, by name.
#[utoipa::path(get, path = "/users", tag = "users", params(Paging),
    responses((status = OK, description = "The users", body = List<User>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<User>>> {
    let users = app.users().await?.into_iter().map(User::from).collect();
    Ok(Json(paging.part(users, |user: &User, words| user.name.contains(words))?))
}

/// Make a user.
#[utoipa::path(post, path = "/users", tag = "users", request_body = NewUser,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key creates nothing again")),
    responses((status = CREATED, description = "The user", body = User)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(new): Json<NewUser>,
) -> Answer<Response> {
    let user = User::from(app.add_user(&who, &new.name, &new.role, &new.password).await?);
    Ok(created(format!("{BASE}/users/{}", user.id), user))
}

/// One user.
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = String, Path, description = "The user's id")),
    responses((status = OK, description = "The user", body = User)))]
pub async fn one(State(app): State<App>, Path(id): Path<UserId>) -> Answer<Json<User>> {
    Ok(Json(app.user(id).await?.into()))
}

/// Change a user. Their sessions end.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", request_body = UserPatch, params(("id" = String, Path, description = "The user's id")),
    responses((status = OK, description = "The user as it is now", body = User)))]
pub async fn change(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<UserId>,
    Json(patch): Json<UserPatch>,
) -> Answer<Json<User>> {
    if let Some(role) = &patch.role {
        app.set_role(&who, id, role).await?;
    }
    if let Some(disabled) = patch.disabled {
        app.set_disabled(&who, id, disabled).await?;
    }
    if let Some(password) = &patch.password {
        app.set_password(&who, id, password).await?;
    }
    Ok(Json(app.user(id).await?.into()))
}
