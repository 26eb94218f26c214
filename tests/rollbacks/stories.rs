//! Rollbacks when something stands in the way, and what is brought back.

use zerfaux::domain::hardware::PowerState;
use zerfaux::domain::job::JobState;
use zerfaux::domain::machine::Machine;
use zerfaux::domain::recovery_state::{Phase, Progress, Verb};
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::store::CleanupStart;
use zerfaux::vsphere::verbs::{DeviceChange, NewDisk, Reconfigure};

use crate::rolled_back::BegunWorld;
use crate::site::{Site, stopped, succeeded};
use crate::tested::{DATASTORE, RUN};

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_stands_is_rolled_back_and_the_source_runs_again() {
    for keep_view in [true, false] {
        let site = Site::of(BegunWorld::with_view(keep_view)).await;
        succeeded(&site.failed_over().await);
        assert_eq!(site.state().await.phase(), Phase::FailedOverUncommitted);
        let client = site.client().await;
        let over: Machine = client.machine(&site.shell()).await.unwrap();
        let on_clone = |file: &String| file.starts_with(&format!("[{DATASTORE}] "));
        assert!(over.hardware.disks.iter().all(|disk| disk.file.as_ref().is_some_and(on_clone)), "{over:?}");
        assert_eq!((over.hardware.disks.len(), over.boot_order.len()), (4, 2), "{over:?}");
        assert_eq!(site.power(&site.shell()).await, "poweredOn");
        succeeded(&site.roll_back().await);
        assert_eq!(site.state().await.phase(), Phase::Protected);
        assert_eq!(site.state().await.failover_run, None);
        site.is_as_before("whole").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_failover_stops_at_its_rollback_leaves_both_sides_as_before() {
    for method in ["CreateNasDatastore", "CreateVM_Task", "ReconfigVM_Task", "PowerOnVM_Task"] {
        let site = Site::new().await;
        site.refuse(method, if method == "CreateNasDatastore" { 1000 } else { 1 });
        let job = site.failed_over().await;
        assert!(job.state == JobState::Failed || !job.warnings.is_empty(), "{method}: {job:?}");
        site.watch().run().await.unwrap();
        succeeded(&site.roll_back().await);
        site.is_as_before(method).await;
        assert_eq!(site.state().await.phase(), Phase::Protected, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_did_to_a_shell_meanwhile_is_undone_and_what_is_not_ours_stays() {
    let site = Site::new().await;
    succeeded(&site.failed_over().await);
    let client = site.client().await;
    let shell = site.shell();
    let off = client.power_off(&shell).await.unwrap();
    site.done(&client, off).await;
    let now = client.machine(&shell).await.unwrap();
    let controller = now.hardware.disks[0].controller;
    let devices = vec![
        DeviceChange::RemoveNic(now.hardware.nics[0].clone()),
        DeviceChange::AddDisk(NewDisk {
            controller,
            unit: 12,
            capacity_bytes: 1 << 20,
            thin: true,
            file: None,
        }),
    ];
    let name = Some("renamed by hand".to_owned());
    let change = Reconfigure { name, devices, ..Reconfigure::default() };
    let task = client.reconfigure(&shell, &change).await.unwrap();
    site.done(&client, task).await;
    let on = client.power_on(&shell, None).await.unwrap();
    site.done(&client, on).await;
    let job = site.roll_back().await;
    succeeded(&job);
    let told = job.warnings.join(" ");
    assert!(told.contains("which it did not have before; it stays"), "{told}");
    let back = client.machine(&shell).await.unwrap();
    assert_eq!(back.name, "renamed by hand");
    assert_eq!(
        back.hardware.disks.len(),
        5,
        "the four of its view, and somebody's: {:?}",
        back.hardware.disks
    );
    assert_eq!(back.hardware.nics.len(), 1);
    assert_eq!(site.power(&shell).await, "poweredOff");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_not_provably_ours_is_not_touched_and_keeps_the_clone() {
    let site = Site::new().await;
    succeeded(&site.failed_over().await);
    let client = site.client().await;
    let shell = site.shell();
    let uuid = Some("50380000-0000-4000-8000-00000000abcd".to_owned());
    let off = client.power_off(&shell).await.unwrap();
    site.done(&client, off).await;
    let change = Reconfigure { instance_uuid: uuid, ..Reconfigure::default() };
    let task = client.reconfigure(&shell, &change).await.unwrap();
    site.done(&client, task).await;
    let on = client.power_on(&shell, None).await.unwrap();
    site.done(&client, on).await;
    let job = site.roll_back().await;
    stopped(&job, "power_off", "has disks of the clone, and it is not the shell");
    assert_eq!(site.power(&shell).await, "poweredOn", "not touched");
    site.zfs(&format!("zfs list {}", site.scene.plan().clone));
    for vm in &site.scene.plan().vms {
        assert_eq!(site.power(vm.source.as_ref().unwrap()).await, "poweredOff", "never twice");
    }
    site.watch().run().await.unwrap();
    assert_eq!(site.state().await.line().unwrap().progress, Progress::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_unmount_stops_it_and_asking_again_goes_on() {
    let site = Site::new().await;
    succeeded(&site.failed_over().await);
    site.refuse("RemoveDatastore", 1);
    let job = site.roll_back().await;
    stopped(&job, "unmount", &format!("does not unmount {DATASTORE:?}"));
    // Production does not wait for that.
    for vm in &site.scene.plan().vms {
        assert_eq!(site.power(vm.source.as_ref().unwrap()).await, "poweredOn");
    }
    // It is never tried again by itself.
    let watch = site.watch();
    for _ in 0..3 {
        watch.run().await.unwrap();
        site.clock.advance(std::time::Duration::from_secs(3600));
        site.engine.run_until_idle().await.unwrap();
    }
    assert_eq!(site.engine.job(job.id).await.unwrap().state, JobState::Failed);
    let line = *site.state().await.line().unwrap();
    assert_eq!((line.verb, line.progress), (Verb::Rollback, Progress::Failed));
    assert_eq!(site.ask_to_roll_back().await, CleanupStart::Has(job.id), "one rollback only");
    succeeded(&site.go_on(&job).await);
    site.is_as_before("asked again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_start_is_told_after_the_other_side_is_done_and_asking_again_starts_it() {
    let site = Site::new().await;
    succeeded(&site.failed_over().await);
    // At once, and again in the end.
    let own = site.scene.plan().vms[0].source.clone().unwrap();
    site.refuse_of("PowerOnVM_Task", own.id(), 2);
    let job = site.roll_back().await;
    stopped(&job, "see_source_run", "Not everything could be started again at the source");
    let vms = &site.scene.plan().vms;
    assert_eq!(site.power(vms[0].source.as_ref().unwrap()).await, "poweredOff");
    assert_eq!(site.power(vms[1].source.as_ref().unwrap()).await, "poweredOn", "the others run");
    succeeded(&site.go_on(&job).await);
    site.is_as_before("started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_not_started_while_its_shell_runs() {
    let site = Site::new().await;
    succeeded(&site.failed_over().await);
    site.refuse("PowerOnVM_Task", 4);
    let job = site.roll_back().await;
    stopped(&job, "see_source_run", "Not everything");
    let client = site.client().await;
    let on = client.power_on(&site.shell(), None).await.unwrap();
    site.done(&client, on).await;
    let job = site.go_on(&job).await;
    stopped(&job, "see_source_run", "the same machine would run twice");
    assert_eq!(site.power(site.scene.plan().vms[0].source.as_ref().unwrap()).await, "poweredOff");
    let off = client.power_off(&site.shell()).await.unwrap();
    site.done(&client, off).await;
    succeeded(&site.go_on(&job).await);
    site.is_as_before("started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_somebody_used_before_the_failover_came_to_it_is_left_alone() {
    let site = Site::new().await;
    let client = site.client().await;
    let on = client.power_on(&site.shell(), None).await.unwrap();
    site.done(&client, on).await;
    let job = site.failed_over().await;
    assert!(!job.warnings.is_empty(), "{job:?}");
    succeeded(&site.roll_back().await);
    let shell = client.machines(&[site.shell()]).await.unwrap().swap_remove(0);
    assert_eq!((shell.power, shell.machine.hardware.disks.len()), (PowerState::On, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_cancelled_before_it_began_is_as_if_it_had_never_been() {
    let site = Site::new().await;
    let job = site.ask().await;
    site.engine.cancel(job).await.unwrap();
    site.watch().run().await.unwrap();
    assert_eq!(site.state().await.phase(), Phase::Protected);
    site.is_as_before("cancelled").await;
    assert!(site.store().recovery_run(RUN).await.unwrap().unwrap().cleaned_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_on_is_not_rolled_back_until_it_was_asked_to_stop() {
    let site = Site::new().await;
    site.ask().await;
    let CleanupStart::NotNow(misfit) = site.ask_to_roll_back().await else { panic!("it was begun") };
    assert!(misfit.to_string().contains("is under way"), "{misfit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_just_stopped_is_rolled_back_at_once() {
    let site = Site::new().await;
    let job = site.ask().await;
    site.engine.cancel(job).await.unwrap();
    succeeded(&site.roll_back().await);
    assert_eq!(site.state().await.phase(), Phase::Protected);
    site.is_as_before("stopped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_answer_is_told_once_the_other_side_is_done() {
    let site = Site::new().await;
    succeeded(&site.failed_over().await);
    let mut input = serde_json::to_value(site.scene.plan()).unwrap();
    input["source"]["vcenter_id"] = "0193d5a0-0000-7000-8000-00000000dead".into();
    let id = site.engine.enqueue("roll_back_failover", input, "anna").await.unwrap();
    site.engine.run_until_idle().await.unwrap();
    let job = site.engine.job(id).await.unwrap();
    assert_eq!(
        (job.state, job.failed_phase.as_deref()),
        (JobState::Failed, Some("see_source_run")),
        "{job:?}"
    );
    assert!(!site.zfs("zfs list -H -o name").contains(site.scene.plan().clone.as_str()));
    assert!(!site.zfs(&format!("zfs holds -H {}@zx-1", crate::shelled::replica())).contains("zerfaux-run"));
    assert_eq!(site.power(&site.shell()).await, "poweredOff");
    succeeded(&site.roll_back().await);
    site.is_as_before("answered").await;
}
