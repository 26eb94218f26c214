//! The wizard for a protection group and the pages on which one is changed and removed, as a browser uses them.

use serde_json::json;

use super::protection_groups::{GROUPS, Scene};
use super::site::{Browser, encode};

const NEW: &str = "/protection-groups/new";

/// What the third step sends for a group of this name, with `changed` instead of what it begins with.
fn policy<'a>(name: &'a str, changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("name", name),
        ("description", ""),
        ("rhythm", "rpo"),
        ("rpo_minutes", "15"),
        ("calendar", ""),
        ("time_zone", "UTC"),
        ("source_last", "3"),
        ("source_hourly", "24"),
        ("dr_last", "12"),
        ("dr_daily", "7"),
        ("transport", "auto"),
        ("bandwidth_limit", ""),
        ("quiesce_every", "0"),
        ("priority", "50"),
    ];
    let kept = usual.into_iter().filter(|(field, _)| !changed.iter().any(|(other, _)| other == field));
    kept.chain(changed.iter().copied()).filter(|(_, value)| *value != "(left out)").collect()
}

/// From the datastore to the policy; answers the address of the third step.
async fn to_policy(scene: &Scene, operator: &mut Browser<'_>) -> String {
    let source = format!("{} {}", scene.vcenter, scene.datastore["moref"].as_str().unwrap());
    let got = operator.post(NEW, &[("source", &source)]).await.expect(303);
    let dr = got.header("location").to_owned();
    assert!(dr.starts_with("/protection-groups/drafts/") && dr.ends_with("/dr"), "{dr}");
    let fields = [("dr_vcenter_id", scene.vcenter.as_str()), ("dr_target_id", &scene.dr), ("protect", "on")];
    let policy = format!("{}/policy", dr.strip_suffix("/dr").unwrap());
    operator.get(&dr).await.expect(200).says(&scene.dataset()).says("zfs-b: pool tank");
    operator.post(&dr, &fields).await.leads_to(&policy);
    policy
}

