//! A group failed over and rolled back, as somebody uses its pages: planned, then after a disaster while a test stands.

use super::group::{GROUP, Sites};
use super::hands::Person;

/// Types the group's name and presses; then waits until it is up.
async fn fail_over(person: &mut Person, button: &str) -> String {
    person.fill(&format!("Type {GROUP} to confirm"), GROUP).await;
    person.press(button).await;
    person.sees_when_loaded_again("failed over, uncommitted").await;
    let run = person.path().await;
    assert!(run.starts_with("/recovery-runs/"), "{run}");
    run
}

/// Rolls it back from the group's page, where it is said what runs where.
async fn roll_back(person: &mut Person, group: &str, is_first: bool) {
    person.open(group).await;
    person.sees("Failed over, uncommitted").await;
    person.looks("group-failed-over").await;
    person.press("Roll back…").await;
    person.sees("Nothing of it is kept").await;
    person.looks("rollback").await;
    if is_first {
        person.fill(&format!("Type {GROUP} to confirm"), "something else").await;
        person.press(&format!("Roll back {GROUP}")).await;
        person.sees("to roll its failover back").await;
        person.looks("rollback-wrong").await;
    }
    person.fill(&format!("Type {GROUP} to confirm"), GROUP).await;
    person.press(&format!("Roll back {GROUP}")).await;
    person.sees_when_loaded_again("Both sides were as before").await;
    person.looks("rolled-back").await;
}

/// Both sides work: nothing is lost, and afterwards the vCenter has what it had.
pub async fn planned(person: &mut Person, group: &str, sites: &Sites) {
    let before = sites.vcenter.machines();
    person.open(&format!("{group}/recovery-plan")).await;
    person.press("Planned failover…").await;
    person.sees("What will happen").await;
    person.sees("The last run is made after the guests have stopped").await;
    person.looks("failover-planned").await;
    let form = person.browser.client.current_url().await.unwrap().to_string();
    person.fill("Why", "The hall is without power on Saturday").await;
    person.fill(&format!("Type {GROUP} to confirm"), "something else").await;
    person.press(&format!("Fail over {GROUP}")).await;
    person.sees("This is not the group").await;
    person.looks("failover-wrong").await;
    let run = fail_over(person, &format!("Fail over {GROUP}")).await;
    person.sees("The hall is without power on Saturday").await;
    person.sees("after the guests stopped").await;
    person.looks("failover-run").await;
    // What was off is started too; the source itself is off, and its shell runs.
    let now = sites.vcenter.machines();
    let on = |name: &str| now.iter().any(|(one, on, _)| one == name && *on);
    assert!(on("app01-dr") && !on("app01"), "{now:?}");
    // The form in another window, and after going back: there is one failover.
    person.browser.client.goto(&form).await.unwrap();
    person.sees("The group has a failover already").await;
    person.looks("failover-there").await;
    person.open("/recovery-runs").await;
    person.sees("Planned failover").await;
    person.looks("recovery-runs").await;
    roll_back(person, group, true).await;
    assert_eq!(person.path().await, run);
    assert_eq!(sites.vcenter.machines(), before, "both sides are as before");
}

/// The source is not asked, and a test stays where it is.
pub async fn disaster(person: &mut Person, group: &str, sites: &Sites) {
    let before = sites.vcenter.machines();
    person.open(&format!("{group}/test")).await;
    person.press("Start the test").await;
    person.sees_when_loaded_again("runs, waits for a verdict").await;
    let test = person.path().await;
    let with_test = sites.vcenter.machines();
    person.open(&format!("{group}/recovery-plan")).await;
    person.press("Disaster failover…").await;
    person.sees("Everything that was written since").await;
    person.sees("A test is there").await;
    person.looks("failover-disaster").await;
    person.fill("Why", "The hall burns").await;
    fail_over(person, &format!("Fail over {GROUP} without its source")).await;
    person.sees("The hall burns").await;
    person.looks("failover-disaster-run").await;
    roll_back(person, group, false).await;
    assert_eq!(sites.vcenter.machines(), with_test, "the test stands, the rest is as before");
    person.open(&test).await;
    person.press("Clean up").await;
    person.sees_when_loaded_again("Everything was gone").await;
    assert_eq!(sites.vcenter.machines(), before, "so is the test");
}
