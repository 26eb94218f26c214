//! Coming in, staying in, being kept out.

use std::time::Duration;

use secrecy::SecretString;
use zerfaux::app::Principal;
use zerfaux::domain::access::Role;

use super::site::{PASSWORD, Site};

#[tokio::test]
async fn the_setup_link_works_once_and_shows_the_recovery_key_once() {
    let site = Site::empty().await;
    let old = site.app.new_setup_code().await.unwrap();
    let code = site.app.new_setup_code().await.unwrap();
    let mut browser = site.browser();
    browser.get(&format!("/setup?code={}", old.reveal())).await.expect(403).says("no longer, good");
    let address = format!("/setup?code={}", code.reveal());
    browser.get(&address).await.expect(200).says("Create the administrator");
    let weak = [("name", "anna"), ("password", "password"), ("again", "password")];
    browser.post(&address, &weak).await.expect(422).says("tried first").says("value=\"anna\"");
    let differ = [("name", "anna"), ("password", PASSWORD), ("again", "another one")];
    browser.post(&address, &differ).await.expect(422).says("differ");
    let right = [("name", "Anna"), ("password", PASSWORD), ("again", PASSWORD)];
    let key = browser.post(&address, &right).await.expect(200).says("recovery-key");
    let key = key.text.split("id=\"recovery-key\">").nth(1).unwrap()[..47].to_owned();
    assert_eq!(key.split('-').count(), 8, "{key}");
    browser.get("/replication").await.expect(200).says("anna");
    site.browser().get(&address).await.expect(403);
    let again = [("name", "eve"), ("password", PASSWORD), ("again", PASSWORD)];
    let mut eve = site.browser();
    eve.get("/sign-in").await;
    eve.post(&address, &again).await.expect(403);
    assert_eq!(site.app.users().await.unwrap().len(), 1);
    assert!(site.app.has_recovery_key().await.unwrap());
}

