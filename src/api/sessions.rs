//! `/session` and `/sessions`: who asks, and where else they are signed in.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::paging::{List, Paging};
use crate::app::{App, Principal};
use crate::domain::ids::SessionId;

/// Who asks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The user's or the token's name.
    pub name: String,
    /// `admin`, `operator` or `viewer`.
    pub role: String,
    /// `session` or `token`.
    pub via: String,
}

/// A signed-in browser.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// From where.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// When they signed in.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was used last.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/session", tag = "sessions",
    responses((status = OK, description = "Who asks", body = Whoami)))]
pub async fn whoami(Extension(who): Extension<Principal>) -> Json<Whoami> {
    let via = if who.session().is_some() { "session" } else { "token" };
    Json(Whoami { name: who.name, role: who.role.to_string(), via: via.to_owned() })
}

/// One's own sessions. Empty for a token.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(Paging),
    responses((status = OK, description = "The sessions", body = List<Session>)))]
pub async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<Session>>> {
    let current = who.session().map(|(id, _)| id);
    let sessions = app.own_sessions(&who).await?.into_iter().map(|session| Session {
        id: session.id.to_string(),
        address: session.address,
        agent: session.agent,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        current: current == Some(session.id),
    });
    Ok(Json(paging.part(sessions.collect(), |session: &Session, words| session.address.contains(words))?))
}

/// End one of one's own sessions.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session's id")),
    responses((status = NO_CONTENT, description = "It has ended")))]
pub async fn end(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<SessionId>,
) -> Answer<StatusCode> {
    app.end_session(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
