//! What was in a checkpoint, and groups that are taken over from what appliances have: the API and the pages.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;

use super::protecting::Scene;

/// Runs the group once. Gives the checkpoint.
async fn replicated(scene: &Scene) -> Value {
    let change = json!({ "enabled": true, "transport": "relay", "rpo_minutes": 1440 });
    scene.ask("PATCH", &scene.group, Some(change)).await.expect(200);
    let run = scene.ask("POST", &format!("{}/run-now", scene.group), None).await.expect(202).json();
    let job = format!("/jobs/{}", run["job_id"].as_str().unwrap());
    let ended = scene.until("the run ends", &job, |job| !job["finished_at"].is_null()).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let list = format!("{}/checkpoints", scene.group);
    let all = scene.until("the checkpoint is known", &list, |all| all["total"] != 0).await;
    all["items"][0].clone()
}

#[tokio::test]
async fn a_checkpoint_tells_what_was_in_it() {
    let scene = Scene::new().await;
    let checkpoint = replicated(&scene).await;
    let vm = scene.ask("GET", &scene.vm, None).await.json();
    let own = format!("{}/checkpoints/{}", scene.group, checkpoint["guid"].as_str().unwrap());
    let told = scene.ask("GET", &own, None).await.expect(200).json();
    assert_eq!(told["snapshot"], checkpoint["snapshot"]);
    let kept = &told["manifest"]["vms"][0];
    assert_eq!((&kept["name"], &kept["rest"]), (&vm["name"], &json!("not_asked")), "{told}");
    assert!(!kept["disks"].as_array().unwrap().is_empty() && kept["machine"].is_object(), "{told}");
    for wrong in ["1", "x", "99999999999999999999999"] {
        scene.ask("GET", &format!("{}/checkpoints/{wrong}", scene.group), None).await.expect(404);
    }

    let mut viewer = scene.site.signed_in("viewer").await;
    viewer.get(&format!("{}/checkpoints", scene.group)).await.expect(200).says(&own);
    let page = viewer.get(&own).await.expect(200);
    let disk = kept["disks"][0]["files"][0].as_str().unwrap();
    for words in [vm["name"].as_str().unwrap(), "as after a loss of power", disk, "CPU"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    viewer.get(&format!("{}/checkpoints/1", scene.group)).await.expect(404);
}

#[tokio::test]
async fn a_group_that_is_not_known_any_more_is_found_and_taken_over() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    operator.get("/protection-groups/adopt").await.expect(200).says("Nothing to take over");
    replicated(&scene).await;
    operator.get("/protection-groups/adopt").await.expect(200).says("Nothing to take over");
    let group = scene.ask("GET", &scene.group, None).await.json();
    let (id, replica) = (group["id"].as_str().unwrap(), group["dr_dataset"].as_str().unwrap());
    scene.ask("DELETE", &scene.group, None).await.expect(200);

    let list = format!("/targets/{}/adoptable-groups", group["dr_target_id"].as_str().unwrap());
    let found = scene.ask("GET", &list, None).await.expect(200).json();
    assert_eq!((&found["total"], &found["silent"]), (&json!(1), &json!([])), "{found}");
    let one = &found["items"][0];
    assert_eq!((&one["group_id"], &one["name"]), (&json!(id), &json!("ERP")), "{found}");
    assert_eq!((&one["replica_dataset"], &one["checkpoints"]), (&json!(replica), &json!(1)), "{found}");
    assert_eq!(one["obstacle"], Value::Null, "{found}");

    let adopt = "/protection-groups/adopt";
    for (body, status) in [
        (json!({ "group_id": "x" }), 422),
        (json!({ "group_id": id, "dr_vcenter_id": "x" }), 422),
        (json!({ "group_id": id, "whatever": 1 }), 422),
        (json!({ "group_id": "01937c5e-0000-7000-8000-000000000001" }), 404),
    ] {
        scene.ask("POST", adopt, Some(body)).await.expect(status);
    }
    let viewer = scene.site.token("looks", Role::Viewer).await;
    let body = Some(json!({ "group_id": id }));
    scene.site.program(&viewer, "POST", &format!("/api/replication{adopt}"), body).await.expect(403);

    operator.get(adopt).await.expect(200).says("Take over ERP").says(replica);
    let stale = [("group_id", "01937c5e-0000-7000-8000-000000000001")];
    operator.post(adopt, &stale).await.expect(422).says("No appliance has a protection group");
    let page = format!("/protection-groups/{id}");
    operator.post(adopt, &[("group_id", id)]).await.leads_to(&page);
    operator.get(&page).await.expect(200).says("1 checkpoints and 1 virtual machines");
    let again = scene.ask("GET", &scene.group, None).await.expect(200).json();
    assert_eq!((&again["source_dataset"], &again["dr_dataset"]), (&group["source_dataset"], &json!(replica)));
    assert_eq!(scene.ask("GET", &format!("{}/checkpoints", scene.group), None).await.json()["total"], 1);
    scene.ask("POST", adopt, Some(json!({ "group_id": id }))).await.expect(409).says("here already");
    operator.get(adopt).await.expect(200).says("Nothing to take over");
}
