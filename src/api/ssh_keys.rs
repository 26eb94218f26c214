//! `/ssh-keys`

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::paging::{List, Paging};
use super::{Answer, BASE, created};
use crate::app::ssh_keys::KeySource;
use crate::app::{App, AppError, Principal};
use crate::domain::ids::SshKeyId;
use crate::domain::ssh_key::SshKey as DomainKey;

/// An SSH key; its private half is never shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SshKey {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// The line for `authorized_keys`.
    pub public_key: String,
    /// Who made or imported it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<DomainKey> for SshKey {
    fn from(key: DomainKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            algorithm: key.algorithm,
            fingerprint: key.fingerprint,
            public_key: key.public_key,
            created_by: key.created_by,
            created_at: key.created_at,
        }
    }
}

/// A new SSH key: either made (`generate`) or imported (`private_key`).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSshKey {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// `ed25519`: make a new one.
    pub generate: Option<String>,
    /// Import this one: OpenSSH or PEM; Ed25519, ECDSA or RSA.
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretString>,
    /// What it is encrypted with.
    #[schema(value_type = Option<String>)]
    pub passphrase: Option<SecretString>,
}

/// SSH keys, by name.
#[utoipa::path(get, path = "/ssh-keys", tag = "ssh-keys", params(Paging),
    responses((status = OK, description = "The keys", body = List<SshKey>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<SshKey>>> {
    let keys = app.ssh_keys().await?.into_iter().map(SshKey::from).collect();
    let part = paging.part(keys, |key: &SshKey, words| {
        key.name.to_lowercase().contains(words) || key.fingerprint.to_lowercase().contains(words)
    })?;
    Ok(Json(part))
}

/// Make or import a key.
#[utoipa::path(post, path = "/ssh-keys", tag = "ssh-keys", request_body = NewSshKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key creates nothing again")),
    responses((status = CREATED, description = "The key", body = SshKey)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(new): Json<NewSshKey>,
) -> Answer<Response> {
    let source = match (new.generate.as_deref(), new.private_key) {
        (Some("ed25519"), None) => KeySource::Generate,
        (Some(_), None) => {
            return Err(AppError::invalid("generate", "Only ed25519 keys are made here.").into());
        }
        (None, Some(private_key)) => KeySource::Import { private_key, passphrase: new.passphrase },
        _ => {
            let message = "Give either `generate` or `private_key`.";
            return Err(AppError::invalid("private_key", message).into());
        }
    };
    let key = SshKey::from(app.add_ssh_key(&who, &new.name, source).await?);
    Ok(created(format!("{BASE}/ssh-keys/{}", key.id), key))
}

/// One key.
#[utoipa::path(get, path = "/ssh-keys/{id}", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = OK, description = "The key", body = SshKey)))]
pub async fn one(State(app): State<App>, Path(id): Path<SshKeyId>) -> Answer<Json<SshKey>> {
    Ok(Json(app.ssh_key(id).await?.into()))
}

/// Delete a key that is not in use, with its private half.
#[utoipa::path(delete, path = "/ssh-keys/{id}", tag = "ssh-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = NO_CONTENT, description = "It is gone")))]
pub async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<SshKeyId>,
) -> Answer<StatusCode> {
    app.delete_ssh_key(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
