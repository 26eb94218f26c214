//! A test failover through the API: asked for, run, judged and taken away, over simulated sites; while replication goes on.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;

use super::protecting::{Scene, job_of};

const API: &str = "/api/replication";

/// A machine of the group lies on its datastore and has a checkpoint at the DR side.
pub(super) async fn replicated() -> Scene {
    let scene = Scene::new().await;
    let start = format!("{}/move-to-protection-datastore", scene.vm);
    let accepted = scene.ask("POST", &start, Some(json!({}))).await.expect(202).json();
    scene.until("it is moved", &job_of(&accepted), |job| job["state"] == "succeeded").await;
    scene.until("the inventory follows", &scene.vm, |vm| vm["in_protection_datastore"] == true).await;
    scene.ask("PATCH", &scene.group, Some(json!({ "enabled": true }))).await.expect(200);
    run(&scene, 1).await;
    scene
}

/// A run brings a checkpoint more.
pub(super) async fn run(scene: &Scene, count: u64) -> Value {
    let checkpoints = format!("{}/checkpoints", scene.group);
    let have = scene.ask("GET", &checkpoints, None).await.json()["total"].as_u64().unwrap();
    if have < count {
        scene.ask("POST", &format!("{}/run-now", scene.group), None).await.expect(202);
    }
    scene.until("a checkpoint is there", &checkpoints, |all| all["total"].as_u64().unwrap() >= count).await
}

pub(super) fn datasets(scene: &Scene) -> String {
    let done = scene.appliances[1].run("zfs list -H -o name");
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn a_group_is_tested_judged_and_cleaned_up_while_its_replication_goes_on() {
    let scene = replicated().await;
    let start = format!("{}/test-failover", scene.group);
    for (body, field) in [
        (json!({ "checkpoint": "zx-none" }), "checkpoint"),
        (json!({ "network_map": { "VM Network": "no such network" } }), "network_map"),
        (json!({ "vm_morefs": ["vm-none"] }), "vm_morefs"),
        (json!({ "scheduled_cleanup_minutes": 0 }), "scheduled_cleanup_minutes"),
    ] {
        let refused = scene.ask("POST", &start, Some(body)).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let viewer = scene.site.token("looks", Role::Viewer).await;
    scene.site.program(&viewer, "POST", &format!("{API}{start}"), Some(json!({}))).await.expect(403);
    assert_eq!(scene.ask("GET", "/recovery-runs", None).await.json()["total"], 0, "nothing was begun");

    let mut browser = scene.site.signed_in("operator").await;
    browser.get(&format!("{}/test", scene.group)).await.expect(200).says("Start the test");
    browser.get(&format!("{}/tests", scene.group)).await.expect(200).says("never tested");
    let operator = scene.site.token("works", Role::Operator).await;
    let body =
        json!({ "checkpoint": "newest", "scheduled_cleanup_minutes": 600, "reason": "monthly rehearsal" });
    let accepted =
        scene.site.program(&operator, "POST", &format!("{API}{start}"), Some(body)).await.expect(202).json();
    let job = scene.until("the test is up", &job_of(&accepted), |job| !job["finished_at"].is_null()).await;
    assert_eq!((&job["state"], &job["result"]["vms_up"]), (&json!("succeeded"), &json!(1)), "{job}");
    let run_at = format!("/recovery-runs/{}", job["result"]["run_id"].as_str().unwrap());
    let found = scene.site.program(&viewer, "GET", &format!("{API}{run_at}"), None).await.expect(200).json();
    assert_eq!(found["phase"], "awaiting_verdict", "{found}");
    assert_eq!(
        (&found["reason"], &found["created_by"]),
        (&json!("monthly rehearsal"), &json!("token works")),
        "{found}"
    );
    let vm = &found["vms"][0];
    assert_eq!(vm["state"], "up", "{found}");
    let mut steps: Vec<&str> =
        vm["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    steps.sort_unstable();
    assert_eq!(steps, ["attach_disks", "check", "connect_networks", "create", "power_on"], "{found}");
    assert!(found["checkpoint_age_seconds"].is_i64() && !found["cleanup_due_at"].is_null());
    assert!(datasets(&scene).contains("/run/"));
    let named = format!("/vcenters/{}/vms?q={}", scene.vcenter, vm["test_name"].as_str().unwrap());
    scene.until("the vCenter has it", &named, |all| all["total"] == 1).await;

    let state_at = format!("{}/recovery-state", scene.group);
    let state = scene.ask("GET", &state_at, None).await.expect(200).json();
    assert_eq!(state["phase"], "testing", "{state}");
    // While it is there: a second one is refused, the group cannot be deleted, and checkpoints come in.
    scene.ask("POST", &start, Some(json!({}))).await.expect(409).says("not cleaned up");
    scene.ask("DELETE", &scene.group, None).await.expect(409).says("A test of the group is there");
    let have = scene.ask("GET", &format!("{}/checkpoints", scene.group), None).await.json();
    run(&scene, have["total"].as_u64().unwrap() + 1).await;

    scene.ask("POST", &format!("{run_at}/verdict"), Some(json!({ "verdict": "fine" }))).await.expect(422);
    let body = json!({ "verdict": "passed", "remarks": " The database answered. " });
    let judged = scene.ask("POST", &format!("{run_at}/verdict"), Some(body)).await.expect(200).json();
    assert_eq!(
        (&judged["verdict"], &judged["remarks"]),
        (&json!("passed"), &json!("The database answered."))
    );
    assert_eq!(judged["phase"], "judged");
    let all = scene.ask("GET", &format!("{}/checkpoints", scene.group), None).await.json();
    let tested: Vec<&Value> =
        all["items"].as_array().unwrap().iter().filter(|one| !one["tested_at"].is_null()).collect();
    assert_eq!(tested.len(), 1, "{all}");
    assert_eq!(
        (&tested[0]["guid"], &tested[0]["test_verdict"]),
        (&found["checkpoint_guid"], &json!("passed"))
    );

    let mut operator = scene.site.signed_in("operator").await;
    operator.get(&run_at).await.expect(200).says("The database answered.").says("checkpoint held");
    operator.get(&format!("{}/tests", scene.group)).await.expect(200).says("passed");
    let report = operator.get(&format!("{run_at}/report.html")).await.expect(200);
    report.says("Recovery test of ERP").says("VMware Tools run").says("monthly rehearsal");

    let clean = format!("{run_at}/cleanup");
    scene.site.program(&viewer, "POST", &format!("{API}{clean}"), None).await.expect(403);
    scene.ask("POST", &clean, None).await.expect(202);
    let gone = scene.until("it is gone", &run_at, |run| run["phase"] == "cleaned_up").await;
    assert!(!gone["cleaned_at"].is_null() && gone["vms"][0]["state"] == "removed", "{gone}");
    assert!(!datasets(&scene).contains("/run/"), "{}", datasets(&scene));
    scene.until("the vCenter has it no more", &named, |all| all["total"] == 0).await;
    scene.ask("POST", &clean, None).await.expect(409).says("gone already");
    let state = scene.ask("GET", &state_at, None).await.expect(200).json();
    assert_eq!(state["phase"], "protected", "{state}");
    let (lines, _) = scene.site.app.audit_lines(&Default::default()).await.unwrap();
    for action in ["protection_group.test_failover", "recovery_run.judge", "recovery_run.clean_up"] {
        assert!(lines.iter().any(|line| line.entry.action == action), "{action}");
    }
}
