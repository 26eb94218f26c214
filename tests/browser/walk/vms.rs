//! From a virtual machine anywhere to one that is protected and has a DR shell: both wizards as somebody uses them.

use super::group::Sites;
use super::hands::Person;

/// The first virtual machine that can be chosen and is not on the group's datastore.
const ELSEWHERE: &str = "const row = [...document.querySelectorAll('tbody tr')].find(row => \
     row.querySelector('input[type=checkbox]') && !row.innerText.includes('nfs-erp')); \
     return row ? row.querySelector('td.key a').innerText.trim() : null";

/// Presses a button that starts a job in this tab, then in one that was opened before: it is one job. Gives its page.
async fn once(person: &mut Person, button: &str) -> String {
    let page = person.browser.client.current_url().await.unwrap().to_string();
    let first = person.browser.client.window().await.unwrap();
    let second = person.browser.client.new_window(true).await.unwrap().handle;
    person.browser.client.switch_to_window(second.clone()).await.unwrap();
    person.open(&page).await;
    person.offers(button).await;
    person.browser.client.switch_to_window(first.clone()).await.unwrap();
    person.press(button).await;
    let job = person.path().await;
    assert!(job.starts_with("/jobs/"), "{job}");
    person.browser.client.switch_to_window(second).await.unwrap();
    person.press(button).await;
    let again = person.path().await;
    // The first may have ended by now; then there is nothing left to be started.
    assert!(again == job || again.starts_with("/protected-vms/"), "started in a second tab: {again}");
    person.browser.client.close_window().await.unwrap();
    person.browser.client.switch_to_window(first).await.unwrap();
    job
}

/// Assigns one that lies elsewhere. Gives its name.
pub async fn assign(person: &mut Person, group: &str) -> String {
    person.open(&format!("{group}/vms")).await;
    // Those on the datastore came with the group.
    person.looks("vms-of-the-wizard").await;
    person.press("Assign virtual machines").await;
    person.sees("On nfs-erp").await;
    person.sees("It is in this group already").await;
    person.looks("vms-assign-here").await;
    person.press("All of the vCenter").await;
    person.sees("have to be moved there").await;
    person.press("Protect the chosen ones with ERP").await;
    person.sees("Choose 1 to 500").await;
    person.looks("vms-assign-wrong").await;
    let name = person.browser.run(ELSEWHERE, Vec::new()).await;
    let name = name.as_str().unwrap_or_else(|| panic!("none lies elsewhere")).to_owned();
    person.tick(&format!("Protect {name}")).await;
    person.press("Protect the chosen ones with ERP").await;
    person.sees(&format!("{name} is in the group now")).await;
    person.sees("the protection datastore").await;
    person.looks("vms").await;
    name
}

/// The first wizard: compared, moved, verified.
pub async fn move_it(person: &mut Person, name: &str) {
    person.press(name).await;
    person.sees("Until it can be recovered").await;
    person.looks("vm-elsewhere").await;
    person.press("Move…").await;
    person.sees("Where its files are").await;
    person.looks("move-compare").await;
    let wizard = person.path().await;
    let job = once(person, &format!("Move {name} to nfs-erp")).await;
    person.open(&job).await;
    person.sees("Read back from the vCenter").await;
    person.looks("move-job").await;
    person.open(&wizard).await;
    person.sees_when_loaded_again("Verified: everything is on nfs-erp").await;
    person.looks("move-verified").await;
}

/// The second one: planned, changed, reviewed, made; then the shell's page.
pub async fn make_shell(person: &mut Person, name: &str, group: &str, sites: &Sites) {
    let before = sites.vcenter.count("VirtualMachine");
    person.press("Make its DR shell…").await;
    person.sees("Which network at the DR site").await;
    // The DR side of this group is the same vCenter, so its name is taken there.
    person.looks("shell-plan").await;
    let shell = format!("{name}-dr");
    person.fill("Name", &shell).await;
    person.choose_like("Datastore of its own files", "san-").await;
    person.press("Look again").await;
    assert_eq!(person.value("Name").await, shell, "what was chosen is kept");
    person.press("Next: review").await;
    person.sees("What will not be touched").await;
    person.looks("shell-review").await;
    person.browser.client.refresh().await.unwrap();
    person.sees(&format!("Make {shell}")).await;
    person.press("Back").await;
    assert_eq!(person.value("Name").await, shell, "by going back");
    person.press("Next: review").await;
    let review = person.browser.client.current_url().await.unwrap().to_string();
    // What it stands for has to be in a checkpoint first.
    person.open(group).await;
    person.sees_when_loaded_again("Run now").await;
    person.press("Run now").await;
    person.sees("succeeded").await;
    person.open(&review).await;
    let job = once(person, &format!("Make {shell}")).await;
    person.open(&job).await;
    person.sees("What it made").await;
    person.looks("shell-job").await;
    assert_eq!(
        sites.vcenter.count("VirtualMachine"),
        before + 1,
        "one shell, however often it was asked for"
    );
    person.open(&format!("{group}/vms")).await;
    person.press(name).await;
    person.sees("Until it can be recovered").await;
    person.sees_when_loaded_again("Its DR shell has the virtual machine's hardware").await;
    person.looks("vm").await;
}

/// Takes it away again.
pub async fn remove_shell(person: &mut Person, name: &str, group: &str, sites: &Sites) {
    let (before, shell) = (sites.vcenter.count("VirtualMachine"), format!("{name}-dr"));
    person.open(&format!("{group}/vms")).await;
    person.press(name).await;
    person.sees("Until it can be recovered").await;
    person.press("Remove…").await;
    person.sees("Its disks are detached first").await;
    person.looks("shell-remove").await;
    person.fill(&format!("Type {shell} to confirm"), &shell).await;
    person.press(&format!("Remove {shell}")).await;
    person.sees("succeeded").await;
    person.looks("shell-removed").await;
    assert_eq!(sites.vcenter.count("VirtualMachine"), before - 1, "it is gone");
}
