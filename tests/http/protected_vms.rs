//! The pages of a group's virtual machines and the two wizards, over the simulated sites of `protecting.rs`.

use serde_json::Value;

use super::protecting::{DATASTORE, Scene};
use super::site::Browser;

/// Where a redirect leads.
fn led(got: &super::site::Got) -> String {
    assert_eq!(got.status.as_u16(), 303, "{}", got.text);
    got.header("location").to_owned()
}

/// Lets the job run to its end.
async fn ends(scene: &Scene, page: &str) -> Value {
    scene.until("the job ends", page, |job| !job["finished_at"].is_null()).await
}

async fn jobs_of(scene: &Scene, kind: &str) -> u64 {
    scene.ask("GET", &format!("/jobs?kind={kind}"), None).await.json()["total"].as_u64().unwrap()
}

/// The first virtual machine that can be chosen: the name of its field.
async fn choosable(browser: &mut Browser<'_>, address: &str) -> String {
    let page = browser.get(address).await.expect(200).text;
    let at = page.find("type=\"checkbox\" name=\"vm-").unwrap_or_else(|| panic!("{page}"));
    page[at..].split('"').nth(3).unwrap().to_owned()
}

#[tokio::test]
async fn virtual_machines_are_chosen_for_a_group_and_taken_out_again() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    let new = format!("{}/vms/new", scene.group);
    operator.get(&format!("{}/vms", scene.group)).await.expect(200).says("Assign virtual machines");
    // Those on its datastore first; the one that the scene protects is among the others, and cannot be chosen again.
    operator.get(&new).await.expect(200).says(&format!("On {DATASTORE}"));
    operator.get(&format!("{new}?show=all")).await.expect(200).says("It is in this group already");
    operator.get(&format!("{new}?show=all&q=nothing-like-it")).await.expect(200).says("No VM matches");
    operator.get(&format!("{new}?show=all")).await.expect(200).says("It is a template");

    let list = format!("{}/vms", scene.group);
    let field = choosable(&mut operator, &format!("{new}?show=all")).await;
    operator.post(&list, &[("show", "all")]).await.expect(422).says("Choose 1 to 500");
    let gone = [("show", "all"), ("vm-vm-no-such", "on"), (field.as_str(), "on")];
    let again = operator.post(&list, &gone).await.expect(422).says("has no virtual machine");
    // What was ticked stays ticked.
    assert!(again.text.contains("checked"), "{}", again.text);
    operator.post(&list, &[(field.as_str(), "on")]).await.leads_to(&list);
    // A second click is told what happened with the first.
    operator.post(&list, &[(field.as_str(), "on")]).await.leads_to(&list);
    let path = format!("{}/protected-vms", scene.group);
    let all = scene.ask("GET", &path, None).await.json();
    assert_eq!(all["total"], 2, "{all}");

    let moref = field.strip_prefix("vm-").unwrap();
    let one = all["items"].as_array().unwrap().iter().find(|one| one["moref"] == moref).unwrap();
    let own = format!("/protected-vms/{}", one["id"].as_str().unwrap());
    operator.get(&own).await.expect(200).says("Until it can be recovered").says("Make DR shell…");
    operator.get(&format!("{own}/remove")).await.expect(200).says("stay where they are");
    operator.post(&format!("{own}/remove"), &[("confirm", "another")]).await.expect(422).says("not its name");
    let name = one["name"].as_str().unwrap();
    operator.post(&format!("{own}/remove"), &[("confirm", name)]).await.leads_to(&list);
    operator.get(&own).await.expect(404);
    assert_eq!(scene.ask("GET", &path, None).await.json()["total"], 1);
}

#[tokio::test]
async fn who_only_looks_sees_the_pages_and_no_buttons() {
    let scene = Scene::new().await;
    let mut viewer = scene.site.signed_in("viewer").await;
    for page in [scene.vm.clone(), format!("{}/move", scene.vm), format!("{}/vms", scene.group)] {
        let got = viewer.get(&page).await.expect(200);
        let main = got.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
        assert!(!main.contains("method=\"post\""), "{page}: {main}");
    }
    for (page, sent) in [
        (format!("{}/vms/new", scene.group), false),
        (format!("{}/vms", scene.group), true),
        (format!("{}/move", scene.group), true),
        (format!("{}/move", scene.vm), true),
        (format!("{}/dr-shell", scene.vm), false),
        (format!("{}/dr-shell", scene.vm), true),
        (format!("{}/remove", scene.vm), true),
    ] {
        let got = if sent { viewer.post(&page, &[]).await } else { viewer.get(&page).await };
        assert_eq!(got.status.as_u16(), 403, "{page}: {}", got.text);
    }
    assert_eq!(jobs_of(&scene, "move_to_protection_datastore").await, 0);
}

