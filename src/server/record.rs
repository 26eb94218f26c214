//! Each request has an id, which stands in the log and on error pages, and is counted.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use uuid::Uuid;

use super::metrics::Metrics;
use crate::web::RequestId;

/// Gives the request its id, and writes down how it went. Paths are logged as the router writes them, because an
/// address may hold a setup code.
pub(super) async fn record(State(metrics): State<Metrics>, mut request: Request, next: Next) -> Response {
    let id = RequestId(Uuid::now_v7().simple().to_string());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    request.extensions_mut().insert(id.clone());
    let began = Instant::now();
    let span = tracing::info_span!("request", id = %id.0);
    let mut response = next.run(request).instrument(span).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    metrics.count(method.as_str(), &route, status, took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::error!(id = %id.0, %method, route, status, took_ms, "a request failed");
    } else if method.is_safe() {
        tracing::debug!(id = %id.0, %method, route, status, took_ms, "a request");
    } else {
        tracing::info!(id = %id.0, %method, route, status, took_ms, "a request");
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
