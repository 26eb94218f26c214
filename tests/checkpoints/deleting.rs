//! A group is deleted with its replica: what goes, what stays, and what keeps all of it.

use std::sync::Arc;
use std::time::Duration;

use zerfaux::app::replicas::DeletionWish;
use zerfaux::app::{App, AppError};
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::{FailureKind, Job, JobState};
use zerfaux::domain::protection_group::{ProtectionGroup, Quiesce};
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::jobs::checkpoint_watch::CheckpointWatch;
use zerfaux::store::RunStart;

use crate::guests::{GROUP, LIVE, REPLICA};
use crate::site::{Site, somebody};

fn app(site: &Site) -> App {
    App::new(site.store.clone(), site.engine.clone(), Arc::clone(&site.hosts)).with_clock(site.clock.clone())
}

fn wish() -> DeletionWish {
    DeletionWish { confirm: "ERP & co".into(), replica: REPLICA.into(), source_snapshots: false }
}

async fn replicated(times: u64) -> Site {
    let site = Site::new(Quiesce::Never).await;
    for seed in 0..times {
        site.brings(seed + 1).await;
    }
    site
}

async fn ended(site: &Site, id: JobId) -> Job {
    site.engine.run_until_idle().await.unwrap();
    site.engine.job(id).await.unwrap()
}

async fn switch(site: &Site, enabled: bool) {
    let group = site.store.protection_group(GROUP).await.unwrap().unwrap();
    let group = ProtectionGroup { enabled, ..group };
    site.store.put_protection_group(&group, crate::deployed::line()).await.unwrap();
}

