//! Settings that take effect, and failed jobs that somebody has seen.

use std::time::Duration;

use serde_json::json;
use zerfaux::domain::access::Role;

use super::site::Site;
use zerfaux::app::settings::Presented;
use zerfaux::domain::thumbprint::{ServerCertificate, Thumbprint};

#[tokio::test]
async fn a_saved_session_limit_is_in_force_at_once_and_after_a_restart() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    admin.get("/settings").await.expect(200).says("value=\"30\"").says("value=\"12\"");
    let wrong = [("session_idle_minutes", "ten"), ("session_hours", "12")];
    admin
        .post("/settings/sessions", &wrong)
        .await
        .expect(422)
        .says("This is 5 to 480.")
        .says("value=\"ten\"");
    let form = [("session_idle_minutes", "60"), ("session_hours", "2")];
    admin.post("/settings/sessions", &form).await.leads_to("/settings");
    site.clock.advance(Duration::from_secs(59 * 60));
    admin.get("/settings").await.expect(200).says("value=\"60\"");
    let site = site.restarted().await;
    let token = site.token("t", Role::Admin).await;
    let got = site.program(&token, "GET", "/api/replication/settings", None).await.expect(200).json();
    assert_eq!(
        got,
        json!({ "session_idle_minutes": 60, "session_hours": 2, "history_days": null, "runs_per_appliance": 8,
            "runs_per_vcenter": 32, "power_ons_per_vcenter": 8 })
    );
    let body = json!({ "history_days": 3 });
    let problem = site.program(&token, "PATCH", "/api/replication/settings", Some(body)).await.expect(422);
    assert_eq!(problem.json()["errors"][0]["field"], "history_days");
    let body = json!({ "history_days": 90 });
    site.program(&token, "PATCH", "/api/replication/settings", Some(body)).await.expect(200);
    let mut admin = site.signed_in("admin").await;
    admin.get("/settings").await.expect(200).says("value=\"90\"");
    let runs = [("runs_per_appliance", "0"), ("runs_per_vcenter", "12")];
    admin.post("/settings/runs", &runs).await.expect(422).says("This is 1 to 64.").says("value=\"12\"");
    let runs = [("runs_per_appliance", "2"), ("runs_per_vcenter", "12")];
    admin.post("/settings/runs", &runs).await.leads_to("/settings");
    assert_eq!(site.app.settings().runs_per_appliance, 2);
    site.clock.advance(Duration::from_secs(2 * 3600 + 60));
    admin.get("/settings").await.expect(303);
    let (lines, _) = site.app.audit_lines(&Default::default()).await.unwrap();
    let changes = lines.iter().filter(|line| line.entry.action == "settings.change");
    assert_eq!(changes.count(), 3, "what was refused changed nothing");
}

#[tokio::test]
async fn a_failed_job_stands_on_the_dashboard_until_somebody_has_seen_it() {
    let site = Site::new().await;
    let id = super::jobs::enqueue(&site.app).await;
    site.app.run_until_idle().await.unwrap();
    let mut operator = site.signed_in("operator").await;
    let seen = format!("/jobs/{id}/acknowledge");
    operator.get("/replication").await.expect(200).says(&seen).says("What needs you");
    let mut viewer = site.signed_in("viewer").await;
    let page = viewer.get("/replication").await.expect(200);
    assert!(page.text.contains("What needs you") && !page.text.contains(&seen), "a viewer only looks");
    operator.post(&seen, &[]).await.leads_to("/replication");
    let page = operator.get("/replication").await.expect(200);
    assert!(!page.text.contains("What needs you"), "{}", page.text);
    operator.get("/jobs?state=failed").await.expect(200).says("1–1 of 1");
    let queued = super::jobs::enqueue(&site.app).await;
    operator.post(&format!("/jobs/{queued}/acknowledge"), &[]).await.expect(409);
}

#[tokio::test]
async fn the_dashboard_leads_through_the_first_run() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let page = admin.get("/replication").await.expect(200).says("Connect both vCenters");
    for address in ["/settings#recovery-key", "/vcenters/new", "/ssh-keys/new"] {
        assert!(page.text.contains(&format!("href=\"{address}\"")), "{address}");
    }
    let mut viewer = site.signed_in("viewer").await;
    let page = viewer.get("/replication").await.expect(200).says("Connect both vCenters");
    assert!(!page.text.contains("href=\"/vcenters/new\""), "a viewer cannot connect one");
}

#[tokio::test]
async fn jobs_are_sorted_by_what_the_address_says() {
    let site = Site::new().await;
    let first = super::jobs::enqueue(&site.app).await;
    site.app.run_until_idle().await.unwrap();
    let second = super::jobs::enqueue(&site.app).await;
    let mut viewer = site.signed_in("viewer").await;
    let places = async |viewer: &mut super::site::Browser<'_>, sort: &str| {
        let page = viewer.get(&format!("/jobs?sort={sort}")).await.expect(200).text;
        let list = page.split("<tbody>").nth(1).unwrap().to_owned();
        [first, second].map(|id| list.find(&format!("/jobs/{id}")).unwrap())
    };
    let newest = places(&mut viewer, "-created").await;
    let oldest = places(&mut viewer, "created").await;
    let failed_first = places(&mut viewer, "state").await;
    let queued_first = places(&mut viewer, "-state").await;
    assert!(newest[1] < newest[0] && oldest[0] < oldest[1]);
    assert!(failed_first[0] < failed_first[1] && queued_first[1] < queued_first[0]);
}

#[tokio::test]
async fn a_certificate_of_this_server_that_expires_soon_is_among_what_needs_somebody() {
    let until = |at: &str, self_signed| Presented {
        certificate: ServerCertificate {
            thumbprint: Thumbprint::from_bytes([7; 32]),
            subject: "zerfaux.test".into(),
            not_after: Some(at.parse().unwrap()),
        },
        self_signed,
    };
    // 31 days, 20 days, and one day too late; the site's clock stands at 21 November.
    let cases = [
        ("2026-12-22T13:00:00Z", false, None),
        ("2026-12-11T13:00:00Z", false, Some("expires in 20 days. Put the new one into its files")),
        ("2026-11-20T11:00:00Z", true, Some("has expired. Restart Zerfaux")),
    ];
    for (at, self_signed, said) in cases {
        let site = Site::new().await.showing(until(at, self_signed));
        let mut viewer = site.signed_in("viewer").await;
        let page = viewer.get("/replication").await.expect(200);
        match said {
            Some(said) => assert!(page.text.contains(said), "{}", page.text),
            None => assert!(!page.text.contains("This server&#39;s certificate"), "{}", page.text),
        }
        let mut admin = site.signed_in("admin").await;
        admin.get("/settings").await.expect(200).says("zerfaux.test, valid until 20").says("07:07:07");
    }
}
