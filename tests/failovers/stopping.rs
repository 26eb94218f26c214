//! A failover when something stands in its way before anything stands at the other site: the source runs again.

use std::net::TcpListener;

use zerfaux::domain::ids::VcenterId;
use zerfaux::domain::job::JobState;
use zerfaux::domain::recovery_run::RunOutcome;
use zerfaux::domain::vcenter::VcenterAddress;
use zerfaux::sim::vcenter::Rule;

use crate::failed_over::LIVE;
use crate::site::{Site, failed, succeeded};

fn then_power_off(input: &mut serde_json::Value) {
    input["source"]["then_power_off"] = true.into();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_does_not_stop_brings_the_source_back() {
    let site = Site::planned().await;
    // The first tier, so that the last one is off by then.
    site.behaves(&site.source(0), ("sim.shutdown", "ignore")).await;
    let job = site.fail_over(|_| ()).await;
    failed(
        &job,
        "shut_down_source",
        &["did not shut down", "It still runs 120 s", "Nothing was failed over; the source runs again."],
    );
    for number in [0, 1] {
        assert_eq!(site.power(&site.source(number)).await, "poweredOn");
    }
    site.is_as_before().await;
    assert_eq!(site.kept().await.outcome, Some(RunOutcome::RolledBack));

    // Where it may be powered off, the same failover goes through.
    let mut plan = site.input();
    then_power_off(&mut plan);
    let job = site.run("failover", plan).await;
    succeeded(&job);
    assert!(job.warnings.iter().any(|told| told.contains("did not shut down and is powered off")), "{job:?}");
    assert_eq!(site.power(&site.source(0)).await, "poweredOff");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_tools_does_not_stop_by_itself() {
    let site = Site::planned().await;
    site.rule(Rule { fault: Some("ToolsUnavailable".to_owned()), ..Rule::on("ShutdownGuest") });
    failed(
        &site.fail_over(|_| ()).await,
        "shut_down_source",
        &["did not shut down", "the source runs again"],
    );
    site.is_as_before().await;
    succeeded(&site.fail_over(then_power_off).await);
    assert!(site.evidence(Some(0), "shut_down").await.starts_with("powered off, because"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_even_power_off_brings_the_source_back() {
    let site = Site::planned().await;
    site.behaves(&site.source(0), ("sim.shutdown", "ignore")).await;
    site.rule(Rule { fault: Some("ResourceInUse".to_owned()), ..Rule::on("PowerOffVM_Task") });
    failed(&site.fail_over(then_power_off).await, "shut_down_source", &["the source runs again"]);
    site.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_answer_is_not_waited_for_in_a_disaster_and_is_told_in_a_planned_one() {
    let site = Site::planned().await;
    let store = &site.scene.made.store;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut dead = store.vcenters().await.unwrap().remove(0);
    let id = VcenterId::from_bytes([0xd; 16]);
    (dead.id, dead.name, dead.address) =
        (id, "vc-dead".to_owned(), VcenterAddress::new("127.0.0.1", port).unwrap());
    store.put_vcenter(&dead).await.unwrap();
    let job = site.fail_over(|input| input["source"]["vcenter_id"] = id.to_string().into()).await;
    failed(&job, "shut_down_source", &["The source cannot be shut down.", "Nothing was changed."]);
    assert!(job.failure.unwrap().advice.unwrap().contains("disaster failover"));
    site.is_as_before().await;

    let mut plan = site.input();
    (plan["kind"], plan["source"]) = ("disaster_failover".into(), serde_json::Value::Null);
    succeeded(&site.run("failover", plan).await);
    assert_eq!(site.power(&site.source(0)).await, "poweredOn", "it was not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_run_that_fails_brings_the_source_back_and_a_retry_makes_another() {
    let site = Site::planned().await;
    site.zfs(&format!("zfs rename -u {LIVE} {LIVE}-away"));
    let job = site.fail_over(|_| ()).await;
    failed(&job, "last_run", &["The last run did not bring", "Nothing was failed over."]);
    assert_eq!(site.power(&site.source(0)).await, "poweredOn");
    site.zfs(&format!("zfs rename -u {LIVE}-away {LIVE}"));
    site.is_as_before().await;
    site.engine.retry(job.id).await.unwrap();
    site.engine.run_until_idle().await.unwrap();
    let job = site.engine.job(job.id).await.unwrap();
    succeeded(&job);
    assert_eq!(job.state, JobState::Succeeded);
    let run = site.kept().await;
    assert!(run.outcome.is_none() && run.checkpoint.is_some(), "{run:?}");
}
