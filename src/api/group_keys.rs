//! `/protection-groups/{id}/key`: the key of a group whose datasets are encrypted. It goes in and never comes out.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::app::group_keys::GroupKey as Kept;
use crate::app::{App, AppError, Principal};
use crate::domain::ids::GroupId;

/// What is known of a group's key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupKey {
    /// The encryption root that took it; null: no appliance answered when it was entered.
    pub tried_on: Option<String>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub tried_at: Option<Timestamp>,
    /// Who entered it.
    pub set_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
}

impl From<Kept> for GroupKey {
    fn from(one: Kept) -> Self {
        let (tried_on, tried_at) = one.tried.map(|(root, at)| (root.to_string(), at)).unzip();
        Self { tried_on, tried_at, set_by: one.set_by, set_at: one.set_at }
    }
}

/// A key.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewGroupKey {
    /// The passphrase; or the key in 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub key: SecretString,
}

/// What is known of the key that is kept for a group.
#[utoipa::path(get, path = "/protection-groups/{id}/key", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "The key, but for itself", body = GroupKey)))]
pub async fn one(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<GroupKey>> {
    let key = app.group_key(id).await?;
    let key = key.ok_or_else(|| AppError::NotFound("no key is kept for this group".to_owned()))?;
    Ok(Json(key.into()))
}

/// Keep the key of a group whose datasets are encrypted. It is tried on an appliance first; a wrong one is refused.
#[utoipa::path(put, path = "/protection-groups/{id}/key", tag = "protection-groups", request_body = NewGroupKey,
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "It is kept", body = GroupKey)))]
pub async fn set(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(new): Json<NewGroupKey>,
) -> Answer<Json<GroupKey>> {
    Ok(Json(app.set_group_key(&who, id, new.key).await?.into()))
}

/// Forget the key of a group, for good.
#[utoipa::path(delete, path = "/protection-groups/{id}/key", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = NO_CONTENT, description = "It is forgotten")))]
pub async fn forget(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
) -> Answer<StatusCode> {
    app.forget_group_key(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
