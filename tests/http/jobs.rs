//! Jobs that one watches, stops and tries again: a replication that cannot succeed, because there is nothing of that name.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use tower::ServiceExt;
use zerfaux::app::App;
use zerfaux::domain::access::Role;
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::JobState;

use super::site::{HOST, Site};

/// A replication on this very machine, where nothing is called that.
pub async fn enqueue(app: &App) -> JobId {
    let input = serde_json::from_value(input()).unwrap();
    app.start_replication(&input, "operator").await.unwrap()
}

fn input() -> serde_json::Value {
    let location = |dataset: &str| serde_json::json!({ "host": "local", "dataset": dataset });
    serde_json::json!({
        "source": location("no-such-pool/tank/vm"), "destination": location("no-such-pool/backup/vm"),
    })
}

#[tokio::test]
async fn a_job_is_watched_live_and_the_stream_ends_with_it() {
    let site = Site::new().await;
    let token = site.token("t", Role::Viewer).await;
    let id = enqueue(&site.app).await;
    let request = Request::builder()
        .uri(format!("/api/replication/jobs/{id}/events"))
        .header("host", HOST)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap();
    let response = site.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let first = stream.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("\"queued\""), "{first:?}");
    site.app.run_until_idle().await.unwrap();
    let mut text = String::new();
    while let Some(part) = tokio::time::timeout(Duration::from_secs(60), stream.next()).await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&part.unwrap()));
    }
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert!(events.contains(&"state") && events.contains(&"console"), "{text}");
    assert_eq!(events.last(), Some(&"end"), "{text}");
    // Every line of the console came once, in order.
    let ids: Vec<i64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    let lines = site.app.console(id, 0, 10_000).await.unwrap();
    assert_eq!(ids, lines.iter().map(|line| line.seq).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_does_not_hold_up_the_end_of_the_service() {
    let site = Site::new().await;
    let token = site.token("t", Role::Viewer).await;
    let id = enqueue(&site.app).await;
    let request = Request::builder()
        .uri(format!("/api/replication/jobs/{id}/events"))
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap();
    let response = site.router.clone().oneshot(request).await.unwrap();
    let mut stream = response.into_body().into_data_stream();
    site.closing.cancel();
    let ended = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the stream ends");
}

#[tokio::test]
async fn a_failed_job_says_why_and_can_be_retried_by_those_who_may() {
    let site = Site::new().await;
    let id = enqueue(&site.app).await;
    site.app.run_until_idle().await.unwrap();
    let job = site.app.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    let why = job.failure.unwrap().message;
    let address = format!("/jobs/{id}");
    let mut viewer = site.signed_in("viewer").await;
    let page = viewer.get(&address).await.expect(200).says("Failed in look");
    assert!(!page.text.contains("/retry"), "no button for a viewer");
    viewer.post(&format!("{address}/retry"), &[]).await.expect(403);
    let mut operator = site.signed_in("operator").await;
    operator.get(&address).await.expect(200).says("Retry from look");
    operator.post(&format!("{address}/retry"), &[]).await.leads_to(&address);
    operator.get(&address).await.expect(200).says("The job is queued again.");
    let page = operator.get(&address).await.expect(200);
    assert!(!page.text.contains("The job is queued again."), "a message is shown once");
    operator.post(&format!("{address}/cancel"), &[]).await.leads_to(&address);
    assert_eq!(site.app.job(id).await.unwrap().state, JobState::Cancelled);
    operator.post(&format!("{address}/cancel"), &[]).await.expect(409);
    let console = operator.get(&format!("{address}/console.txt")).await.expect(200);
    assert!(console.header("content-disposition").contains("attachment"));
    let token = site.token("t", Role::Viewer).await;
    let api = site.program(&token, "GET", &format!("/api/replication{address}"), None).await.json();
    for key in [
        "id",
        "kind",
        "state",
        "phase",
        "progress_percent",
        "details",
        "result",
        "error",
        "failed_phase",
        "advice",
        "warnings",
        "created_by",
        "created_at",
        "started_at",
        "finished_at",
    ] {
        assert!(api.get(key).is_some(), "{key} is in {api}");
    }
    assert_eq!(api["state"], "cancelled");
    assert!(!why.is_empty());
    let (lines, _) = site.app.audit_lines(&Default::default()).await.unwrap();
    let actions: Vec<_> =
        lines.iter().map(|line| (line.entry.action.as_str(), line.entry.outcome.as_str())).collect();
    assert!(
        actions.contains(&("job.retry", "done")) && actions.contains(&("job.cancel", "refused")),
        "{actions:?}"
    );
}

#[tokio::test]
async fn the_list_is_searched_filtered_and_paged_by_its_address() {
    let site = Site::new().await;
    for _ in 0..30 {
        enqueue(&site.app).await;
    }
    let mut viewer = site.signed_in("viewer").await;
    let page = viewer.get("/jobs").await.expect(200).says("of 30");
    assert!(page.text.contains("page=2"));
    let fragment = viewer.ask("GET", "/jobs?page=2", None, &[("hx-request", "true")]).await.expect(200);
    assert!(!fragment.text.contains("<html") && fragment.text.contains("26–30 of 30"), "{}", fragment.text);
    viewer.get("/jobs?state=failed").await.expect(200).says("No job matches");
    viewer.get("/jobs?q=TANK/vm").await.expect(200).says("of 30");
    let token = site.token("t", Role::Viewer).await;
    let list = site.program(&token, "GET", "/api/replication/jobs?limit=20&state=queued", None).await.json();
    assert_eq!((list["total"].as_u64(), list["items"].as_array().unwrap().len()), (Some(30), 20));
    let next = list["next"].as_str().unwrap();
    let rest = site
        .program(&token, "GET", &format!("/api/replication/jobs?limit=20&cursor={next}"), None)
        .await
        .json();
    assert_eq!((rest["items"].as_array().unwrap().len(), rest["next"].is_null()), (10, true));
}
