//! Whether a changing request of a browser comes from one of our own pages.
//!
//! Two independent proofs: the browser's own word (`Sec-Fetch-Site`, else `Origin`), and a token that only our pages
//! hold, in the field `csrf` of a form or in the header `X-CSRF-Token`. A request with a bearer token needs neither,
//! because no browser sends one by itself.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::AppError;
use crate::auth::secret::equal;
use crate::auth::table::{Need, need};
use crate::web::carried::Carried;
use crate::web::{Caller, Trouble};

/// Most bytes of a request with a form.
pub(super) const LARGEST: usize = 1024 * 1024;
/// The header that carries the token.
const HEADER: &str = "x-csrf-token";
/// The field that carries it.
const FIELD: &str = "csrf";

/// Refuses changing requests that come from elsewhere.
pub(super) async fn require_own_page(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
    if !changes || caller.by_token {
        return next.run(request).await;
    }
    if let Some(why) = foreign(request.headers(), request.uri()) {
        return refuse(why);
    }
    if caller.principal.is_none() && request.uri().path().starts_with("/api/") {
        // A program that forgot its token: nothing under /api/ changes for nobody, and the next layer says so (401).
        return next.run(request).await;
    }
    let Some(expected) = caller.form_token else { return refuse("no cookie came with it") };
    if let Some(sent) = request.headers().get(HEADER).and_then(|value| value.to_str().ok()) {
        return match equal(sent, &expected) {
            true => next.run(request).await,
            false => refuse("its token is not the one of this session"),
        };
    }
    let is_form = request
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return refuse("it carries no token");
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST).await else {
        return refuse("it is too large");
    };
    // A page of ours whose session has ended: what was typed is carried through the sign-in.
    let by_script = parts.headers.contains_key("hx-request");
    if caller.principal.is_none() && !by_script && needs_somebody(&parts) && is_own(&parts.headers) {
        let fields = fields_of(&bytes).await.unwrap_or_default();
        let page = super::guard::referring_page(&parts.headers);
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| name != FIELD).collect();
        let carried = Carried { action: parts.uri.path().to_owned(), page, fields };
        if !carried.is_harmless() {
            return super::guard::lead_to_sign_in(&parts.headers);
        }
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        response.extensions_mut().insert(carried);
        return response;
    }
    match token_in(&bytes).await {
        Some(sent) if equal(&sent, &expected) => {
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        Some(_) => refuse("its token is not the one of this session"),
        None => refuse("it carries no token"),
    }
}

fn refuse(why: &str) -> Response {
    let message = format!(
        "The request does not come from a page of this session: {why}. Load the page again and repeat what you did."
    );
    Trouble(AppError::Denied(message)).into_response()
}

/// Why the browser's own word speaks against the request.
fn foreign(headers: &HeaderMap, uri: &Uri) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return Some("the browser says that another site sent it");
    }
    let origin = headers.get("origin")?;
    // HTTP/2 has the pseudo-header `:authority` instead (RFC 9113, section 8.3.1), which comes as part of the address.
    let host = text("host").or_else(|| uri.authority().map(Authority::as_str));
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    // Compared by host and port: behind a proxy the scheme may differ.
    if own.is_some() && own == host { None } else { Some("its origin is another site") }
}

/// Whether the browser's own word speaks for the request, and does not only not speak against it.
fn is_own(headers: &HeaderMap) -> bool {
    headers.contains_key("origin") || headers.contains_key("sec-fetch-site")
}

fn needs_somebody(parts: &Parts) -> bool {
    let path = parts.extensions.get::<MatchedPath>();
    let need = path.and_then(|path| need(parts.method.as_str(), path.as_str()));
    !matches!(need, None | Some(Need::Nobody))
}

async fn token_in(body: &Bytes) -> Option<String> {
    fields_of(body).await?.into_iter().find(|(name, _)| name == FIELD).map(|(_, value)| value)
}

async fn fields_of(body: &Bytes) -> Option<Vec<(String, String)>> {
    // Through axum's own reader, so that what is checked is what the handler will read.
    let request = Request::builder()
        .method(Method::POST)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body.clone()))
        .ok()?;
    let axum::Form(fields) = axum::Form::<Vec<(String, String)>>::from_request(request, &()).await.ok()?;
    Some(fields)
}
