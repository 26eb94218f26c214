//! HTTP on accepted connections: with a limit on how long a client may take to send the head of a request, so that
//! slow ones cannot hold every place (RFC 9110 leaves that to the server; 408 is not sent, the connection is closed).

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::serve::Listener as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::listener::{Accepting, Connection, Peer};

/// Longest time for the head of a request, from when the connection waits for one.
pub(super) const HEAD: Duration = Duration::from_secs(30);
/// A peer that is silent for so long on HTTP/2 is asked whether it is still there, and has as long to answer.
const STILL_THERE: Duration = Duration::from_secs(30);

/// Serves connections until `closing` fires; then requests under way are finished.
pub(super) async fn serve(mut listener: Accepting, router: Router, closing: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => break,
            (connection, peer) = listener.accept() => {
                let (router, closing) = (router.clone(), closing.clone());
                connections.spawn(one(connection, Peer(peer), router, closing));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
    // Nobody new; those in the queue are turned away.
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn one(connection: Connection, peer: Peer, router: Router, closing: CancellationToken) {
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(STILL_THERE).keep_alive_timeout(STILL_THERE);
    // Said in the handshake, so that nobody has to wait for a first byte that does not come.
    let builder = if connection.speaks_http2() { builder.http2_only() } else { builder.http1_only() };
    let served = builder.serve_connection(TokioIo::new(connection), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.0, error, "a connection ended early");
    }
}
