//! An error becomes what the one who asked can read: a page, or a problem document.

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::problem::{self, Problem, ProblemField};
use crate::app::{AppError, Pending};
use crate::domain::causes::with_causes;
use crate::web::carried::{self, Carried};
use crate::web::errors::Told;
use crate::web::{Caller, RequestId, Site};

/// Most characters of somebody else's message that are shown.
const MOST: usize = 2000;

/// Draws errors that handlers and layers returned, and those that axum makes itself.
pub(super) async fn draw(State(site): State<Site>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let path = request.uri().path().to_owned();
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let cookies = request.headers().clone();
    let mut response = next.run(request).await;
    if let Some(carried) = response.extensions_mut().remove::<Carried>() {
        let caller = response.extensions_mut().remove::<Caller>();
        return carried::sign_in(&site, caller.as_ref(), &cookies, carried).await;
    }
    let status = response.status();
    let told = match response.extensions_mut().remove::<Pending>() {
        Some(Pending(error)) => {
            if let AppError::TooMany { until } = error.as_ref() {
                let seconds = until.duration_since(site.app.now()).as_secs().max(1);
                response.headers_mut().insert("retry-after", seconds.into());
            }
            if status.is_server_error() {
                tracing::error!(id = %id.0, path, "could not answer: {}", with_causes(error.as_ref()));
            }
            Told::of(&error)
        }
        None if (status.is_client_error() || status.is_server_error()) && is_bare(&response) => {
            let (parts, body) = response.into_parts();
            let text = to_bytes(body, 64 * 1024).await.unwrap_or_default();
            let text: String = String::from_utf8_lossy(&text).chars().take(MOST).collect();
            response = Response::from_parts(parts, axum::body::Body::empty());
            Told::of_status(status.as_u16(), text)
        }
        None => return response,
    };
    let caller = response.extensions_mut().remove::<Caller>();
    let mut drawn = match is_api {
        true => problem::response(&document(&told, &id)),
        false => crate::web::errors::page(&site, caller.as_ref(), &cookies, &path, &told, &id).await,
    };
    // Among them Retry-After, Allow, WWW-Authenticate, HX-Redirect, Set-Cookie.
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE && name != "content-length" && !drawn.headers().contains_key(name) {
            drawn.headers_mut().append(name.clone(), value.clone());
        }
    }
    drawn
}

/// Whether the answer is not yet in the form that its reader expects.
fn is_bare(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let redirected = response.headers().contains_key("hx-redirect");
    !redirected && !kind.starts_with("text/html") && !kind.contains("json")
}

fn document(told: &Told, id: &RequestId) -> Problem {
    let field =
        |(field, message): &(String, String)| ProblemField { field: field.clone(), message: message.clone() };
    Problem {
        kind: format!("urn:zerfaux:problem/{}", told.code),
        title: told.title.clone(),
        status: told.status,
        detail: told.what.clone(),
        advice: told.advice.clone(),
        errors: told.fields.iter().map(field).collect(),
        facts: told.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        request_id: id.0.clone(),
    }
}
