//! The router against the table of access: every route is in it, every line has a route, and each role gets what the
//! table says.

use std::collections::BTreeSet;

use zerfaux::auth::table::{Need, RULES};
use zerfaux::domain::access::Role;

use super::site::{Site, filled};

#[tokio::test]
async fn the_table_and_the_router_have_the_same_lines() {
    let site = Site::new().await;
    let routed: BTreeSet<(String, String)> = site.listed.iter().cloned().collect();
    let ruled: BTreeSet<(String, String)> =
        RULES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(
        routed.difference(&ruled).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "not in the table"
    );
    assert_eq!(
        ruled.difference(&routed).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "without a route"
    );
    assert!(routed.len() > 60, "{} routes", routed.len());
}

/// Streams do not end by themselves.
fn streams(path: &str) -> bool {
    path.ends_with("/events") && !path.contains("{id}")
}

#[tokio::test]
async fn each_role_gets_what_the_table_says_route_by_route() {
    let site = Site::new().await;
    let mut tokens = vec![(None, String::new())];
    for role in Role::ALL {
        tokens.push((Some(role), site.token(role.as_str(), role).await));
    }
    let mut tried = 0;
    for (method, path, need) in RULES {
        if streams(path) {
            continue;
        }
        for (role, token) in &tokens {
            let body = (*method != "GET").then(|| serde_json::json!({}));
            let got = site.program(token, method, &filled(path), body).await;
            let allowed = match need {
                Need::Nobody => true,
                Need::Role(least) | Need::Confirmed(least) => role.is_some_and(|role| role >= *least),
            };
            let refused = match role {
                None => got.status == 401,
                // Without its code the setup page refuses everybody, whatever their role.
                Some(_) => got.status == 403 && *path != "/setup",
            };
            assert_eq!(allowed, !refused, "{method} {path} as {role:?}: {} {}", got.status, got.text);
            assert!(got.status.as_u16() < 500, "{method} {path} as {role:?}: {} {}", got.status, got.text);
            tried += 1;
        }
    }
    assert!(tried > 240, "{tried} tried");
}

#[tokio::test]
async fn a_browser_that_is_not_signed_in_is_led_to_the_sign_in_and_back() {
    let site = Site::new().await;
    let mut browser = site.browser();
    browser.get("/jobs?state=failed").await.leads_to("/sign-in?next=%2Fjobs%3Fstate%3Dfailed");
    browser.get("/sign-in?next=%2Fjobs%3Fstate%3Dfailed").await.expect(200).says("/jobs?state=failed");
    let fields = [("name", "viewer"), ("password", super::site::PASSWORD), ("next", "/jobs?state=failed")];
    browser.post("/sign-in", &fields).await.leads_to("/jobs?state=failed");
    let got = site.program("wrong", "GET", "/api/replication/jobs", None).await.expect(401);
    assert_eq!(got.header("www-authenticate"), "Bearer");
    assert_eq!(got.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn every_answer_carries_the_headers_and_no_page_carries_script_or_style() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let mut pages = 0;
    for (method, path, _) in RULES {
        if *method != "GET" || streams(path) {
            continue;
        }
        let got = admin.get(&filled(path)).await;
        let policy = got.header("content-security-policy").to_owned();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(got.header("referrer-policy"), "same-origin", "{path}");
        assert!(got.header("strict-transport-security").contains("max-age"), "{path}");
        assert_eq!(got.header("x-request-id").len(), 32, "{path}");
        if got.header("content-type").starts_with("text/html") {
            pages += 1;
            assert!(!got.text.contains(" style=") && !got.text.contains("<style"), "{path}");
            assert!(!got.text.contains(" onclick=") && !got.text.contains("javascript:"), "{path}");
            for script in got.text.split("<script").skip(1) {
                assert!(script.starts_with(" src=\"/static/"), "{path}: {}", &script[..80]);
            }
            for address in ["http://", "https://"] {
                for attribute in ["src=\"", "href=\"", "action=\""] {
                    assert!(
                        !got.text.contains(&format!("{attribute}{address}")),
                        "{path} loads from elsewhere"
                    );
                }
            }
        }
    }
    assert!(pages >= 15, "{pages} pages");
}

#[tokio::test]
async fn what_is_not_there_is_told_as_a_page_or_as_a_problem() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let page = admin.get("/nowhere").await.expect(404).says("There is nothing at this address.");
    assert!(page.text.contains(page.header("x-request-id")), "the id is on the page");
    let job = admin.get(&filled("/jobs/{id}")).await.expect(404);
    assert!(job.header("content-type").starts_with("text/html"));
    let token = site.token("t", Role::Viewer).await;
    let problem = site.program(&token, "GET", &filled("/api/replication/jobs/{id}"), None).await.expect(404);
    let document = problem.json();
    assert_eq!(document["status"], 404);
    assert_eq!(document["request_id"], problem.header("x-request-id"));
    assert!(document["type"].as_str().unwrap().ends_with("/not-found"), "{document}");
    assert!(document["detail"].as_str().unwrap().contains("01937c5e"), "{document}");
    let problem = site.program(&token, "GET", "/api/replication/jobs?limit=x", None).await;
    assert_eq!(problem.header("content-type"), "application/problem+json", "{}", problem.text);
    assert!(problem.status.is_client_error());
    let got = site.program(&token, "PUT", "/api/replication/ssh-keys", None).await.expect(405);
    assert_eq!(got.header("allow"), "GET, POST");
}
