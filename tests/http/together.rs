//! R8: twenty people at once on the same things. Of two actions that exclude each other one is done, the other is told
//! why not; nothing breaks. `ZERFAUX_TOGETHER_SECONDS` makes it longer (`tests/campaign together`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zerfaux::domain::access::Role;
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::JobState;

use super::jobs::enqueue;
use super::site::{PASSWORD, Site};

const PEOPLE: usize = 20;

/// The installation, and twenty programs with the role admin.
struct Crowd {
    site: Arc<Site>,
    tokens: Vec<String>,
}

/// What one of them asked, and what came of it.
struct Said {
    status: u16,
    problem: Value,
}

impl Crowd {
    async fn new() -> Self {
        let site = Site::new().await;
        let mut tokens = Vec::new();
        for n in 0..PEOPLE {
            tokens.push(site.token(&format!("person-{n}"), Role::Admin).await);
        }
        Self { site: Arc::new(site), tokens }
    }

    /// All ask at once; what each asks is told by its number.
    async fn all(&self, request: impl Fn(usize) -> (&'static str, String, Option<Value>)) -> Vec<Said> {
        let asked = self.tokens.iter().enumerate().map(|(n, token)| {
            let (method, path, body) = request(n);
            let (site, token) = (Arc::clone(&self.site), token.clone());
            tokio::spawn(async move {
                let got = site.program(&token, method, &path, body).await;
                let status = got.status.as_u16();
                assert!(status < 500, "{method} {path}: {status} {}", got.text);
                let problem = if status >= 400 { got.json() } else { Value::Null };
                if status >= 400 {
                    let detail = problem["detail"].as_str().unwrap_or_default();
                    assert!(detail.len() > 10, "{method} {path} is refused without a reason: {problem}");
                }
                Said { status, problem }
            })
        });
        let mut all = Vec::new();
        for one in asked.collect::<Vec<_>>() {
            all.push(one.await.unwrap());
        }
        all
    }

    /// One was done; all others were refused, because of what the one had done.
    #[track_caller]
    fn one_wins(said: &[Said], what: &str, refused: &[u16]) {
        let done = said.iter().filter(|one| one.status < 300).count();
        let reasons: BTreeSet<&str> = said.iter().filter_map(|one| one.problem["detail"].as_str()).collect();
        assert_eq!(done, 1, "{what}: {done} were done; {reasons:?}");
        for one in said.iter().filter(|one| one.status >= 300) {
            assert!(refused.contains(&one.status), "{what}: {} {}", one.status, one.problem);
        }
    }
}

fn seconds() -> Duration {
    let asked = std::env::var("ZERFAUX_TOGETHER_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(3))
}

async fn state(crowd: &Crowd, id: JobId) -> JobState {
    crowd.site.app.job(id).await.unwrap().state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_people_who_do_the_same_to_the_same_thing_one_wins() {
    let crowd = Crowd::new().await;
    let until = Instant::now() + seconds();
    let mut round = 0;
    while round < 2 || Instant::now() < until {
        round += 1;
        // The same name for something new.
        let keys = "/api/replication/ssh-keys".to_owned();
        let body = json!({ "name": format!("key {round}"), "generate": "ed25519" });
        let said = crowd.all(|_| ("POST", keys.clone(), Some(body.clone()))).await;
        Crowd::one_wins(&said, "a key of one name", &[409]);
        let all = crowd
            .site
            .program(&crowd.tokens[0], "GET", &format!("{keys}?q=key%20{round}"), None)
            .await
            .json();
        let id = all["items"][0]["id"].as_str().unwrap().to_owned();
        let said = crowd.all(|_| ("DELETE", format!("{keys}/{id}"), None)).await;
        Crowd::one_wins(&said, "deleting a key", &[404, 409]);

        let body = json!({ "name": format!("ben-{round}"), "role": "viewer", "password": PASSWORD });
        let said = match round {
            // Twenty hashes of a password take a while: not in every round.
            1 => crowd.all(|_| ("POST", "/api/replication/users".to_owned(), Some(body.clone()))).await,
            _ => Vec::new(),
        };
        if !said.is_empty() {
            Crowd::one_wins(&said, "a user of one name", &[409]);
        }

        // A job that waits: one stops it; it has ended: one begins it again.
        let id = enqueue(&crowd.site.app).await;
        let said = crowd.all(|_| ("POST", format!("/api/replication/jobs/{id}/cancel"), None)).await;
        Crowd::one_wins(&said, "stopping a job", &[409]);
        assert_eq!(state(&crowd, id).await, JobState::Cancelled);
        let said = crowd.all(|_| ("POST", format!("/api/replication/jobs/{id}/retry"), None)).await;
        Crowd::one_wins(&said, "trying a job again", &[409]);
        assert_eq!(state(&crowd, id).await, JobState::Queued);
        // One tries again what another takes back: whichever comes first, the job is not in two states.
        crowd.site.app.cancel(id).await.unwrap();
        let verb = |n: usize| if n.is_multiple_of(2) { "retry" } else { "cleanup" };
        let said = crowd.all(|n| ("POST", format!("/api/replication/jobs/{id}/{}", verb(n)), None)).await;
        Crowd::one_wins(&said, "retry against cleanup", &[409]);
    }
    let verdict = crowd.site.app.verify_audit().await.unwrap();
    assert!(verdict.broken.is_none(), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_people_at_random_break_nothing() {
    let crowd = Crowd::new().await;
    let work = tokio::spawn({
        let (app, closing) = (crowd.site.app.clone(), crowd.site.closing.clone());
        async move { app.serve_jobs(closing).await }
    });
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(enqueue(&crowd.site.app).await);
    }
    let until = Instant::now() + seconds();
    let viewer = crowd.site.app.user_named("viewer").await.unwrap().id;
    let mut asked = 0;
    // Which of the following somebody does next is the machine's chance: the numbers only spread them.
    for round in 0_usize.. {
        if Instant::now() >= until {
            break;
        }
        let said = crowd
            .all(|n| {
                let chance = (n * 7919 + round * 104_729) % 11;
                let job = jobs[(n + round) % jobs.len()];
                let api = |rest: String| format!("/api/replication/{rest}");
                match chance {
                    0 => ("POST", api(format!("jobs/{job}/cancel")), None),
                    1 | 2 => ("POST", api(format!("jobs/{job}/retry")), None),
                    3 => ("POST", api(format!("jobs/{job}/cleanup")), None),
                    4 => (
                        "POST",
                        api("ssh-keys".into()),
                        Some(json!({ "name": "one", "generate": "ed25519" })),
                    ),
                    5 => ("PATCH", api(format!("users/{viewer}")), Some(json!({ "role": "operator" }))),
                    6 => (
                        "PATCH",
                        api(format!("users/{viewer}")),
                        Some(json!({ "disabled": n.is_multiple_of(2) })),
                    ),
                    7 => ("GET", "/replication".into(), None),
                    8 => ("GET", "/jobs?q=tank".into(), None),
                    9 => ("GET", api(format!("jobs/{job}/console")), None),
                    _ => (
                        "POST",
                        api("tokens".into()),
                        Some(json!({ "name": format!("t-{}", n % 3), "role": "viewer" })),
                    ),
                }
            })
            .await;
        asked += said.len();
    }
    crowd.site.closing.cancel();
    work.await.unwrap();
    let verdict = crowd.site.app.verify_audit().await.unwrap();
    assert!(verdict.broken.is_none(), "{verdict:?}");
    println!("{asked} requests of {PEOPLE} people, {} lines of audit log", verdict.lines);
}
