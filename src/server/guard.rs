//! Whether they may: the table in `auth`, before any handler runs.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::{App, AppError, Principal};
use crate::auth::table::{Need, methods, need};
use crate::auth::{Via, limits};
use crate::domain::access::Role;
use crate::web::view::list::in_query;
use crate::web::{Caller, Trouble};

/// Lets a request through if the table says so.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    // Requests that match no route reach no handler: the fallback answers them with "not found".
    let Some(path) = request.extensions().get::<MatchedPath>() else { return next.run(request).await };
    let Some(need) = need(request.method().as_str(), path.as_str()) else {
        // The address is known, its method is not: whatever the router has there, it is not reached.
        let methods = methods(path.as_str());
        if !methods.is_empty() {
            return (StatusCode::METHOD_NOT_ALLOWED, [("allow", methods.join(", "))]).into_response();
        }
        tracing::error!(path = path.as_str(), method = %request.method(), "a route is missing in the table of access");
        return Trouble(AppError::Denied("Nobody may ask for this.".into())).into_response();
    };
    let who = request.extensions().get::<Principal>();
    let refused = match (need, who) {
        (Need::Nobody, _) => None,
        (Need::Role(_) | Need::Confirmed(_), None) => Some(who_are_you(&request)),
        (Need::Role(role), Some(who)) => denied(who, role),
        (Need::Confirmed(role), Some(who)) => denied(who, role).or_else(|| unconfirmed(&app, who, &request)),
    };
    match refused {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

fn denied(who: &Principal, role: Role) -> Option<Response> {
    (who.role < role).then(|| {
        let message = format!("This needs the role {role}; {} has the role {}.", who.name, who.role);
        Trouble(AppError::Denied(message)).into_response()
    })
}

fn is_api(request: &Request) -> bool {
    request.uri().path().starts_with("/api/")
}

/// A program hears 401; a browser is led to the sign-in, and back afterwards.
fn who_are_you(request: &Request) -> Response {
    let by_token = request.extensions().get::<Caller>().is_some_and(|caller| caller.by_token);
    if is_api(request) || by_token {
        let mut response = Trouble(AppError::SignInNeeded).into_response();
        response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        return response;
    }
    lead_to("/sign-in", request)
}

/// A dangerous action in a browser wants the password typed a short while ago. A token has no password.
fn unconfirmed(app: &App, who: &Principal, request: &Request) -> Option<Response> {
    let Via::Session { confirmed_at, .. } = who.via else { return None };
    if limits::is_confirmed(confirmed_at, app.now()) {
        return None;
    }
    if is_api(request) {
        return Some(Trouble(AppError::ConfirmationNeeded).into_response());
    }
    Some(lead_to("/step-up", request))
}

fn lead_to(page: &str, request: &Request) -> Response {
    let wanted = match request.method().as_str() {
        "GET" => request.uri().path_and_query().map_or("/", |address| address.as_str()).to_owned(),
        // What was typed into a form is not carried over; its page is where one goes on.
        _ => referring_page(request.headers()),
    };
    let address = format!("{page}?next={}", in_query(&wanted));
    if request.headers().contains_key("hx-request") {
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        if let Ok(address) = HeaderValue::from_str(&address) {
            response.headers_mut().insert("hx-redirect", address);
        }
        return response;
    }
    Redirect::to(&address).into_response()
}

/// The sign-in, and back to the page afterwards on which a form stands.
pub(super) fn lead_to_sign_in(headers: &HeaderMap) -> Response {
    Redirect::to(&format!("/sign-in?next={}", in_query(&referring_page(headers)))).into_response()
}

pub(super) fn referring_page(headers: &HeaderMap) -> String {
    let referer = headers.get("referer").and_then(|value| value.to_str().ok());
    let uri = referer.and_then(|referer| referer.parse::<axum::http::Uri>().ok());
    uri.and_then(|uri| Some(uri.path_and_query()?.as_str().to_owned()))
        .unwrap_or_else(|| "/replication".into())
}