#[tokio::test]
async fn of_a_thousand_guesses_a_handful_is_looked_at_and_a_restart_forgets_none() {
    let site = Site::new().await;
    let (mut looked_at, mut told_to_wait) = (0, 0);
    for guess in 0..500 {
        match site.app.sign_in("admin", &SecretString::from(format!("guess {guess}")), "10.0.0.9", "x").await
        {
            Err(zerfaux::app::AppError::NotSignedIn) => looked_at += 1,
            Err(zerfaux::app::AppError::TooMany { .. }) => told_to_wait += 1,
            other => panic!("{other:?}"),
        }
    }
    let site = site.restarted().await;
    for guess in 500..1000 {
        // From ever new addresses, at once.
        let address = format!("10.1.{}.{}", guess / 250, guess % 250);
        match site.app.sign_in("admin", &SecretString::from(format!("guess {guess}")), &address, "x").await {
            Err(zerfaux::app::AppError::NotSignedIn) => looked_at += 1,
            Err(zerfaux::app::AppError::TooMany { .. }) => told_to_wait += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(looked_at <= 20, "{looked_at} of 1000 were looked at");
    assert_eq!(looked_at + told_to_wait, 1000);
    // The right password is not looked at either, until the wait is over; then it is.
    let mut browser = site.browser();
    let got = browser.sign_in("admin", PASSWORD).await.expect(429);
    assert!(got.text.contains("Too many attempts"), "{}", got.text);
    site.clock.advance(Duration::from_secs(16 * 60));
    browser.sign_in("admin", PASSWORD).await.leads_to("/replication");
}

#[tokio::test]
async fn guesses_at_the_same_time_count_one_after_the_other() {
    let site = Site::new().await;
    let all = (0..40).map(|guess| {
        let app = site.app.clone();
        tokio::spawn(async move {
            let guess = SecretString::from(format!("guess {guess}"));
            matches!(
                app.sign_in("admin", &guess, "10.0.0.9", "x").await,
                Err(zerfaux::app::AppError::NotSignedIn)
            )
        })
    });
    let mut looked_at = 0;
    for one in all.collect::<Vec<_>>() {
        looked_at += usize::from(one.await.unwrap());
    }
    assert!(looked_at <= 20, "{looked_at} of 40 were looked at");
}

#[tokio::test]
async fn an_unknown_name_a_wrong_password_and_a_disabled_account_are_answered_alike() {
    let site = Site::new().await;
    let who = Principal::command_line();
    let viewer = site.app.user_named("viewer").await.unwrap();
    site.app.set_disabled(&who, viewer.id, true).await.unwrap();
    let mut texts = Vec::new();
    for (name, password) in [("nobody", PASSWORD), ("admin", "wrong password"), ("viewer", PASSWORD)] {
        let got = site.browser().sign_in(name, password).await.expect(401);
        let shown =
            got.text.split("role=\"alert\"").nth(1).unwrap().split("</div>").next().unwrap().to_owned();
        texts.push(shown);
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    let (lines, _) = site.app.audit_lines(&Default::default()).await.unwrap();
    let refused: Vec<&str> = lines
        .iter()
        .filter(|line| line.entry.action == "session.begin")
        .map(|line| line.entry.object.as_str())
        .collect();
    assert_eq!(refused, ["viewer", "admin", "unknown account"]);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_after_twelve_hours_whatever_is_done() {
    let site = Site::new().await;
    let mut idle = site.signed_in("viewer").await;
    site.clock.advance(Duration::from_secs(29 * 60));
    idle.get("/jobs").await.expect(200);
    site.clock.advance(Duration::from_secs(31 * 60));
    idle.get("/jobs").await.leads_to("/sign-in?next=%2Fjobs");
    let mut busy = site.signed_in("viewer").await;
    for _ in 0..35 {
        site.clock.advance(Duration::from_secs(20 * 60));
        busy.get("/jobs").await.expect(200);
    }
    site.clock.advance(Duration::from_secs(21 * 60));
    busy.get("/jobs").await.expect(303);
}

#[tokio::test]
async fn no_cookie_is_good_after_sign_out_a_new_password_or_another_role() {
    let site = Site::new().await;
    let mut out = site.signed_in("operator").await;
    let kept = out.cookies.clone();
    out.post("/sign-out", &[]).await.leads_to("/sign-in");
    out.cookies = kept;
    out.get("/jobs").await.expect(303);

    let mut other = site.signed_in("operator").await;
    let mut own = site.signed_in("operator").await;
    let new = "another password entirely";
    let form = [("old_password", PASSWORD), ("new_password", new), ("again", new)];
    own.post("/account/password", &form).await.leads_to("/account");
    own.get("/account").await.expect(200).says("Your password was changed");
    other.get("/jobs").await.expect(303);

    let who = Principal::command_line();
    let id = site.app.user_named("operator").await.unwrap().id;
    site.app.set_role(&who, id, "viewer").await.unwrap();
    own.get("/jobs").await.expect(303);
}

#[tokio::test]
async fn the_cookie_is_new_at_each_sign_in_and_only_its_hash_is_kept() {
    let site = Site::new().await;
    let mut browser = site.signed_in("viewer").await;
    let first = browser.cookies["__Host-zerfaux-session"].clone();
    browser.post("/sign-out", &[]).await.leads_to("/sign-in");
    browser.sign_in("viewer", PASSWORD).await.expect(303);
    let second = browser.cookies["__Host-zerfaux-session"].clone();
    assert_ne!(first, second);
    let token = site.token("t", Role::Viewer).await;
    site.app.close().await;
    for file in std::fs::read_dir(site.data.path()).unwrap().map(|file| file.unwrap().path()) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        for canary in [first.as_str(), &second, &token, PASSWORD] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} is in {}", file.display());
        }
    }
}

#[tokio::test]
async fn dangerous_actions_want_the_password_typed_again() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    site.clock.advance(Duration::from_secs(6 * 60));
    let form = [("name", "ben"), ("role", "viewer"), ("password", PASSWORD)];
    let got = admin.post("/users", &form).await.expect(303);
    assert!(got.header("location").starts_with("/step-up?next="), "{}", got.header("location"));
    assert!(site.app.user_named("ben").await.is_err());
    admin.get("/step-up?next=/users/new").await.expect(200);
    admin.post("/step-up", &[("password", "wrong one"), ("next", "/users/new")]).await.expect(422);
    admin.post("/step-up", &[("password", PASSWORD), ("next", "/users/new")]).await.leads_to("/users/new");
    admin.post("/users", &form).await.leads_to("/users");
    admin.get("/users").await.expect(200).says("ben can sign in now.");
    // A program has no password to type; its token is its proof.
    site.clock.advance(Duration::from_secs(6 * 60));
    let token = site.token("t", Role::Admin).await;
    let body = serde_json::json!({ "name": "kim", "role": "viewer", "password": PASSWORD });
    site.program(&token, "POST", "/api/replication/users", Some(body)).await.expect(201);
}

#[tokio::test]
async fn the_last_admin_can_neither_be_disabled_nor_lose_the_role() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let id = site.app.user_named("admin").await.unwrap().id;
    let form = [("role", "viewer"), ("password", "")];
    admin.post(&format!("/users/{id}"), &form).await.expect(422).says("last admin");
    let form = [("role", "admin"), ("disabled", "on"), ("password", "")];
    admin.post(&format!("/users/{id}"), &form).await.expect(422).says("last admin");
    admin.get("/users").await.expect(200);
}

#[tokio::test]
async fn a_token_is_good_until_it_expires_or_is_revoked() {
    let site = Site::new().await;
    let who = Principal::command_line();
    let (_, short) = site.app.create_token(&who, "short", "viewer", Some(1)).await.unwrap();
    let long = site.token("long", Role::Viewer).await;
    let path = "/api/replication/session";
    let me = site.program(short.reveal(), "GET", path, None).await.expect(200).json();
    assert_eq!((me["name"].as_str(), me["via"].as_str()), (Some("short"), Some("token")));
    site.clock.advance(Duration::from_secs(24 * 3600 + 1));
    site.program(short.reveal(), "GET", path, None).await.expect(401);
    site.program(&long, "GET", path, None).await.expect(200);
    site.app.revoke_token(&who, "long").await.unwrap();
    site.program(&long, "GET", path, None).await.expect(401);
    assert!(site.app.create_token(&who, "long", "viewer", None).await.is_err(), "names are never used again");
}
