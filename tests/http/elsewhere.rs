//! R13: the whole installation on another machine, from its backup and its key file.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;
use zerfaux::sim::appliance::FaultRule;

use super::appliances::Two;
use super::site::{PASSWORD, Site};

/// What the API lists of this noun.
async fn listed(site: &Site, token: &str, noun: &str) -> Value {
    let list = site.program(token, "GET", &format!("/api/replication/{noun}"), None).await.expect(200).json();
    list["items"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_installation_is_the_same_and_does_not_run_again_what_was_under_way() {
    let site = Site::new().await;
    let token = site.token("program", Role::Admin).await;
    for name in ["site A", "site B"] {
        let body = json!({ "name": name, "generate": "ed25519" });
        site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await.expect(201);
    }
    let two = Two::new();
    two.source.root("zfs create src/data");
    let start = async |dataset: &str| {
        let input = json!({
            "source": two.location(&two.source, dataset), "destination": two.location(&two.target, "dst/copy"),
        });
        site.app.start_replication(&serde_json::from_value(input).unwrap(), "anna").await.unwrap()
    };
    let failed = start("src/nothing").await;
    site.app.run_until_idle().await.unwrap();
    let _last_use_is_noted = site.program(&token, "GET", "/api/replication/session", None).await.expect(200);
    two.source.add_fault(FaultRule {
        command: "zfs snapshot".to_owned(),
        delay_ms: 5_000,
        ..Default::default()
    });
    let under_way = start("src/data").await;
    let work = tokio::spawn({
        let (app, closing) = (site.app.clone(), site.closing.clone());
        async move { app.serve_jobs(closing).await }
    });
    let began = std::time::Instant::now();
    while site.app.job(under_way).await.unwrap().phase.as_deref() != Some("snapshot") {
        assert!(began.elapsed().as_secs() < 60, "it does not begin");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("copy.db");
    zerfaux::app::backups::back_up(site.data.path(), &file).unwrap();
    let nouns = ["users", "tokens", "ssh-keys", "audit?limit=1000"];
    let mut before = Vec::new();
    for noun in nouns {
        before.push(listed(&site, &token, noun).await);
    }
    let old_job = site.program(&token, "GET", &format!("/api/replication/jobs/{failed}"), None).await.json();
    let old_console =
        site.program(&token, "GET", &format!("/api/replication/jobs/{failed}/console"), None).await.json();

    // The other machine: the backup, and the key file that was kept apart from it.
    let data = tempfile::tempdir().unwrap();
    let restored = zerfaux::app::backups::restore(&file, data.path()).unwrap();
    assert_eq!((restored.interrupted, restored.has_secrets), (1, true));
    std::fs::copy(site.data.path().join("zerfaux.key"), data.path().join("zerfaux.key")).unwrap();
    let other = Site::opened(data).await;
    for (noun, before) in nouns.iter().zip(&before) {
        let mut now = listed(&other, &token, noun).await;
        if noun.starts_with("audit") {
            // What the restoring itself wrote stands above the rest.
            let items = now.as_array().unwrap();
            let kept = before.as_array().unwrap().len();
            now = Value::from(items[items.len() - kept..].to_vec());
        }
        assert_eq!(now, *before, "{noun}");
    }
    let verdict = other.program(&token, "GET", "/api/replication/audit/verify", None).await.json();
    assert_eq!(verdict["whole"], true, "{verdict}");
    let same = other.program(&token, "GET", &format!("/api/replication/jobs/{failed}"), None).await.json();
    assert_eq!(same, old_job);
    let console =
        other.program(&token, "GET", &format!("/api/replication/jobs/{failed}/console"), None).await.json();
    assert_eq!(console, old_console);

    // It is not run by itself, and says what to do.
    other.app.run_until_idle().await.unwrap();
    let job = other.program(&token, "GET", &format!("/api/replication/jobs/{under_way}"), None).await.json();
    assert_eq!(job["state"], "interrupted", "{job}");
    assert!(job["error"].as_str().unwrap().contains("under way when the backup was made"), "{job}");
    assert!(job["advice"].as_str().is_some_and(|advice| advice.to_lowercase().contains("look")), "{job}");
    let mut admin = other.browser();
    admin.sign_in("admin", PASSWORD).await.leads_to("/replication");
    admin.get("/replication").await.expect(200).says("interrupted");

    // The machine that was lost was not: it ends its job; then a person lets the copy's go on, and nothing is done twice.
    let began = std::time::Instant::now();
    while !site.app.job(under_way).await.unwrap().state.is_final() {
        assert!(began.elapsed().as_secs() < 60, "it does not end");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    site.closing.cancel();
    work.await.unwrap();
    two.source.clear_faults();
    let retry = format!("/api/replication/jobs/{under_way}/retry");
    other.program(&token, "POST", &retry, None).await.expect(202);
    other.app.run_until_idle().await.unwrap();
    let job = other.program(&token, "GET", &format!("/api/replication/jobs/{under_way}"), None).await.json();
    assert_eq!(job["state"], "succeeded", "{job}");
}