#[tokio::test]
async fn the_wizard_makes_a_group_once_and_nothing_that_was_filled_in_is_lost() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    operator.get("/protection-groups").await.expect(200).says(NEW);
    let page =
        operator.get(NEW).await.expect(200).says(&format!("the dataset {}", scene.dataset())).says("zfs-a");
    assert!(page.text.contains("not an NFS export of an appliance"), "the others are listed with why not");
    operator.post(NEW, &[("source", "")]).await.expect(422).says("Choose the datastore");
    let source = format!("{} datastore-none", scene.vcenter);
    operator.post(NEW, &[("source", &source)]).await.expect(422).says("has no datastore");

    let policy_step = to_policy(&scene, &mut operator).await;
    let (dr, review) = (policy_step.replace("/policy", "/dr"), policy_step.replace("/policy", "/review"));
    let wrong = [("dr_vcenter_id", scene.vcenter.as_str()), ("dr_target_id", &scene.source)];
    operator.post(&dr, &wrong).await.expect(422).says("f-dr_target_id-error").says("has the source");
    let right = [("dr_vcenter_id", scene.vcenter.as_str()), ("dr_target_id", &scene.dr), ("protect", "on")];
    operator.post(&dr, &right).await.leads_to(&policy_step);

    // The preview says what there will be, also while it is being filled in, and what cannot be read.
    operator.get(&policy_step).await.expect(200).says("checkpoints, the oldest about");
    let mut looks = policy("ERP", &[("source_hourly", ""), ("source_last", "4")]);
    looks.push(("go", "look"));
    let token = operator.token.clone();
    looks.push(("csrf", token.as_str()));
    let headers =
        [("sec-fetch-site", "same-origin"), ("origin", "https://zerfaux.test:8443"), ("hx-request", "true")];
    let part = operator.ask("POST", &policy_step, Some(encode(&looks)), &headers).await.expect(200);
    assert!(part.text.contains("about 4 checkpoints, the oldest about 45 minutes old"), "{}", part.text);
    assert!(!part.text.contains("<form"), "only the part that changes");

    let wrong = [
        (("name", " "), "f-name-error"),
        (("rpo_minutes", "0"), "f-rpo_minutes-error"),
        (("rhythm", "calendar"), "Write the calendar, or choose an RPO"),
        (("dr_daily", "many"), "f-dr_daily-error"),
        (("bandwidth_limit", "fast"), "f-bandwidth_limit-error"),
        (("window-0-from", "25:00"), "A window has at least one day"),
    ];
    for (field, says) in wrong {
        let page = operator.post(&policy_step, &policy("ERP", &[field])).await.expect(422).says(says);
        assert!(page.text.contains("value=\"ERP\"") || field.0 == "name", "what was typed stays: {field:?}");
        operator.get(&review).await.expect(422).says(says);
    }
    let none: Vec<(&str, &str)> =
        ["dr_last", "dr_daily"].into_iter().map(|field| (field, "(left out)")).collect();
    operator.post(&policy_step, &policy("ERP", &none)).await.expect(422).says("or keep every checkpoint");

    let window = [
        ("window-0-mon", "on"),
        ("window-0-sun", "on"),
        ("window-0-from", "22:00"),
        ("window-0-to", "06:00"),
        ("window-0-limit", "5M"),
    ];
    let mut more = policy("ERP", &window);
    more.push(("go", "more"));
    operator.post(&policy_step, &more).await.expect(200).says("window-1-from").says("value=\"22:00\"");
    let mut back = policy("ERP", &window);
    back.push(("go", "back"));
    operator.post(&policy_step, &back).await.leads_to(&dr);
    let draft = dr.split('/').nth(3).unwrap().to_owned();
    let first = format!("{NEW}?draft={draft}");
    operator.post(&dr, &[("go", "back"), right[0], right[1], right[2]]).await.leads_to(&first);
    let page = operator.get(&first).await.expect(200).says(&draft);
    assert!(page.text.contains(" checked"), "the datastore is still chosen");

    // In another browser of the same person it is as it was left; for others it is not there.
    let mut elsewhere = scene.site.signed_in("operator").await;
    elsewhere.get(&policy_step).await.expect(200).says("value=\"ERP\"").says("value=\"22:00\"");
    scene.site.signed_in("admin").await.get(&policy_step).await.expect(404).says("begin the group anew");

    operator.post(&policy_step, &policy("ERP", &window)).await.leads_to(&review);
    operator
        .get(&review)
        .await
        .expect(200)
        .says("Create group ERP</button>")
        .says("What will not be touched")
        .says("has no dataset of this name");
    assert_eq!(scene.ask("GET", GROUPS, None).await.json()["total"], 0, "nothing is made by looking");
    elsewhere.get(&review).await.expect(200);
    let create = review.replace("/review", "/create");
    let made = operator.post(&create, &[]).await.expect(303).header("location").to_owned();
    let again = elsewhere.post(&create, &[]).await.expect(303).header("location").to_owned();
    assert_eq!(made, again, "created once");
    let groups = scene.ask("GET", GROUPS, None).await.json();
    assert_eq!(groups["total"], 1);
    let group = &groups["items"][0];
    assert_eq!(format!("/protection-groups/{}", group["id"].as_str().unwrap()), made);
    assert_eq!((&group["name"], &group["source_dataset"]), (&json!("ERP"), &json!(scene.dataset())));
    assert_eq!(
        group["timetable"]["windows"],
        json!([{ "days": ["mon", "sun"], "from": "22:00", "to": "06:00", "bandwidth_limit": "5 MiB/s" }])
    );
    let vms = format!("{GROUPS}/{}/protected-vms", group["id"].as_str().unwrap());
    let vms = scene.ask("GET", &vms, None).await.json();
    assert!(vms["total"].as_u64().unwrap() > 0, "those that live on the datastore are assigned: {vms}");
    // What was sent off is no form any more, and the datastore is taken.
    for step in [&dr, &policy_step, &review] {
        operator.get(step).await.leads_to(&made);
    }
    operator.post(&policy_step, &policy("CRM", &[])).await.leads_to(&made);
    operator.get(NEW).await.expect(200).says("The group ERP protects it already");
    let lines = scene.ask("GET", "/api/replication/audit?q=protection_group.create", None).await.json();
    assert_eq!(lines["total"], 1, "{lines}");
}

