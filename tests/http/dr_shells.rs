//! A DR shell that is there: its repair and its removal, on pages and through the API.

use serde_json::{Value, json};

use super::protecting::Scene;

pub(super) async fn done(scene: &Scene, accepted: &Value) {
    let job = format!("/jobs/{}", accepted["job_id"].as_str().unwrap_or_else(|| panic!("{accepted}")));
    let ended = scene.until("the job ends", &job, |job| !job["finished_at"].is_null()).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
}

/// Moves, replicates, and makes the shell. Gives its address.
pub(super) async fn shell(scene: &Scene) -> String {
    let moved =
        scene.ask("POST", &format!("{}/move-to-protection-datastore", scene.vm), Some(json!({}))).await;
    done(scene, &moved.expect(202).json()).await;
    let change = json!({ "enabled": true, "transport": "relay", "rpo_minutes": 1440 });
    scene.ask("PATCH", &scene.group, Some(change)).await.expect(200);
    let run = scene.ask("POST", &format!("{}/run-now", scene.group), None).await.expect(202).json();
    done(scene, &run).await;
    let wish = json!({ "name": "erp-dr", "home_datastore": scene.local });
    let plan = format!("{}/dr-shell-plan?name=erp-dr&home_datastore={}", scene.vm, scene.local);
    scene.until("nothing stands in the way", &plan, |plan| plan["possible"] == true).await;
    let made =
        scene.ask("POST", &format!("{}/create-dr-shell", scene.vm), Some(wish)).await.expect(202).json();
    done(scene, &made).await;
    let all = scene.ask("GET", &format!("{}/dr-shells", scene.group), None).await.expect(200).json();
    assert_eq!(all["total"], 1, "{all}");
    format!("/dr-shells/{}", all["items"][0]["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_shell_is_repaired_and_removed_from_its_pages() {
    let scene = Scene::new().await;
    let own = shell(&scene).await;
    let is_seen = |one: &Value| one["status"] == "ready";
    scene.until("the inventory has it", &own, is_seen).await;
    let mut viewer = scene.site.signed_in("viewer").await;
    viewer.get(&format!("{own}/repair")).await.expect(403);
    let mut operator = scene.site.signed_in("operator").await;
    let plan = operator.get(&format!("{own}/repair")).await.expect(200);
    let plan = plan.says("Refresh erp-dr").says("What will not be touched");
    assert!(!plan.text.contains("In what it differs now"), "{}", plan.text);
    let led = operator.post(&format!("{own}/repair"), &[]).await.expect(303);
    let job = led.header("location").trim_start_matches("/jobs/").to_owned();
    done(&scene, &json!({ "job_id": job })).await;
    operator.get("/dr-shells/01937c5e-0000-7000-8000-000000000001/repair").await.expect(404);

    scene.ask("DELETE", &scene.group, None).await.expect(409).says("erp-dr");
    operator.get(&format!("{own}/remove")).await.expect(200).says("Remove the DR shell erp-dr");
    operator.post(&format!("{own}/remove"), &[("confirm", "erp")]).await.expect(422).says("not its name");
    let led = operator.post(&format!("{own}/remove"), &[("confirm", "erp-dr")]).await.expect(303);
    let job = led.header("location").trim_start_matches("/jobs/").to_owned();
    done(&scene, &json!({ "job_id": job })).await;
    scene.ask("GET", &own, None).await.expect(404);
    operator.get(&format!("{own}/repair")).await.expect(404);
}
