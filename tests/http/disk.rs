//! R6: the disk under a running service gets full. It says so, pages can still be read, nothing is damaged, and work goes
//! on by itself once there is room again.

use std::time::{Duration, Instant};

use serde_json::json;
use zerfaux::domain::job::JobState;
use zerfaux::sim::appliance::FaultRule;
use zerfaux::store::Store;

use super::appliances::Two;
use super::site::Site;
use super::small_disk::SmallDisk;

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_pages_are_read_changes_are_refused_with_advice_and_work_goes_on_afterwards() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let data = disk.path().join("data");
    let site = Site::in_directory(&data).await;
    let mut admin = site.signed_in("admin").await;
    let token = site.token("program", zerfaux::domain::access::Role::Admin).await;
    // A job that is in the middle of a step when the disk gets full.
    let two = Two::new();
    two.source.root("zfs create src/data");
    two.source.add_fault(FaultRule {
        command: "zfs snapshot".to_owned(),
        delay_ms: 3_000,
        ..FaultRule::default()
    });
    let input = json!({
        "source": two.location(&two.source, "src/data"), "destination": two.location(&two.target, "dst/copy"),
    });
    let id = site.app.start_replication(&serde_json::from_value(input).unwrap(), "anna").await.unwrap();
    let work = tokio::spawn({
        let (app, closing) = (site.app.clone(), site.closing.clone());
        async move { app.serve_jobs(closing).await }
    });
    let began = Instant::now();
    while site.app.job(id).await.unwrap().phase.as_deref() != Some("snapshot") {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", site.app.job(id).await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let filler = disk.fill();
    // What was reserved before takes a few more writes; then there is an end.
    let refused = loop {
        let body = json!({ "name": format!("key {}", began.elapsed().as_nanos()), "generate": "ed25519" });
        let got = site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await;
        if got.status == 503 {
            break got.json();
        }
        assert_eq!(got.status, 201, "{}", got.text);
        assert!(began.elapsed() < Duration::from_secs(120), "the disk never got full");
    };
    assert!(refused["advice"].as_str().unwrap().contains("Free some space"), "{refused}");
    // Somebody who was signed in goes on reading, also when it is time to note that they are still there.
    site.clock.advance(Duration::from_secs(5 * 60));
    for page in ["/replication", "/jobs", "/ssh-keys", "/audit", "/about"] {
        admin.get(page).await.expect(200);
    }
    admin.get(&format!("/jobs/{id}")).await.expect(200);
    site.program(&token, "GET", "/api/replication/jobs", None).await.expect(200);
    let got = admin.post(&format!("/jobs/{id}/cancel"), &[]).await.expect(503);
    assert!(got.text.contains("Free some space"), "{}", got.text);
    // Longer than the job's step takes, so that it meets the full disk.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!site.app.job(id).await.unwrap().state.is_final());

    std::fs::remove_file(filler).unwrap();
    let began = Instant::now();
    loop {
        let job = site.app.job(id).await.unwrap();
        if job.state.is_final() {
            assert_eq!(job.state, JobState::Succeeded, "{job:?}");
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "it does not go on: {job:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let body = json!({ "name": "afterwards", "generate": "ed25519" });
    site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await.expect(201);
    assert!(site.app.verify_audit().await.unwrap().broken.is_none());
    site.closing.cancel();
    work.await.unwrap();
    site.app.close().await;
    drop(site);
    let store = Store::open(&data).unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}
