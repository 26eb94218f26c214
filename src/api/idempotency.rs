//! `Idempotency-Key`: a creating request that is repeated, because its answer was lost, creates nothing again.
//!
//! Not for tokens: their answer holds what must be kept nowhere, and their names are unique anyway.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{BASE, Trouble};
use crate::app::requests::{KeptAnswer, Repeat};
use crate::app::{App, AppError, Principal};

const HEADER: &str = "idempotency-key";
/// Longest key.
const LONGEST: usize = 200;
/// Largest request or answer.
const LARGEST: usize = 1024 * 1024;

/// Answers a repeated request as the first time.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let key = request.headers().get(HEADER).and_then(|key| key.to_str().ok()).map(str::to_owned);
    let who = request.extensions().get::<Principal>().cloned();
    let kept =
        request.method() == axum::http::Method::POST && request.uri().path() != format!("{BASE}/tokens");
    match (key, who) {
        (Some(key), Some(who)) if kept => answer(app, who, key, request, next).await,
        _ => next.run(request).await,
    }
}

async fn answer(app: App, who: Principal, key: String, request: Request, next: Next) -> Response {
    if key.is_empty() || key.len() > LONGEST {
        return refuse(AppError::invalid("Idempotency-Key", format!("A key has 1 to {LONGEST} characters.")));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let digest = Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update(" ")
        .chain_update(parts.uri.to_string())
        .chain_update("\n")
        .chain_update(&body)
        .finalize();
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match app.begin_request(&who, &key, hash).await {
        Err(error) => return refuse(error),
        Ok(Repeat::Other) => {
            let message = "This key was used for another request: choose a new one for each.";
            return refuse(AppError::invalid("Idempotency-Key", message));
        }
        Ok(Repeat::UnderWay) => {
            return refuse(AppError::Conflict("the first request with this key is still being done".into()));
        }
        Ok(Repeat::Answered(kept)) => return again(kept),
        Ok(Repeat::First) => {}
    }
    // A caller that goes away must not stop it half-way: the key would stay "being done".
    let doing = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, LARGEST).await.unwrap_or_default();
        let kept = parts.status.is_success().then(|| KeptAnswer {
            status: parts.status.as_u16(),
            location: parts.headers.get("location").and_then(|value| value.to_str().ok()).map(str::to_owned),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        if let Err(error) = app.end_request(&who, &key, kept).await {
            tracing::error!("the answer to a request with a key was not kept: {error}");
        }
        Response::from_parts(parts, Body::from(body))
    });
    doing.await.unwrap_or_else(|_lost| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn again(kept: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, [("content-type", "application/json")], kept.body).into_response();
    if let Some(location) = kept.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert("location", location);
    }
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

fn refuse(error: AppError) -> Response {
    Trouble(error).into_response()
}
