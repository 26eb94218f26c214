//! A test of a group: asked for, watched, judged and taken away, as somebody uses its pages.

use super::group::Sites;
use super::hands::Person;

/// Tests a group that has a checkpoint; afterwards the vCenter has what it had.
pub async fn rehearse(person: &mut Person, group: &str, sites: &Sites) {
    let before = (sites.vcenter.count("VirtualMachine"), sites.vcenter.count("Datastore"));
    person.open(group).await;
    person.press("Test").await;
    person.sees("Start the test").await;
    person.looks("test-plan").await;
    person.fill("Why", "A rehearsal in a browser").await;
    person.press("Start the test").await;
    person.sees_when_loaded_again("runs, waits for a verdict").await;
    person.sees("A rehearsal in a browser").await;
    let run = person.path().await;
    assert!(run.starts_with("/recovery-runs/"), "{run}");
    person.looks("test-run").await;
    assert!(sites.vcenter.count("VirtualMachine") > before.0, "test machines are there");

    person.choose("Verdict", "Passed: what was recovered can be used").await;
    person.fill("Remarks", "All of them came up").await;
    person.press("Keep the verdict").await;
    person.sees("All of them came up").await;
    person.press("Clean up").await;
    person.sees_when_loaded_again("Everything was gone").await;
    person.looks("test-cleaned").await;
    let after = (sites.vcenter.count("VirtualMachine"), sites.vcenter.count("Datastore"));
    assert_eq!(after, before, "nothing of the test is left");
    person.open(&format!("{group}/tests")).await;
    person.sees("passed").await;
    person.looks("tests").await;
}
