//! What the recovery plan has people do: a run waits there, says so, and goes on when somebody has confirmed it.

use serde_json::json;
use zerfaux::domain::access::Role;

use super::rehearsing::replicated;

const API: &str = "/api/replication";

#[tokio::test]
async fn a_run_waits_for_a_person_where_its_plan_asks_and_goes_on_when_it_is_confirmed() {
    let scene = replicated().await;
    let at = format!("{}/recovery-plan", scene.group);
    let kept = scene.ask("GET", &at, None).await.expect(200).json();
    let vm = scene.vm.rsplit('/').next().unwrap();
    let mut plan = kept["plan"].clone();
    plan["tiers"] = json!([{
        "name": "All",
        "vms": [{ "vm": vm, "prompt_before": "Call the bank", "prompt_after": "Try the shop" }],
    }]);
    let body = json!({ "version": kept["version"], "plan": plan });
    scene.ask("PUT", &at, Some(body)).await.expect(200);
    let mut operator = scene.site.signed_in("operator").await;
    let form = operator.get(&format!("{}/test", scene.group)).await.expect(200);
    form.says("waits there until somebody has confirmed");
    scene.ask("POST", &format!("{}/test-failover", scene.group), Some(json!({}))).await.expect(202);
    let all = scene.ask("GET", "/recovery-runs", None).await.expect(200).json();
    let page = format!("/recovery-runs/{}", all["items"][0]["id"].as_str().unwrap());

    let asks =
        |moment: &'static str| move |run: &serde_json::Value| run["vms"][0]["prompt"]["moment"] == moment;
    let view = scene.until("it asks", &page, asks("before")).await;
    assert_eq!(
        (&view["vms"][0]["prompt"]["text"], &view["phase"]),
        (&json!("Call the bank"), &json!("starting"))
    );
    let steps = view["vms"][0]["steps"].to_string();
    assert!(!steps.contains("power_on"), "it is not powered on before: {steps}");
    operator.get(&page).await.expect(200).says("waits for a person").says("Call the bank").says("It is done");
    let uuid = view["vms"][0]["source_instance_uuid"].as_str().unwrap().to_owned();
    let confirm = format!("{page}/vms/{uuid}/confirm");

    // Nobody confirms what is not asked, or who may not.
    let viewer = scene.site.token("looks", Role::Viewer).await;
    let before = || Some(json!({ "moment": "before" }));
    scene.site.program(&viewer, "POST", &format!("{API}{confirm}"), before()).await.expect(403);
    let mut looks = scene.site.signed_in("viewer").await;
    let shown = looks.get(&page).await.expect(200).says("Call the bank");
    assert!(!shown.text.contains("It is done"), "a viewer has no such button");
    scene.ask("POST", &confirm, Some(json!({ "moment": "after" }))).await.expect(409);
    scene.ask("POST", &confirm, Some(json!({ "moment": "soon" }))).await.expect(422);
    scene.ask("POST", &format!("{page}/vms/nobody/confirm"), before()).await.expect(404);
    assert_eq!(scene.ask("GET", &page, None).await.json()["vms"][0]["prompt"]["moment"], "before");

    let form = [("source_uuid", uuid.as_str()), ("moment", "before")];
    operator.post(&format!("{page}/confirm"), &form).await.expect(303);
    operator.post(&format!("{page}/confirm"), &form).await.expect(303);
    scene.until("it asks again", &page, asks("after")).await;
    scene.ask("POST", &confirm, Some(json!({ "moment": "after" }))).await.expect(200);
    let view = scene.until("it is up", &page, |run| run["phase"] == "awaiting_verdict").await;
    let vm = &view["vms"][0];
    assert_eq!((&vm["state"], &vm["prompt"]), (&json!("up"), &json!(null)), "{view}");
    assert_eq!(vm["steps"].to_string().matches("was confirmed by").count(), 2, "{vm}");
    operator.get(&format!("{page}/report.html")).await.expect(200).says("Call the bank");
    let (lines, _) = scene.site.app.audit_lines(&Default::default()).await.unwrap();
    let count = lines.iter().filter(|line| line.entry.action == "recovery_run.confirm_prompt").count();
    assert_eq!(count, 2, "each once");
}
