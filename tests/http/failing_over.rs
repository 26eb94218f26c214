//! Failing over and rolling back, through pages and the API, over simulated sites: what stands in the way is said beside its
//! field, of several who ask at once one gets a run, and afterwards both sides are as before.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;

use super::dr_shells::{done, shell};
use super::protecting::{Scene, job_of};
use super::rehearsing::{datasets, run};

const API: &str = "/api/replication";

/// A machine of the group with a checkpoint at the DR side and a DR shell there.
async fn ready() -> Scene {
    let scene = Scene::new().await;
    let own = shell(&scene).await;
    scene.until("the inventory has the shell", &own, |one| one["status"] == "ready").await;
    run(&scene, 1).await;
    scene
}

/// Power states of the source and of its shell, as the vCenter says now.
async fn powers(scene: &Scene) -> (Value, Value) {
    let source = scene.ask("GET", &scene.vm, None).await.expect(200).json()["name"].clone();
    let all = scene.ask("GET", &format!("/vcenters/{}/vms?limit=200", scene.vcenter), None).await.json();
    let of = |name: &str| {
        let vm = all["items"].as_array().unwrap().iter().find(|vm| vm["name"] == *name);
        vm.map(|vm| vm["power_state"].clone()).unwrap_or_default()
    };
    (of(source.as_str().unwrap()), of("erp-dr"))
}

async fn state(scene: &Scene) -> Value {
    scene.ask("GET", &format!("{}/recovery-state", scene.group), None).await.expect(200).json()["phase"]
        .clone()
}

