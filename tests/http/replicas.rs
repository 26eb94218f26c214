//! A group is deleted with its replica, through its page and the API.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;

use super::protecting::Scene;

fn run(scene: &Scene, script: &str) -> String {
    let done = scene.appliances[1].run(script);
    assert_eq!(done.status, 0, "{script}: {}", done.stderr);
    String::from_utf8(done.stdout).unwrap()
}

/// Makes a replica as runs of the group would have left it. Gives its name.
async fn replicated(scene: &Scene) -> String {
    let group = scene.ask("GET", &scene.group, None).await.json();
    let (id, replica) = (group["id"].as_str().unwrap(), group["dr_dataset"].as_str().unwrap());
    run(scene, "zfs create -p -o canmount=off -o mountpoint=none tank/zerfaux/replica");
    run(scene, &format!("zfs create -o canmount=noauto -o readonly=on {replica}"));
    run(scene, &format!("zfs set zerfaux:group={id} zerfaux:role=replica {replica}"));
    for number in 1..=2 {
        run(scene, &format!("zfs snapshot -o zerfaux:group={id} {replica}@zx-{number}"));
    }
    replica.to_owned()
}

#[tokio::test]
async fn the_page_names_what_goes_asks_for_two_names_and_leads_to_the_job() {
    let scene = Scene::new().await;
    let replica = replicated(&scene).await;
    let page = format!("{}/delete-with-replica", scene.group);
    let mut operator = scene.site.signed_in("operator").await;
    operator.get(&page).await.expect(403);
    let plain = operator.get(&format!("{}/delete", scene.group)).await.expect(200);
    assert!(!plain.text.contains("delete-with-replica"), "no way for whoever may not");
    let mut admin = scene.site.signed_in("admin").await;
    admin
        .get(&format!("{}/delete", scene.group))
        .await
        .expect(200)
        .says("Delete it with its replica instead");
    admin.get(&page).await.expect(200).says(&replica).says("2 checkpoints").says("nobody tidies them up");

    let wrong = [("confirm", "ERP"), ("replica", "tank")];
    let again = admin.post(&page, &wrong).await.expect(422).says("This is not the replica&#39;s dataset");
    assert!(again.text.contains("value=\"tank\""), "what was typed stays: {}", again.text);
    run(&scene, &format!("zfs snapshot {replica}@by-hand"));
    let right = [("confirm", "ERP"), ("replica", replica.as_str())];
    admin.post(&page, &right).await.expect(422).says("by-hand").says("nothing was changed");
    admin.get(&page).await.expect(200).says("Nothing, as long as this stands in the way").says("Look again");
    run(&scene, &format!("zfs destroy {replica}@by-hand"));

    let led = admin.post(&page, &right).await.expect(303);
    let job = led.header("location").to_owned();
    let ended = scene.until("the job ends", &job, |job| !job["finished_at"].is_null()).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    admin.get(&scene.group).await.expect(404);
    assert!(!run(&scene, "zfs list -H -o name").contains(&replica));
}

#[tokio::test]
async fn the_api_wants_both_names_from_somebody_who_may() {
    let scene = Scene::new().await;
    let replica = replicated(&scene).await;
    let path = format!("{}/delete-with-replica", scene.group);
    let right = json!({ "confirm": "ERP", "replica": replica });
    let operator = scene.site.token("works", Role::Operator).await;
    let at = format!("/api/replication{path}");
    scene.site.program(&operator, "POST", &at, Some(right.clone())).await.expect(403);
    for (body, field) in [
        (json!({ "confirm": "erp", "replica": replica }), "confirm"),
        (json!({ "confirm": "ERP", "replica": "" }), "replica"),
    ] {
        let problem = scene.ask("POST", &path, Some(body)).await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    scene.ask("POST", &path, Some(json!({ "confirm": "ERP" }))).await.expect(422);
    run(&scene, &format!("zfs hold audit {replica}@zx-1"));
    scene.ask("POST", &path, Some(right.clone())).await.expect(409).says("zfs release audit");
    run(&scene, &format!("zfs release audit {replica}@zx-1"));

    let accepted = scene.ask("POST", &path, Some(right.clone())).await.expect(202).json();
    let job = format!("/jobs/{}", accepted["job_id"].as_str().unwrap());
    scene.ask("DELETE", &scene.group, None).await.expect(409).says("job");
    assert_eq!(scene.ask("GET", &scene.group, None).await.json()["enabled"], false);
    scene.ask("POST", &format!("{}/run-now", scene.group), None).await.expect(409).says("switched off");
    let ended = scene.until("the job ends", &job, |job| !job["finished_at"].is_null()).await;
    assert_eq!((&ended["state"], &ended["result"]["destroyed_snapshots"]), (&json!("succeeded"), &json!(2)));
    scene.ask("GET", &scene.group, None).await.expect(404);
    scene.ask("POST", &path, Some(right)).await.expect(404);
    let lines = scene.ask("GET", "/audit?q=protection_group.delete", None).await.json();
    assert_eq!(lines["total"], 2, "asked for, and done: {lines}");
    assert_ne!(lines["items"][0]["details"], Value::Null);
}
