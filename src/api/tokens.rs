//! `/tokens`

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::paging::{List, Paging};
use super::users::RoleName;
use super::{Answer, BASE, created};
use crate::app::{App, Principal};
use crate::domain::access::Token as DomainToken;

/// What a program comes in with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// `admin`, `operator` or `viewer`.
    #[schema(value_type = RoleName)]
    pub role: String,
    /// Its first characters, by which one recognises it.
    pub prefix: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Until when it is good; null means until it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was used last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl From<DomainToken> for Token {
    fn from(token: DomainToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.to_string(),
            role: token.role.to_string(),
            prefix: token.prefix,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for: letters, digits, `.`, `_`, `-`, `@`.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// `admin`, `operator` or `viewer`.
    #[schema(value_type = RoleName)]
    pub role: String,
    /// For how many days it is good; until it is revoked unless given.
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_days: Option<i64>,
}

/// A token that was just made, with its text, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeToken {
    /// The text that the program sends. Kept nowhere.
    pub token: String,
    /// All else about it.
    #[serde(flatten)]
    pub about: Token,
}

/// Tokens, by name.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(Paging),
    responses((status = OK, description = "The tokens", body = List<Token>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<Token>>> {
    let tokens = app.tokens().await?.into_iter().map(Token::from).collect();
    Ok(Json(paging.part(tokens, |token: &Token, words| token.name.contains(words))?))
}

/// Make a token. Its name can never be used again.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewToken,
    responses((status = CREATED, description = "The token, shown this once", body = MadeToken)))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(new): Json<NewToken>,
) -> Answer<Response> {
    let (token, secret) = app.create_token(&who, &new.name, &new.role, new.expires_days).await?;
    let about = Token::from(token);
    let location = format!("{BASE}/tokens/{}", about.name);
    Ok(created(location, MadeToken { token: secret.reveal().to_owned(), about }))
}

/// Revoke a token, for good.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "tokens", params(("name" = String, Path, description = "The token's name")),
    responses((status = NO_CONTENT, description = "It is no longer good")))]
pub async fn revoke(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    app.revoke_token(&who, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
