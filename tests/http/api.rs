//! The API against its own description, and what it promises about lists, repeats and errors.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;

use super::site::{PASSWORD, Site};

#[tokio::test]
async fn the_description_has_every_route_of_the_api_and_is_what_the_command_prints() {
    let site = Site::new().await;
    let served = site.browser().get("/api/openapi.json").await.expect(200).json();
    let printed: Value = serde_json::from_str(&zerfaux::api::document().to_json().unwrap()).unwrap();
    assert_eq!(served, printed);
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"), "{}", served["openapi"]);
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, item) in served["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.push((method.to_uppercase(), path.clone()));
            let operation = &item[method];
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path} says what errors look like"
            );
        }
    }
    described.sort();
    let mut routed: Vec<_> = site
        .listed
        .iter()
        .filter(|(_, path)| path.starts_with("/api/") && path != "/api/docs")
        .cloned()
        .collect();
    routed.sort();
    assert_eq!(described, routed);
    // Every reference leads somewhere.
    let text = served.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(served.pointer(pointer).is_some(), "{pointer}");
    }
    site.browser().get("/api/docs").await.expect(200).says("/api/replication/jobs/{id}/events");
}

#[tokio::test]
async fn a_repeated_creation_creates_nothing_again() {
    let site = Site::new().await;
    let token = site.token("t", Role::Admin).await;
    let path = "/api/replication/ssh-keys";
    let body = || Some(json!({ "name": "lab", "generate": "ed25519" }));
    let key = [("idempotency-key", "one")];
    let first = site.program_with(&token, "POST", path, body(), &key).await.expect(201);
    let again = site.program_with(&token, "POST", path, body(), &key).await.expect(201);
    assert_eq!(first.json(), again.json());
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = Some(json!({ "name": "other", "generate": "ed25519" }));
    let problem = site.program_with(&token, "POST", path, other, &key).await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    site.program(&token, "POST", path, body()).await.expect(409);
    assert_eq!(site.program(&token, "GET", path, None).await.json()["total"], 1);
    // What was refused may be tried again with the same key.
    let key = [("idempotency-key", "two")];
    site.program_with(&token, "POST", path, Some(json!({ "name": "" , "generate": "ed25519" })), &key)
        .await
        .expect(422);
    site.program_with(&token, "POST", path, Some(json!({ "name": "", "generate": "ed25519" })), &key)
        .await
        .expect(422);
}

#[tokio::test]
async fn errors_name_the_field_and_no_secret_comes_back() {
    let site = Site::new().await;
    let token = site.token("t", Role::Admin).await;
    let body = json!({ "name": "-bad", "role": "king", "password": "short" });
    let problem = site.program(&token, "POST", "/api/replication/users", Some(body)).await.expect(422).json();
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["name", "password", "role"]);
    let body = json!({ "name": "key", "private_key": "canary-4711" });
    let got = site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await.expect(422);
    assert!(!got.text.contains("canary"), "{}", got.text);
    let body = json!({ "name": "ben", "role": "viewer", "password": PASSWORD });
    let made = site.program(&token, "POST", "/api/replication/users", Some(body)).await.expect(201);
    assert!(!made.text.contains(PASSWORD) && !made.text.contains("argon2"), "{}", made.text);
    let users = site.program(&token, "GET", "/api/replication/users?q=BEN", None).await.expect(200).json();
    assert_eq!((users["total"].as_u64(), users["items"][0]["name"].as_str()), (Some(1), Some("ben")));
    let id = users["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/replication/users/{id}");
    let changed = site.program(&token, "PATCH", &path, Some(json!({ "role": "operator" }))).await.expect(200);
    assert_eq!(changed.json()["role"], "operator");
}

#[tokio::test]
async fn the_audit_log_pages_and_tells_tokens_from_users() {
    let site = Site::new().await;
    let token = site.token("ci", Role::Admin).await;
    for n in 0..5 {
        let body = json!({ "name": format!("key {n}"), "generate": "ed25519" });
        site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await.expect(201);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/replication/audit?limit=2&q=ssh_key.create&cursor={cursor}");
        let path = path.trim_end_matches("&cursor=").to_owned();
        let list = site.program(&token, "GET", &path, None).await.expect(200).json();
        assert_eq!(list["total"], 5);
        seen.extend(list["items"].as_array().unwrap().clone());
        match list["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|line| line["actor"] == "token ci"));
    let verdict = site.program(&token, "GET", "/api/replication/audit/verify", None).await.json();
    assert_eq!(verdict["whole"], true);
}