#[tokio::test]
async fn the_wizard_moves_a_machine_with_one_job_and_shows_that_it_was_verified() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    let own = format!("{}/move", scene.vm);
    let page = operator.get(&own).await.expect(200).says("elsewhere").says("Configuration");
    assert!(page.text.contains(DATASTORE) && !page.text.contains("Verified:"), "{}", page.text);
    let first = led(&operator.post(&own, &[]).await);
    // Pressed twice, and in a second tab: the same job.
    assert_eq!(led(&operator.post(&own, &[]).await), first);
    let mut other = scene.site.signed_in("operator").await;
    other.get(&own).await.expect(200).says("is being moved").says(&first);
    assert_eq!(led(&other.post(&own, &[]).await), first);
    assert_eq!(jobs_of(&scene, "move_to_protection_datastore").await, 1);

    let job = ends(&scene, &first).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    operator.get(&first).await.expect(200).says("Verified");
    let plan = format!("{}/protection-plan", scene.vm);
    scene.until("the inventory follows", &plan, |plan| plan["compliant"] == true).await;
    operator.get(&own).await.expect(200).says("Verified: everything is on").says("Make its DR shell");
    // Sent from a page that was left open: nothing is started.
    operator.post(&own, &[]).await.leads_to(&own);
    assert_eq!(jobs_of(&scene, "move_to_protection_datastore").await, 1);
}

#[tokio::test]
async fn several_machines_are_moved_with_one_job() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    let field = choosable(&mut operator, &format!("{}/vms/new?show=all", scene.group)).await;
    operator.post(&format!("{}/vms", scene.group), &[(field.as_str(), "on")]).await.expect(303);
    let own = format!("{}/move", scene.group);
    operator.get(&format!("{}/vms", scene.group)).await.expect(200).says("Move 2 of them");
    let page = operator.get(&own).await.expect(200).says("up to 50").text;
    let fields: Vec<String> = page
        .split("name=\"vm-")
        .skip(1)
        .map(|rest| format!("vm-{}", rest.split('"').next().unwrap()))
        .collect();
    assert_eq!(fields.len(), 2, "{page}");
    operator.post(&own, &[]).await.expect(422).says("Choose at least one");
    let sent: Vec<(&str, &str)> = fields.iter().map(|field| (field.as_str(), "on")).collect();
    let job = led(&operator.post(&own, &sent).await);
    assert_eq!(led(&operator.post(&own, &sent).await), job);
    let job = ends(&scene, &job).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["result"]["vms"].as_array().unwrap().len(), 2, "{job}");
}

#[tokio::test]
async fn the_wizard_of_a_shell_keeps_what_was_chosen_and_starts_one_job() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    let own = format!("{}/dr-shell", scene.vm);
    // Nothing is replicated yet: said first, with the way to mend it.
    let page = operator.get(&own).await.expect(200).says("it is not replicated");
    assert!(page.text.contains(&format!("{}/move", scene.vm)), "{}", page.text);
    let moved = led(&operator.post(&format!("{}/move", scene.vm), &[]).await);
    ends(&scene, &moved).await;
    let plan = format!("{}/protection-plan", scene.vm);
    scene.until("the inventory follows", &plan, |plan| plan["compliant"] == true).await;

    let without = format!("{own}/review?name=erp-dr&home_datastore=");
    operator.get(&without).await.expect(200).says("Choose the datastore of the shell");
    let asked = format!("name=erp-dr&home_datastore={}&keep_view=on", scene.local);
    let review = format!("{own}/review?{asked}");
    // In the same vCenter the name is taken by the source itself.
    scene
        .until(
            "nothing stands in the way",
            &format!("{}/dr-shell-plan?{asked}", scene.vm).replace("&keep_view=on", ""),
            |plan| plan["possible"] == true,
        )
        .await;
    let page = operator.get(&review).await.expect(200).says("Make erp-dr").says("What will not be touched");
    assert!(page.text.contains("name=\"keep_view\" value=\"on\""), "{}", page.text);
    // Back: as it was chosen.
    let back = operator.get(&format!("{own}?{asked}")).await.expect(200);
    assert!(back.text.contains("value=\"erp-dr\"") && back.text.contains("checked"), "{}", back.text);

    operator.post(&own, &[("name", "erp-dr"), ("home_datastore", "")]).await.expect(422).says("Change it");
    let sent = [("name", "erp-dr"), ("home_datastore", scene.local.as_str())];
    let job = led(&operator.post(&own, &sent).await);
    assert_eq!(led(&operator.post(&own, &sent).await), job);
    operator.get(&review).await.leads_to(&job);
    assert_eq!(jobs_of(&scene, "create_dr_shell").await, 1);
    operator.get(&scene.vm).await.expect(200).says("A job works on its DR shell");
    // Nothing was replicated: the job says so, and the wizard can be gone through again.
    let job = ends(&scene, &job).await;
    assert_eq!((&job["state"], &job["failed_phase"]), (&"failed".into(), &"view".into()), "{job}");
    operator.get(&own).await.expect(200).says("Next: review");
}
