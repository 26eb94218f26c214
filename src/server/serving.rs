//! Serves connections, each in a task of its own. Who begins a request and does not finish its head is let go, so that
//! nobody holds a place by sending a byte now and then.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::listener::{Accepting, Connection, Peer};

/// Longest time from the first byte of a request to the end of its head. Between requests, too: a browser that is quiet
/// for so long opens a new connection when it wants something.
const HEAD: Duration = Duration::from_secs(20);
/// How often an HTTP/2 connection is asked whether it still lives, and how long its answer may take.
const ASKED: Duration = Duration::from_secs(30);

/// Serves until `closing` fires; then requests under way are finished.
pub(super) async fn serve(mut listener: Accepting, router: Router, closing: CancellationToken) {
    let (tasks, builder) = (TaskTracker::new(), builder());
    loop {
        let (connection, peer) = tokio::select! {
            () = closing.cancelled() => break,
            next = listener.next() => next,
        };
        tasks.spawn(converse(builder.clone(), connection, peer, router.clone(), closing.clone()));
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(ASKED).keep_alive_timeout(ASKED);
    builder
}

async fn converse(
    builder: Builder<TokioExecutor>,
    connection: Connection,
    peer: SocketAddr,
    router: Router,
    closing: CancellationToken,
) {
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        request.map(Body::new)
    });
    let mut serving =
        pin!(builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = closing.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
