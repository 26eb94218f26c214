//! Preflights of groups: kept, shown, told as news, and made neither too seldom nor too often.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use zerfaux::app::group_preflights::GroupPreflights;
use zerfaux::domain::access::Role;
use zerfaux::engine::ManualClock;
use zerfaux::engine::reconcile::Reconciler;

use super::protecting::Scene;

struct Rounds {
    clock: Arc<ManualClock>,
    rounds: GroupPreflights,
}

impl Rounds {
    /// As after a restart at this time.
    fn at(scene: &Scene, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::sleepless(now));
        let rounds = GroupPreflights::new(scene.site.app.clone(), clock.clone());
        Self { clock, rounds }
    }

    async fn says(&self, count: usize) {
        let told = self.rounds.run().await.unwrap();
        assert_eq!(told, format!("{count} groups were looked over."));
    }
}

fn kinds(preflight: &Value) -> Vec<&str> {
    preflight["obstacles"].as_array().unwrap().iter().filter_map(|one| one["kind"].as_str()).collect()
}

#[tokio::test]
async fn a_preflight_is_kept_with_its_time_and_what_comes_later_needs_somebody_until_it_is_seen() {
    let scene = Scene::new().await;
    let path = format!("{}/preflight", scene.group);
    let viewer = scene.site.token("looks", Role::Viewer).await;
    let at = format!("/api/replication{path}");
    scene.site.program(&viewer, "POST", &at, None).await.expect(403);
    let first = scene.ask("POST", &path, None).await.expect(200).json();
    assert_eq!(
        (&first["appliance_answered"], kinds(&first).contains(&"child_dataset")),
        (&json!(true), false)
    );
    assert_eq!(scene.ask("GET", &path, None).await.expect(200).json(), first, "it is kept");
    let state = scene.ask("GET", &format!("{}/state", scene.group), None).await.json();
    assert_eq!(state["preflight"], first);
    assert_eq!(state["ready_vms"], 0, "nothing was replicated yet: {state}");

    let child = "tank/zerfaux/live/erp/scratch";
    assert_eq!(scene.appliances[0].run(&format!("zfs create {child}")).status, 0);
    let rounds = Rounds::at(&scene, scene.site.app.now());
    rounds.says(0).await;
    rounds.clock.advance(Duration::from_secs(25 * 3600));
    rounds.says(1).await;
    rounds.says(0).await;
    let later = scene.ask("GET", &path, None).await.json();
    let news = later["obstacles"].as_array().unwrap().iter().find(|one| one["is_new"] == true).unwrap();
    assert_eq!((&news["kind"], &news["object"]), (&json!("child_dataset"), &json!(child)), "{later}");

    let mut operator = scene.site.signed_in("operator").await;
    operator.get("/replication").await.expect(200).says("would hurt").says(child);
    operator.get(&scene.group).await.expect(200).says("of them new").says("Check now").says(child);
    operator.post(&format!("{path}/seen"), &[]).await.leads_to(&scene.group);
    let page = operator.get("/replication").await.expect(200);
    assert!(!page.text.contains(child), "it was seen");
    operator.get(&scene.group).await.expect(200).says(child);
    operator.post(&path, &[]).await.leads_to(&format!("{}#preflight", scene.group));
    let lines = scene.ask("GET", "/audit?q=protection_group.preflight", None).await.json();
    assert!(lines["total"].as_u64().unwrap() >= 1, "{lines}");
}

#[tokio::test]
async fn neither_a_restart_nor_a_clock_that_jumps_makes_a_storm_and_the_inventory_counts() {
    let scene = Scene::new().await;
    let now = scene.site.app.now();
    // The scene's own reconcilers may have looked it over already.
    scene.ask("POST", &format!("{}/preflight", scene.group), None).await.expect(200);
    for _ in 0..3 {
        Rounds::at(&scene, now + SignedDuration::from_secs(90)).says(0).await;
    }
    let rounds = Rounds::at(&scene, now);
    for jump in [24 * 3650, -24 * 3650] {
        rounds.clock.shift(SignedDuration::from_hours(jump));
        rounds.says(1).await;
        rounds.says(0).await;
    }
    rounds.clock.advance(Duration::from_secs(301));
    rounds.says(0).await;

    // Another virtual machine of the group: it is looked over at once, here or by the scene's own reconcilers, and once.
    let vms = format!("/vcenters/{}/vms", scene.vcenter);
    let vms = scene.ask("GET", &vms, None).await.json();
    let assigned = scene.ask("GET", &format!("{}/protected-vms", scene.group), None).await.json();
    let own = &assigned["items"][0]["moref"];
    let other = vms["items"].as_array().unwrap().iter().find(|one| one["moref"] != *own).unwrap();
    let body = json!({ "vm_morefs": [other["moref"]] });
    scene.ask("POST", &format!("{}/protected-vms", scene.group), Some(body)).await.expect(201);
    rounds.rounds.run().await.unwrap();
    let state = scene.ask("GET", &format!("{}/state", scene.group), None).await.json();
    let kept = &state["preflight"];
    let of_it = |one: &Value| one["kind"] == "disk_elsewhere" && one["object"] == other["name"];
    assert!(kept["obstacles"].as_array().unwrap().iter().any(of_it), "the new one was looked at: {kept}");
    rounds.says(0).await;
}

#[tokio::test]
async fn a_recovery_plan_that_would_fail_is_found_without_anybody_asking() {
    let scene = Scene::new().await;
    let path = format!("{}/preflight", scene.group);
    let first = scene.ask("POST", &path, None).await.expect(200).json();
    assert!(!kinds(&first).contains(&"no_checkpoint"), "nobody has written a plan yet: {first}");
    let plan = format!("{}/recovery-plan", scene.group);
    let body = json!({ "version": 0, "plan": {} });
    scene.ask("PUT", &plan, Some(body)).await.expect(200);
    let rounds = Rounds::at(&scene, scene.site.app.now());
    rounds.clock.advance(Duration::from_secs(25 * 3600));
    rounds.says(1).await;
    let now = scene.ask("GET", &path, None).await.expect(200).json();
    let all = scene.ask("GET", &format!("{plan}/check"), None).await.expect(200).json();
    let fails: Vec<&Value> =
        all["findings"].as_array().unwrap().iter().filter(|one| one["severity"] == "fails").collect();
    assert!(!fails.is_empty(), "{all}");
    for one in fails {
        assert!(kinds(&now).contains(&one["kind"].as_str().unwrap()), "{one} in {now}");
    }
    rounds.says(0).await;
}
