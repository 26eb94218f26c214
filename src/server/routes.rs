//! The one router: pages, API, monitoring, and the layers around them.

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::identify::Identify;
use super::metrics::Metrics;
use super::monitor::{self, Monitor};
use super::{Options, Tls, draw, forms, guard, headers, identify, record};
use crate::app::App;
use crate::web::Site;
use crate::web::cookies::Cookies;

/// Longest time to the first byte of an answer.
const LONGEST: Duration = Duration::from_secs(60);

/// The router and the list of what it knows.
#[derive(Debug)]
pub struct Routes {
    /// Ready to be served.
    pub router: Router,
    /// Every method and path in it, as the router writes them.
    pub listed: Vec<(String, String)>,
}

/// Puts everything together. `closing` ends streams that would hold up the end of the service.
pub fn router(app: App, options: &Options, closing: CancellationToken) -> Routes {
    let secure = options.tls != Tls::Off;
    let (metrics, cookies) = (Metrics::new(), Cookies::new(secure));
    let site = Site { app: app.clone(), cookies, simulated: options.simulated };
    let (api, description) = crate::api::router(app.clone());
    let (pages, mut listed) = crate::web::router(site.clone(), &description);
    listed.extend(crate::api::listed(&description));
    let own = Monitor { app: app.clone(), metrics: metrics.clone(), closing: closing.clone() };
    let monitoring = Router::new()
        .route("/healthz", get(monitor::alive))
        .route("/readyz", get(monitor::ready))
        .route("/metrics", get(monitor::metrics))
        .with_state(own);
    listed.extend(["/healthz", "/readyz", "/metrics"].map(|path| ("GET".to_owned(), path.to_owned())));
    // The last layer added is the first that a request meets.
    let router = pages
        .merge(api)
        .merge(monitoring)
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(middleware::from_fn(forms::require_own_page))
        .layer(RequestBodyLimitLayer::new(forms::LARGEST))
        .layer(middleware::from_fn_with_state(Identify { app, cookies }, identify::identify))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(site, draw::draw))
        .layer(middleware::from_fn_with_state(secure, headers::headers))
        .layer(middleware::from_fn_with_state(metrics, record::record))
        .layer(Extension(closing));
    Routes { router, listed }
}

/// A handler that panics is a bug; its message stays in the log, because it may hold anything.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!("a request panicked: {words}");
    let mut response = axum::response::Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
