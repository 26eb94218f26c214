//! `/ssh-keys/{id}/rotation`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ssh_keys::SshKey;
use super::{Answer, BASE, created};
use crate::app::ssh_key_rotation::{OnTarget, Rotation};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::SshKeyId;

/// A rotation under way: the new key, and where it has to be installed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SshKeyRotation {
    /// The key whose place is taken.
    pub ssh_key_id: String,
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` of the new key.
    pub fingerprint: String,
    /// The new line for `authorized_keys`.
    pub public_key: String,
    /// What installs it, typed on an appliance by the user who logs in there.
    pub command: String,
    /// The appliances that have to let it in.
    pub targets: Vec<RotationTarget>,
}

/// An appliance in a rotation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotationTarget {
    /// Its id.
    pub target_id: String,
    /// What people call it.
    pub name: String,
    /// Who logs in there.
    pub ssh_username: String,
}

/// How it went on the appliances.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotationInstalled {
    /// One each.
    pub items: Vec<RotationOutcome>,
}

/// How it went on one appliance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotationOutcome {
    /// The appliance.
    pub target_id: String,
    /// What people call it.
    pub name: String,
    /// Whether the new key is there now.
    pub success: bool,
    /// What was done, or why not.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl From<Rotation> for SshKeyRotation {
    fn from(rotation: Rotation) -> Self {
        let target = |target: &crate::domain::target::Target| RotationTarget {
            target_id: target.id.to_string(),
            name: target.name.clone(),
            ssh_username: target.endpoint.user.clone(),
        };
        Self {
            ssh_key_id: rotation.key.id.to_string(),
            command: rotation.command(),
            targets: rotation.targets.iter().map(target).collect(),
            algorithm: rotation.next.algorithm,
            fingerprint: rotation.next.fingerprint,
            public_key: rotation.next.public_key,
        }
    }
}

impl From<OnTarget> for RotationOutcome {
    fn from(on: OnTarget) -> Self {
        let (success, message, advice) = match on.came {
            Ok(message) => (true, message, None),
            Err(failure) => (false, failure.message, failure.advice),
        };
        Self { target_id: on.target.id.to_string(), name: on.target.name, success, message, advice }
    }
}

/// Begin a rotation: a new key is made beside the old one, which stays in use.
#[utoipa::path(post, path = "/ssh-keys/{id}/rotation", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id"),
    ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key begins nothing again")),
    responses((status = CREATED, description = "The rotation", body = SshKeyRotation)))]
pub async fn begin(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<SshKeyId>,
) -> Answer<Response> {
    let rotation = SshKeyRotation::from(app.rotate_ssh_key(&who, id).await?);
    Ok(created(format!("{BASE}/ssh-keys/{id}/rotation"), rotation))
}

/// The rotation of a key that is under way.
#[utoipa::path(get, path = "/ssh-keys/{id}/rotation", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = OK, description = "The rotation", body = SshKeyRotation)))]
pub async fn one(State(app): State<App>, Path(id): Path<SshKeyId>) -> Answer<Json<SshKeyRotation>> {
    let found = app.ssh_key_rotation(id).await?;
    let none = || AppError::NotFound("no rotation of this key is under way".to_owned());
    Ok(Json(found.ok_or_else(none)?.into()))
}

/// Install the new key beside the old one, on every appliance where the old one gets in.
#[utoipa::path(post, path = "/ssh-keys/{id}/rotation/install", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = OK, description = "How it went on each", body = RotationInstalled)))]
pub async fn install(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<SshKeyId>,
) -> Answer<Json<RotationInstalled>> {
    let items = app.install_new_ssh_key(&who, id).await?;
    Ok(Json(RotationInstalled { items: items.into_iter().map(RotationOutcome::from).collect() }))
}

/// Put the new key in the old one's place, once a login with it has worked on every appliance. The old private half is
/// destroyed.
#[utoipa::path(post, path = "/ssh-keys/{id}/rotation/switch", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = OK, description = "The key, as it is now", body = SshKey)))]
pub async fn switch(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<SshKeyId>,
) -> Answer<Json<SshKey>> {
    Ok(Json(app.switch_ssh_key(&who, id).await?.into()))
}

/// Give a rotation up: the new key is destroyed, the old one stays.
#[utoipa::path(delete, path = "/ssh-keys/{id}/rotation", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = NO_CONTENT, description = "It is given up")))]
pub async fn cancel(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<SshKeyId>,
) -> Answer<StatusCode> {
    app.cancel_ssh_key_rotation(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