/// The job as it would be made, without the look before.
async fn unlooked(site: &Site) -> JobId {
    switch(site, false).await;
    let input = serde_json::json!({
        "group_id": GROUP, "name": "ERP & co", "dr_target_id": crate::guests::DR, "replica": REPLICA,
        "source_target_id": crate::guests::SOURCE, "source_dataset": LIVE, "source_snapshots": false,
    });
    site.engine.enqueue("delete_replica", input, "anna").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replica_goes_the_source_is_let_go_of_and_the_group_is_forgotten() {
    let site = replicated(3).await;
    let (here, there) = (&site.ground.two.source, &site.ground.two.target);
    let data = here.tags(LIVE);
    let job = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish()).await.unwrap();
    assert!(!site.store.protection_group(GROUP).await.unwrap().unwrap().enabled, "off at once");
    let again = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish()).await.unwrap();
    assert_eq!(again, job, "a second click is the same job");
    let refused = app(&site).delete_protection_group(&somebody(), GROUP).await;
    assert!(refused.is_err(), "not beside the job");

    let job = ended(&site, job).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(job.result.unwrap()["destroyed_snapshots"], 3);
    assert!(!there.root("zfs list -H -r -t all -o name dst").contains(REPLICA));
    assert_eq!(here.tags(LIVE), data, "the snapshots at the source stay unless asked for");
    for tag in &data {
        assert_eq!(here.root(&format!("zfs holds -H '{LIVE}@{tag}'")), "");
    }
    assert_eq!(here.root(&format!("zfs list -H -t bookmark -o name -r {LIVE}")), "");
    let marks = here.root(&format!("zfs get -H -s local -o property zerfaux:group,zerfaux:role {LIVE}"));
    assert_eq!(marks, "", "the live dataset belongs to nobody any more");
    assert_eq!(site.store.protection_group(GROUP).await.unwrap(), None);
    assert_eq!(site.store.checkpoints(GROUP, true).await.unwrap().len(), 0);
    let gone = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish()).await;
    assert!(matches!(gone, Err(AppError::NotFound(_))), "{gone:?}");
    let audit = site.store.audit_after(0, 100).await.unwrap();
    let actions: Vec<&str> = audit.iter().map(|one| one.entry.action.as_str()).collect();
    assert!(actions.contains(&"protection_group.delete_with_replica"), "{actions:?}");
    assert!(actions.contains(&"protection_group.delete"), "{actions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_snapshots_at_the_source_go_when_asked_for_and_those_of_others_never() {
    let site = replicated(2).await;
    let here = &site.ground.two.source;
    here.root(&format!("zfs snapshot {LIVE}@by-hand"));
    let tags = here.tags(LIVE);
    here.root(&format!("zfs hold audit {LIVE}@{}", tags[0]));
    let wish = DeletionWish { source_snapshots: true, ..wish() };
    let job = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish).await.unwrap();
    let job = ended(&site, job).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    assert_eq!(here.tags(LIVE), [tags[0].as_str(), "by-hand"]);
    assert!(job.warnings.iter().any(|one| one.contains("a hold is on it")), "{:?}", job.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_names_have_to_be_right_and_nothing_is_changed_by_a_request_that_is_refused() {
    let site = replicated(1).await;
    for (confirm, replica, field) in
        [("erp", REPLICA, "confirm"), ("ERP & co", "dst/zerfaux/replica", "replica"), ("", "", "confirm")]
    {
        let wish = DeletionWish { confirm: confirm.into(), replica: replica.into(), source_snapshots: false };
        let refused = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish).await;
        let Err(AppError::Invalid { fields }) = refused else { panic!("{refused:?}") };
        assert_eq!(fields[0].field, field);
    }
    site.ground.two.target.root(&format!("zfs snapshot {REPLICA}@by-hand"));
    let refused = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish()).await;
    let Err(AppError::Conflict(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("by-hand") && why.contains("zfs destroy"), "{why}");
    assert!(site.store.protection_group(GROUP).await.unwrap().unwrap().enabled);
    assert_eq!(site.store.unfinished_of("delete_replica").await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_may_want_stops_the_job_with_everything_left_and_it_can_be_run_again() {
    let cases: [(&str, &str, &str); 5] = [
        ("zfs snapshot {R}@by-hand", "zfs destroy {R}@by-hand", "by-hand"),
        ("zfs hold audit {R}@{T}", "zfs release audit {R}@{T}", "\"audit\""),
        ("zfs clone {R}@{T} dst/looked-at", "zfs destroy dst/looked-at", "dst/looked-at"),
        ("zfs create -o canmount=noauto {R}/mine", "zfs destroy {R}/mine", "mine"),
        ("zfs set zerfaux:group=other {R}", "zfs set zerfaux:group={G} {R}", "does not say"),
    ];
    let site = replicated(2).await;
    let there = &site.ground.two.target;
    let tag = there.tags(REPLICA).remove(0);
    let fill =
        |text: &str| text.replace("{R}", REPLICA).replace("{T}", &tag).replace("{G}", &GROUP.to_string());
    let everything = || there.root("zfs list -H -r -t all -o name,guid,userrefs dst");
    let before = everything();
    let mut job = None;
    for (obstacle, mend, named) in cases {
        there.root(&fill(obstacle));
        let stood = everything();
        let id = match job {
            None => unlooked(&site).await,
            Some(id) => {
                site.engine.retry(id).await.unwrap();
                id
            }
        };
        job = Some(id);
        let done = ended(&site, id).await;
        let failure = done.failure.clone().unwrap();
        assert_eq!((done.state, failure.kind), (JobState::Failed, FailureKind::Refused), "{obstacle}");
        assert!(failure.message.contains(named), "{obstacle}: {failure:?}");
        assert!(failure.advice.is_some_and(|advice| advice.contains("retry")), "{obstacle}");
        assert_eq!(everything(), stood, "{obstacle}: nothing was touched");
        assert!(site.store.protection_group(GROUP).await.unwrap().is_some());
        there.root(&fill(mend));
    }
    assert_eq!(everything(), before);
    // Long afterwards the group may be wanted again: what was asked for then is not done now.
    switch(&site, true).await;
    site.engine.retry(job.unwrap()).await.unwrap();
    let done = ended(&site, job.unwrap()).await;
    assert!(done.failure.is_some_and(|failure| failure.message.contains("switched on again")));
    assert_eq!(everything(), before);
    switch(&site, false).await;
    site.engine.retry(job.unwrap()).await.unwrap();
    let done = ended(&site, job.unwrap()).await;
    assert_eq!(done.state, JobState::Succeeded, "{:?}", done.failure);
    assert!(!everything().contains(REPLICA));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_run_nor_the_watch_comes_in_between() {
    let site = replicated(1).await;
    let job = app(&site).delete_group_with_replica(&somebody(), GROUP, &wish()).await.unwrap();
    let run = site.engine.draft("replicate", serde_json::json!({}), "scheduler").unwrap();
    let refused = site.store.start_group_run(GROUP, &run, None).await.unwrap();
    assert_eq!(refused, RunStart::Leaving(job));
    // Its hold was taken off already when the watch looks.
    let there = &site.ground.two.target;
    let tag = there.tags(REPLICA).remove(0);
    there.root(&format!("zfs release zerfaux:{GROUP} {REPLICA}@{tag}"));
    site.clock.advance(Duration::from_secs(30));
    CheckpointWatch::new(site.targets.clone(), site.clock.clone()).run().await.unwrap();
    assert_eq!(there.root(&format!("zfs holds -H {REPLICA}@{tag}")), "", "it is not held anew");
    assert_eq!(ended(&site, job).await.state, JobState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_not_there_is_no_proof_that_the_replica_is_gone() {
    let site = replicated(1).await;
    let mut group = site.store.protection_group(GROUP).await.unwrap().unwrap();
    group = ProtectionGroup {
        dr: zerfaux::domain::protection_group::DrSide {
            dataset: "elsewhere/replica/erp".parse().unwrap(),
            ..group.dr.clone()
        },
        ..group
    };
    let refused = app(&site).replica_standing(&group).await.unwrap_err();
    assert!(refused.message.contains("The pool elsewhere is not there"), "{refused:?}");
}