#[tokio::test]
async fn a_draft_outlives_the_process_and_a_viewer_makes_none() {
    let scene = Scene::new().await;
    let mut viewer = scene.site.signed_in("viewer").await;
    viewer.get(NEW).await.expect(403);
    let page = viewer.get("/protection-groups").await.expect(200);
    assert!(!page.text.contains(NEW), "no button for who may not");
    viewer.post(NEW, &[("source", "x y")]).await.expect(403);
    let mut operator = scene.site.signed_in("operator").await;
    operator.get(NEW).await.expect(200);
    let step = to_policy(&scene, &mut operator).await;
    operator.post(&step, &policy("ERP", &[("description", "all of it")])).await.expect(303);
    let site = scene.site.restarted().await;
    let mut operator = site.signed_in("operator").await;
    operator.get(&step).await.expect(200).says("value=\"all of it\"");
    site.signed_in("viewer").await.get(&step).await.expect(403);
}

#[tokio::test]
async fn a_group_is_changed_and_removed_on_its_pages() {
    let scene = Scene::new().await;
    let made = scene.ask("POST", GROUPS, Some(scene.body("ERP"))).await.expect(201).json();
    let page = format!("/protection-groups/{}", made["id"].as_str().unwrap());
    let mut operator = scene.site.signed_in("operator").await;
    for tab in ["", "/vms", "/checkpoints", "/history", "/settings", "/obstacles"] {
        operator.get(&format!("{page}{tab}")).await.expect(200).says("ERP");
    }
    operator
        .get(&format!("{page}/checkpoints?gone=1&holds=1"))
        .await
        .expect(200)
        .says("The DR side was not asked");
    let edit = format!("{page}/edit");
    operator.get(&edit).await.expect(200).says("value=\"ERP\"").says("What is replicated stays");
    let wrong = policy("ERP", &[("priority", "101"), ("enabled", "on")]);
    operator.post(&edit, &wrong).await.expect(422).says("f-priority-error");
    let change = [
        ("rhythm", "calendar"),
        ("calendar", "0 3 * * *"),
        ("time_zone", "Europe/Berlin"),
        ("source_all", "on"),
        ("enabled", "on"),
    ];
    let settings = format!("{page}/settings");
    operator.post(&edit, &policy("ERP and CRM", &change)).await.leads_to(&settings);
    operator.get(&settings).await.expect(200).says("by the calendar 0 3 * * *").says("every checkpoint");
    let path = format!("{GROUPS}/{}", made["id"].as_str().unwrap());
    let group = scene.ask("GET", &path, None).await.json();
    assert_eq!((&group["name"], &group["rpo_minutes"]), (&json!("ERP and CRM"), &json!(null)));
    assert_eq!(group["dr_dataset"], made["dr_dataset"]);
    operator.post(&edit, &policy("ERP and CRM", &[])).await.leads_to(&settings);
    assert_eq!(
        scene.ask("GET", &path, None).await.json()["enabled"],
        json!(false),
        "no check, no replication"
    );
    operator.get(&page).await.expect(200).says("switched off");

    let mut viewer = scene.site.signed_in("viewer").await;
    for place in [&edit, &format!("{page}/delete")] {
        viewer.get(place).await.expect(403);
    }
    let seen = viewer.get(&settings).await.expect(200);
    assert!(!seen.text.contains("/delete\"") && !seen.text.contains("/edit\""), "no button for who may not");

    let delete = format!("{page}/delete");
    let replica = made["dr_dataset"].as_str().unwrap();
    operator.get(&delete).await.expect(200).says(replica).says("stays");
    operator.post(&delete, &[("confirm", "ERP")]).await.expect(422).says("This is not its name");
    operator.post(&delete, &[("confirm", "ERP and CRM")]).await.leads_to("/protection-groups");
    operator.get("/protection-groups").await.expect(200).says(replica);
    operator.get(&page).await.expect(404);
}
