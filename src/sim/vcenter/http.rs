//! HTTP in front of the service: one address for SOAP, one that says which versions there are.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;

use super::rules::Cut;
use super::service::Service;
use super::tls::Scissors;

/// The largest request, in bytes.
const LARGEST: usize = 4 << 20;

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/sdk", post(sdk))
        .route("/sdk/", post(sdk))
        .route("/sdk/vimServiceVersions.xml", get(versions))
        .with_state(service)
}

async fn versions(State(service): State<Arc<Service>>) -> Response {
    let version = service.with(|state| state.world.options.api_version.clone());
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<namespaces version=\"1.0\">\n <namespace>\n  <name>urn:vim25</name>\n  \
         <version>{version}</version>\n  <priorVersions>\n   <version>7.0.3.0</version>\n   <version>6.7</version>\n   \
         <version>6.5</version>\n   <version>6.0</version>\n  </priorVersions>\n </namespace>\n</namespaces>\n"
    );
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

/// The session that a client says it has; quoted or bare.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("vmware_soap_session="))
        .map(|value| value.trim_matches('"').to_owned())
        .next()
}

async fn sdk(
    State(service): State<Arc<Service>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let Ok(body) = to_bytes(request.into_body(), LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let reply = service.call(cookie(&headers).as_deref(), agent, &text).await;
    let mut response = Response::builder()
        .status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-cache");
    if let Some(cookie) = &reply.cookie {
        let value = format!("vmware_soap_session=\"{cookie}\"; Path=/; HttpOnly; Secure;");
        response = response.header(header::SET_COOKIE, value);
    }
    let body = match reply.cut {
        None => Body::from(reply.body),
        Some(Cut::Middle) => {
            let half = reply.body.len() / 2;
            let half = Bytes::copy_from_slice(&reply.body.as_bytes()[..half]);
            response = response.header(header::CONTENT_LENGTH, reply.body.len());
            let parts = [Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
            Body::from_stream(stream::iter(parts))
        }
        Some(Cut::Before | Cut::Answer) => {
            scissors.cut();
            Body::empty()
        }
    };
    response.body(body).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
