//! The recovery plan of a group through the API and through its pages, and how far its recovery is.

use serde_json::{Value, json};

use super::protecting::Scene;

/// The plan's address, and the id of the protected virtual machine.
fn places(scene: &Scene) -> (String, String) {
    let vm = scene.vm.rsplit('/').next().unwrap().to_owned();
    (format!("{}/recovery-plan", scene.group), vm)
}

fn kinds(plan: &Value) -> Vec<&str> {
    plan["findings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_plan_is_there_before_anybody_made_one_and_two_people_do_not_overwrite_each_other() {
    let scene = Scene::new().await;
    let (path, vm) = places(&scene);
    let first = scene.ask("GET", &path, None).await.expect(200).json();
    assert_eq!((&first["version"], &first["changed_by"]), (&json!(0), &Value::Null));
    assert_eq!(first["plan"]["tiers"][0]["vms"][0]["vm"], json!(vm));
    assert_eq!(first["plan"]["defaults"], json!({ "proof": { "kind": "tools" }, "limit_seconds": 300 }));
    // Nothing was replicated yet, and there is no shell.
    assert_eq!(kinds(&first), ["no_checkpoint", "no_shell"]);
    assert_eq!(first["findings"][1]["mend"], json!(scene.vm));

    let mut plan = first["plan"].clone();
    plan["tiers"][0]["name"] = json!("Databases");
    plan["tiers"][0]["vms"][0]["check"] =
        json!({ "proof": { "kind": "tcp_port", "port": 5432 }, "limit_seconds": 60 });
    let body = json!({ "version": 0, "plan": plan });
    let second = scene.ask("PUT", &path, Some(body.clone())).await.expect(200).json();
    assert_eq!((&second["version"], &second["plan"]), (&json!(1), &plan));
    assert!(second["changed_by"].as_str().unwrap().contains("admin"), "{second}");
    // Whoever read the default meanwhile is told, and nothing is lost.
    let late = scene.ask("PUT", &path, Some(body)).await.expect(409).says("meanwhile");
    assert!(late.json()["type"].as_str().unwrap().ends_with("/conflict"));
    assert_eq!(scene.ask("GET", &path, None).await.json()["version"], 1);
    // Who changed it stands in the audit log.
    scene.ask("GET", "/audit?q=recovery_plan.change", None).await.expect(200).says("recovery_plan.change");
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused_with_each_thing_that_is_wrong() {
    let scene = Scene::new().await;
    let (path, vm) = places(&scene);
    let stranger = "01937c5e-0000-7000-8000-0000deadbeef";
    let nic = json!({ "key": 4000, "address": {
        "kind": "static", "address": "10.0.0.5", "prefix": 24, "gateway": "10.0.1.1",
    } });
    let body = json!({ "version": 0, "plan": { "tiers": [
        { "name": "A", "vms": [{ "vm": vm, "nics": [nic] }] },
        { "name": "a", "vms": [{ "vm": vm }, { "vm": stranger }] },
    ] } });
    let got = scene.ask("PUT", &path, Some(body)).await.expect(422);
    let errors = got.json()["errors"].to_string();
    for word in [
        "tiers[0].vms[0].nics[0].address: the gateway 10.0.1.1 is not in 10.0.0.0/24",
        "tiers[1].name: two tiers are called",
        "tiers[1].vms[0].vm: virtual machine",
        "is not in this group",
    ] {
        assert!(errors.contains(word), "{word:?} is not in {errors}");
    }
    for plan in [
        json!({ "tiers": [] }),
        json!({ "teirs": [] }),
        json!({ "tiers": [{ "name": "A", "vms": [{ "vm": "no id" }] }] }),
        json!({ "defaults": { "proof": { "kind": "ping" }, "limit_seconds": 60 } }),
    ] {
        let body = json!({ "version": 0, "plan": plan });
        scene.ask("PUT", &path, Some(body)).await.expect(422);
    }
    assert_eq!(scene.ask("GET", &path, None).await.json()["version"], 0);
    let nobody = format!("/protection-groups/{stranger}/recovery-plan");
    scene.ask("GET", &nobody, None).await.expect(404);
}

#[tokio::test]
async fn networks_are_checked_against_what_the_dr_vcenter_has() {
    let scene = Scene::new().await;
    let (path, _) = places(&scene);
    let to = |id: &str| json!({ "network-x": { "to": "network", "id": id, "name": "isolated" } });
    let all = scene.ask("GET", &format!("/vcenters/{}/networks", scene.vcenter), None).await.json();
    let there = all["items"][0]["moref"].as_str().unwrap_or_else(|| panic!("{all}")).to_owned();
    let body = json!({ "version": 0, "plan": { "networks": { "test": to(&there), "real": to(&there) } } });
    let kept = scene.ask("PUT", &path, Some(body)).await.expect(200).json();
    assert!(kinds(&kept).contains(&"test_on_real_network"), "{kept}");
    // The page offers what the DR vCenter has, and keeps what was chosen.
    let mut operator = scene.site.signed_in("operator").await;
    let map = format!("{path}/networks");
    let page = operator.get(&map).await.expect(200).says("network-x").text;
    assert!(page.contains(&format!("value=\"{there}\" selected")), "{page}");
    let sent = [("version", "1"), ("test-0", "-"), ("real-0", "")];
    operator.post(&map, &sent).await.leads_to(&path);
    let now = scene.ask("GET", &path, None).await.json();
    assert_eq!(
        now["plan"]["networks"],
        json!({ "test": { "network-x": { "to": "disconnected" } }, "real": {} })
    );
    let gone = [("version", "2"), ("test-0", "network-that-is-not"), ("real-0", "")];
    operator.post(&map, &gone).await.expect(422).says("not in the DR vCenter any more");
    operator.post(&map, &sent).await.expect(422).says("Somebody else changed this recovery plan");
    // What only the DR site can say is asked when somebody wants to know it.
    let asked = scene.ask("GET", &format!("{path}/check"), None).await.expect(200).json();
    assert!(kinds(&asked).contains(&"no_checkpoint"), "{asked}");
    operator.get(&format!("{path}/check")).await.expect(200).says("no checkpoint");
}

#[tokio::test]
async fn tiers_and_machines_are_moved_on_the_page_without_a_script() {
    let scene = Scene::new().await;
    let (path, vm) = places(&scene);
    let mut operator = scene.site.signed_in("operator").await;
    operator.get(&path).await.expect(200).says("All virtual machines").says("Nobody changed it yet");
    operator.post(&path, &[("version", "0"), ("go", "add")]).await.leads_to(&path);
    let names = [("tier-0-name", "Databases"), ("tier-0-delay", "60"), ("tier-1-name", "The rest")];
    let later = format!("later:{vm}");
    let mut sent = names.to_vec();
    sent.extend([("version", "1"), ("go", later.as_str())]);
    operator.post(&path, &sent).await.leads_to(&path);
    let plan = scene.ask("GET", &path, None).await.json()["plan"].clone();
    assert_eq!(
        (&plan["tiers"][0]["name"], &plan["tiers"][0]["delay_after_seconds"]),
        (&json!("Databases"), &json!(60))
    );
    assert_eq!(plan["tiers"][1]["vms"][0]["vm"], json!(vm));
    // What cannot be read is said, and stays unsaved.
    let wrong = [("version", "2"), ("go", "save"), ("tier-0-delay", "soon")];
    operator.post(&path, &wrong).await.expect(422).says("The pause after tier 1 is a number of seconds");
    let empty = [("version", "2"), ("go", "save"), ("tier-0-name", " ")];
    operator.post(&path, &empty).await.expect(422).says("The name of tier 1");

    // One machine: its check, an address, what a person is asked.
    let own = format!("{path}/vms/{vm}");
    operator.get(&own).await.expect(200).says("What proves that it runs").says("Tier 2: The rest");
    let port = [("version", "2"), ("tier", "2"), ("proof", "tcp_port"), ("port", "x"), ("limit", "60")];
    operator.post(&own, &port).await.expect(422).says("The TCP port is a number").says("value=\"x\"");
    let good = [
        ("version", "2"),
        ("tier", "1"),
        ("delay", "5"),
        ("proof", "tcp_port"),
        ("port", "5432"),
        ("limit", "60"),
        ("prompt_before", "Call <the> bank"),
        ("left_out", "on"),
    ];
    operator.post(&own, &good).await.leads_to(&path);
    let page = operator.get(&path).await.expect(200).says("left out").says("a person is asked");
    assert!(!page.text.contains("Nobody changed it yet"));
    let said = scene.ask("GET", &path, None).await.json()["plan"]["tiers"][0]["vms"][0].clone();
    assert_eq!(
        said,
        json!({
            "vm": vm, "left_out": true, "delay_before_seconds": 5, "nics": [], "prompt_after": "", "notes": "",
            "check": { "proof": { "kind": "tcp_port", "port": 5432 }, "limit_seconds": 60 },
            "prompt_before": "Call <the> bank",
        })
    );
    operator.get(&own).await.expect(200).says("Call &#60;the&#62; bank");
    operator.post(&path, &[("version", "3"), ("go", "drop:1")]).await.leads_to(&path);
    assert_eq!(scene.ask("GET", &path, None).await.json()["plan"]["tiers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_only_looks_reads_the_plan_and_changes_nothing() {
    let scene = Scene::new().await;
    let (path, vm) = places(&scene);
    let mut viewer = scene.site.signed_in("viewer").await;
    let got = viewer.get(&path).await.expect(200).says("VMware Tools run within 300 s");
    let main = got.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
    assert!(!main.contains("method=\"post\""), "{main}");
    viewer.post(&path, &[("version", "0"), ("go", "add")]).await.expect(403);
    viewer.get(&format!("{path}/vms/{vm}")).await.expect(403);
}

#[tokio::test]
async fn what_may_be_done_next_is_said_and_why_the_rest_may_not() {
    let scene = Scene::new().await;
    let state = scene.ask("GET", &format!("{}/recovery-state", scene.group), None).await.expect(200).json();
    assert_eq!(
        (&state["phase"], &state["epoch"], &state["at_home"]),
        (&json!("protected"), &json!(1), &json!(true))
    );
    let verbs = state["verbs"].as_array().unwrap();
    let why = |verb: &str| {
        let found = verbs.iter().find(|one| one["verb"] == verb).unwrap_or_else(|| panic!("{state}"));
        (found["may"].as_bool().unwrap(), found["why_not"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(
        why("test"),
        (false, "There is no checkpoint at the DR side yet. Run the group first.".to_owned())
    );
    assert_eq!(why("rollback"), (false, "There is no failover that is not committed.".to_owned()));
    let mut viewer = scene.site.signed_in("viewer").await;
    viewer
        .get(&format!("{}/recovery-plan", scene.group))
        .await
        .expect(200)
        .says("There is no checkpoint at the DR side yet");
}
