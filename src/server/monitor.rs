//! For load balancers and monitoring: alive, ready, numbers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::app::App;
use crate::domain::causes::with_causes;
use crate::web::Trouble;

/// What the three need.
#[derive(Clone)]
pub(super) struct Monitor {
    pub(super) app: App,
    pub(super) metrics: Metrics,
    pub(super) closing: CancellationToken,
}

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests can be served: the database answers, and the service is not stopping.
pub(super) async fn ready(State(this): State<Monitor>) -> Response {
    if this.closing.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match this.app.is_ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!("not ready: {}", with_causes(&error));
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// The numbers.
pub(super) async fn metrics(State(this): State<Monitor>) -> Result<Response, Trouble> {
    let text = this.metrics.text(&this.app).await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([("content-type", kind)], text).into_response())
}