/// The page of the only failover.
async fn the_run(scene: &Scene) -> String {
    let all = scene.ask("GET", "/recovery-runs", None).await.expect(200).json();
    let of = |one: &&Value| one["kind"] != "test";
    let failovers: Vec<&Value> = all["items"].as_array().unwrap().iter().filter(of).collect();
    assert_eq!(failovers.len(), 1, "{all}");
    format!("/recovery-runs/{}", failovers[0]["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_planned_failover_is_asked_for_once_by_many_runs_and_is_rolled_back() {
    let scene = ready().await;
    let start = format!("{}/failover", scene.group);
    for (body, field) in [
        (json!({}), "mode"),
        (json!({ "mode": "quick", "confirm": "ERP" }), "mode"),
        (json!({ "mode": "planned", "confirm": "erp" }), "confirm"),
        (json!({ "mode": "planned", "confirm": "ERP", "shutdown_seconds": 9 }), "shutdown_seconds"),
        (json!({ "mode": "planned", "confirm": "ERP", "checkpoint": "newest_quiesced" }), "checkpoint"),
        (
            json!({ "mode": "planned", "confirm": "ERP", "network_map": { "VM Network": "none such" } }),
            "network_map",
        ),
        (json!({ "mode": "disaster", "confirm": "ERP" }), "reason"),
        (
            json!({ "mode": "disaster", "confirm": "ERP", "reason": "x", "checkpoint": "zx-none" }),
            "checkpoint",
        ),
        (
            json!({ "mode": "disaster", "confirm": "ERP", "reason": "x", "then_power_off": true }),
            "then_power_off",
        ),
    ] {
        let refused = scene.ask("POST", &start, Some(body)).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let viewer = scene.site.token("looks", Role::Viewer).await;
    let body = json!({ "mode": "planned", "confirm": "ERP" });
    scene.site.program(&viewer, "POST", &format!("{API}{start}"), Some(body)).await.expect(403);
    let none =
        scene.ask("POST", &format!("{}/rollback", scene.group), Some(json!({ "confirm": "ERP" }))).await;
    none.expect(409).says("nothing to roll back");
    assert_eq!(scene.ask("GET", "/recovery-runs", None).await.json()["total"], 0, "nothing was begun");

    let (mut anna, mut ben) =
        (scene.site.signed_in("operator").await, scene.site.signed_in("operator").await);
    let form = anna.get(&format!("{start}?mode=planned")).await.expect(200);
    form.says("Planned failover of ERP")
        .says("its DR shell erp-dr")
        .says("The last run is made after the guests");
    ben.get(&format!("{start}?mode=planned")).await.expect(200);
    let wrong =
        anna.post(&start, &[("mode", "planned"), ("asked", "1"), ("confirm", "erp")]).await.expect(422);
    let wrong = wrong.says("not the group").says("value=\"erp\"");
    assert!(
        !wrong.text.contains("name=\"then_power_off\" value=\"on\" checked"),
        "the box stays as it was left"
    );
    let filled = [
        ("mode", "planned"),
        ("asked", "1"),
        ("then_power_off", "on"),
        ("confirm", "ERP"),
        ("reason", "Works on the power"),
    ];
    let led = anna.post(&start, &filled).await.expect(303);
    let page = the_run(&scene).await;
    let led = led.leads_to(&page);
    drop(led);
    // Sent again: by somebody else, and by the one who went back.
    ben.post(&start, &filled).await.expect(409).says("has a failover already").says(&page);
    anna.post(&start, &filled).await.expect(409).says("has a failover already");
    the_run(&scene).await;

    let view = scene.until("it is up", &page, |run| run["phase"] == "awaiting_verdict").await;
    assert_eq!((&view["kind"], &view["outcome"]), (&json!("planned_failover"), &Value::Null), "{view}");
    assert_eq!(
        (&view["vms"][0]["state"], &view["vms"][0]["test_name"]),
        (&json!("up"), &json!("erp-dr")),
        "{view}"
    );
    assert!(view["vms"][0]["dr_shell_id"].is_string(), "{view}");
    assert_eq!(state(&scene).await, "failed_over_uncommitted");
    let list = format!("/vcenters/{}/vms?q=erp-dr", scene.vcenter);
    scene.until("the shell runs", &list, |all| all["items"][0]["power_state"] == "on").await;
    assert_eq!(powers(&scene).await, (json!("off"), json!("on")));
    let own = anna.get(&scene.group).await.expect(200);
    own.says("Failed over, uncommitted: 1 virtual machine runs at zfs-b").says("Roll back");
    let shown = anna.get(&page).await.expect(200).says("Planned failover of ERP").says("Works on the power");
    shown.says("after the guests stopped").says("guest shut down at the source").says("not in this version");
    anna.get("/recovery-runs").await.expect(200).says("Planned failover").says("failed over, uncommitted");
    anna.get(&format!("{page}/report.html"))
        .await
        .expect(200)
        .says("Planned failover of ERP")
        .says("recovered as erp-dr");
    // A test, a cleanup, a second failover, the deletion of the group: none of them now.
    scene.ask("POST", &format!("{}/test-failover", scene.group), Some(json!({}))).await.expect(409);
    scene.ask("POST", &format!("{page}/cleanup"), None).await.expect(409).says("rolled back");
    let body = json!({ "mode": "disaster", "confirm": "ERP", "reason": "x" });
    scene.ask("POST", &start, Some(body)).await.expect(409).says("has a failover already");
    scene.ask("DELETE", &scene.group, None).await.expect(409).says("Roll that back first");
    let judged = json!({ "verdict": "passed", "remarks": "The shop opened." });
    scene.ask("POST", &format!("{page}/verdict"), Some(judged)).await.expect(200);

    let back = format!("{}/rollback", scene.group);
    let form = ben.get(&back).await.expect(200).says("Nothing of it is kept").says("erp-dr");
    form.says("are started again");
    ben.post(&back, &[("confirm", "erp")]).await.expect(422);
    assert_eq!(state(&scene).await, "failed_over_uncommitted", "nothing was begun");
    scene.ask("POST", &back, Some(json!({ "confirm": "erp" }))).await.expect(422);
    ben.post(&back, &[("confirm", "ERP")]).await.expect(303).leads_to(&page);
    let view = scene.until("it is rolled back", &page, |run| run["phase"] == "rolled_back").await;
    assert_eq!(view["outcome"], "rolled_back", "{view}");
    assert_eq!(state(&scene).await, "protected");
    let list = format!("/vcenters/{}/vms?q=erp-dr", scene.vcenter);
    scene.until("the shell is off", &list, |all| all["items"][0]["power_state"] == "off").await;
    let source = scene.ask("GET", &scene.vm, None).await.json()["name"].as_str().unwrap().to_owned();
    let list = format!("/vcenters/{}/vms?q={source}", scene.vcenter);
    scene.until("the source runs", &list, |all| all["items"][0]["power_state"] == "on").await;
    assert!(!datasets(&scene).contains("/run/"), "{}", datasets(&scene));
    anna.get(&back).await.expect(409).says("nothing to roll back");
    let have = scene.ask("GET", &format!("{}/checkpoints", scene.group), None).await.json()["total"].clone();
    run(&scene, have.as_u64().unwrap() + 1).await;
    let (lines, _) = scene.site.app.audit_lines(&Default::default()).await.unwrap();
    let count = |action: &str| lines.iter().filter(|line| line.entry.action == action).count();
    assert_eq!((count("protection_group.failover"), count("protection_group.roll_back")), (1, 1));
}

#[tokio::test]
async fn a_disaster_failover_goes_beside_a_test_and_leaves_the_source_alone() {
    let scene = ready().await;
    let tested = scene.ask("POST", &format!("{}/test-failover", scene.group), Some(json!({}))).await;
    done(&scene, &tested.expect(202).json()).await;
    let mut operator = scene.site.signed_in("operator").await;
    let form = operator
        .get(&format!("{}/test", scene.group))
        .await
        .expect(200)
        .says("A test of the group is there already");
    assert!(!form.text.contains("Start the test"), "a second one is not offered");
    let start = format!("{}/failover", scene.group);
    operator.get(&format!("{start}?mode=planned")).await.expect(200).says("A test is");
    let body = json!({ "mode": "planned", "confirm": "ERP" });
    scene.ask("POST", &start, Some(body)).await.expect(409).says("test");
    let form = operator.get(&format!("{start}?mode=disaster")).await.expect(200);
    form.says("A test is there")
        .says("Everything that was written since")
        .says("Nothing is asked of the source");
    let before = powers(&scene).await.0;

    let body =
        json!({ "mode": "disaster", "confirm": "ERP", "reason": "The hall burns", "checkpoint": "newest" });
    let accepted = scene.ask("POST", &start, Some(body)).await.expect(202).json();
    scene.until("it ends", &job_of(&accepted), |job| job["state"] == "succeeded").await;
    let page = the_run(&scene).await;
    let view = scene.ask("GET", &page, None).await.json();
    assert_eq!(
        (&view["kind"], &view["reason"]),
        (&json!("disaster_failover"), &json!("The hall burns")),
        "{view}"
    );
    assert_eq!(view["vms"][0]["state"], "up", "{view}");
    assert_eq!(powers(&scene).await.0, before, "the source was left alone");
    operator.get(&scene.group).await.expect(200).says("See to it that they do not run at zfs-a");

    let accepted = scene
        .ask("POST", &format!("{}/rollback", scene.group), Some(json!({ "confirm": "ERP" })))
        .await
        .expect(202)
        .json();
    done(&scene, &accepted).await;
    let view = scene.ask("GET", &page, None).await.json();
    assert_eq!(view["outcome"], "rolled_back", "{view}");
    assert_eq!(powers(&scene).await.0, before);
    assert_eq!(state(&scene).await, "testing", "the test stands where it stood");
    assert!(datasets(&scene).contains("/run/"), "so does its clone");
}
