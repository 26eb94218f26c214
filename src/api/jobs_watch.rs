//! `/jobs/{id}/events`: a job as it goes, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::Answer;
use super::jobs::After;
use crate::app::{App, Principal};
use crate::domain::ids::JobId;

/// How often it is asked whether the reader may still read.
const ASKED: Duration = Duration::from_secs(15);

/// A job as it goes: the events `state`, `phase`, `progress`, `console`, and `end` when nothing more will come.
///
/// What is known already comes first. The id of an event is the number of the last console line, so that a reader
/// that was cut off goes on behind it (`Last-Event-ID`, or `after`).
#[utoipa::path(get, path = "/jobs/{id}/events", tag = "jobs", params(("id" = String, Path, description = "The job's id"), After),
    responses((status = OK, description = "The events, until the job has ended", body = String, content_type = "text/event-stream")))]
pub async fn events(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(closing): Extension<CancellationToken>,
    Path(id): Path<JobId>,
    Query(which): Query<After>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let after = seen.or(which.after).unwrap_or(0).max(0);
    let following = app.follow_job(id, after).await?;
    let events = following.map(|event| {
        let data = serde_json::to_string(&event).unwrap_or_default();
        let told = Event::default().event(event.name()).data(data);
        Ok(match event.seq() {
            Some(seq) => told.id(seq.to_string()),
            None => told,
        })
    });
    let stream = while_good(events.boxed(), app, who, closing);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}

/// The same stream until the service stops or the reader's session is over.
fn while_good<S>(
    stream: S,
    app: App,
    who: Principal,
    closing: CancellationToken,
) -> impl Stream<Item = S::Item>
where
    S: Stream + Unpin,
{
    let mut asked = tokio::time::interval(ASKED);
    asked.reset();
    unfold((stream, app, who, closing, asked), |(mut stream, app, who, closing, mut asked)| async move {
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => return None,
                item = stream.next() => return item.map(|item| (item, (stream, app, who, closing, asked))),
                _ = asked.tick() => {
                    if !app.still_good(&who).await.unwrap_or(false) {
                        return None;
                    }
                }
            }
        }
    })
}
