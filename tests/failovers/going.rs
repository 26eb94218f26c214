//! What a failover is.

use serde_json::json;
use zerfaux::domain::job::JobState;
use zerfaux::domain::machine::BootItem;
use zerfaux::domain::recovery_run::{RunKind, RunVmState};
use zerfaux::domain::recovery_state::{Phase, Progress};
use zerfaux::sim::vcenter::Rule;

use crate::deployed::CONNECTION;
use crate::failed_over::{BIOS_UUID, DATASTORE, LIVE, MAC, MADE, SHELL};
use crate::shelled::{GROUP, replica};
use crate::site::{Site, failed, succeeded};

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_loses_nothing_and_its_machines_are_the_ones_that_were_at_the_source() {
    let site = Site::planned().await;
    // What the guests have written since the last checkpoint.
    site.zfs(&format!("zfs set mountpoint=/srv/live canmount=on readonly=off {LIVE}"));
    site.zfs(&format!("zfs mount {LIVE}"));
    site.zfs("touch /srv/live/erp/written-last");
    let job = site.fail_over(|_| ()).await;
    succeeded(&job);
    assert_eq!(job.result.as_ref().unwrap()["vms_up"], 2, "{:?}", job.warnings);

    for number in [0, 1] {
        assert_eq!(site.power(&site.source(number)).await, "poweredOff", "the source is off");
        assert!(site.evidence(Some(number), "shut_down").await.contains("the vCenter says poweredOff"));
    }
    let steps = site.scene.made.store.run_steps(site.scene.plan.run_id).await.unwrap();
    let of = |vm: usize, step: &str| {
        let uuid = Some(site.scene.plan.vms[vm].source_uuid.clone());
        steps.iter().find(|one| one.source_uuid == uuid && one.step == step).unwrap().clone()
    };
    assert!(of(1, "shut_down").ended_at <= Some(of(0, "shut_down").begun_at), "the last tier goes first");

    let run = site.kept().await;
    let recovered = run.checkpoint.clone().unwrap();
    assert_ne!(recovered.snapshot.as_str(), "zx-1", "no older one");
    let path = site.scene.plan.path();
    assert!(site.zfs(&format!("find {path} -type f")).contains("erp/written-last"), "nothing is lost");
    let origin = site.zfs(&format!("zfs get -H -o value origin {}", site.scene.plan.clone));
    assert_eq!(origin.trim(), format!("{}@{}", replica(), recovered.snapshot));
    let held = site.zfs(&format!("zfs holds -H {}@{}", replica(), recovered.snapshot));
    assert!(held.contains(&format!("zerfaux-run:{}", run.id())), "{held}");

    let vms = site.vms().await;
    assert!(vms.iter().all(|vm| vm.state == RunVmState::Up), "{vms:?}");
    let shell = site.scene.plan.vms[0].shell.clone().unwrap();
    assert_eq!((&vms[0].vm, &vms[0].instance_uuid), (&Some(shell.vm.clone()), &shell.instance_uuid));
    let client = site.client().await;
    let machine = client.machine(&shell.vm).await.unwrap();
    assert_eq!((machine.name.as_str(), machine.bios_uuid.as_deref()), (SHELL, Some(BIOS_UUID)));
    let files: Vec<String> = machine.hardware.disks.iter().filter_map(|disk| disk.file.clone()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().all(|file| file.starts_with(&format!("[{DATASTORE}] erp/"))), "{files:?}");
    let second = machine.hardware.disks.iter().find(|disk| disk.unit == 8).unwrap();
    assert_eq!(machine.boot_order, [BootItem::Disk { key: second.key }]);
    let nic = &machine.hardware.nics[0];
    assert_eq!((nic.mac.as_deref(), nic.start_connected), (Some(MAC), true));
    let source = client.machine(&site.source(0)).await.unwrap();
    assert_ne!(nic.network.key(), source.hardware.nics[0].network.key(), "it is on the recovery network");
    let made = client.machine(vms[1].vm.as_ref().unwrap()).await.unwrap();
    assert_eq!(made.name, MADE);
    for vm in &vms {
        assert_eq!(site.power(vm.vm.as_ref().unwrap()).await, "poweredOn");
    }
    // What a rollback brings back.
    let before = &vms[0].before;
    assert_eq!(before.shell_hardware.as_ref().unwrap().disks.len(), 1);
    assert!(before.shell_bios_uuid.is_some() && before.shell_boot_order.is_some());
    assert_eq!([vms[0].before.source_was_on, vms[1].before.source_was_on], [Some(true); 2]);

    let state = site.state().await;
    assert_eq!((state.phase(), state.fenced), (Phase::FailedOverUncommitted, Some(true)));
    assert!(run.up_at.is_some() && run.cleaned_at.is_none());
    // No word of a test anywhere.
    let told: Vec<String> = steps.iter().map(|step| step.evidence.clone()).collect();
    let lines = site.scene.made.store.console(job.id, 0, 1000).await.unwrap();
    let said: Vec<&str> =
        lines.iter().map(|line| line.message.as_str()).chain(told.iter().map(String::as_str)).collect();
    assert!(
        !said.iter().any(|line| line.split(|c: char| !c.is_alphanumeric()).any(|w| w == "test")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_under_way_is_waited_for_and_one_more_is_made() {
    let site = Site::planned().await;
    let store = &site.scene.made.store;
    let (targets, _) = site.scene.made.grounds();
    let group = store.protection_group(GROUP).await.unwrap().unwrap();
    let input = zerfaux::jobs::group_runs::input_of(&targets, &group, jiff::Timestamp::now()).await.unwrap();
    let first = site.engine.draft("replicate", input, "scheduler").unwrap();
    let _started = store.start_group_run(GROUP, &first, None).await.unwrap();
    succeeded(&site.fail_over(|_| ()).await);
    let runs = store.recent_group_runs().await.unwrap().remove(&GROUP).unwrap();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let recovered = site.kept().await.checkpoint.unwrap();
    let checkpoints = store.checkpoints(GROUP, false).await.unwrap();
    let of = checkpoints.iter().find(|one| one.guid == recovered.guid).unwrap();
    assert_ne!(of.job, Some(first.id), "the second one is recovered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disaster_failover_asks_the_source_for_nothing() {
    let site = Site::disaster().await;
    let calls = |method: &str| site.scene.made.sites.as_ref().unwrap().vcenter.calls(method);
    let before = calls("ShutdownGuest");
    succeeded(&site.fail_over(|_| ()).await);
    assert_eq!(calls("ShutdownGuest"), before);
    assert_eq!(site.kept().await.checkpoint.unwrap().snapshot.as_str(), "zx-1");
    let state = site.state().await;
    assert_eq!((state.phase(), state.fenced), (Phase::FailedOverUncommitted, None), "nothing is known of it");
    let runs = site.scene.made.store.recent_group_runs().await.unwrap();
    assert!(!runs.contains_key(&GROUP), "no last run");
    assert!(site.vms().await.iter().all(|vm| vm.before.source_was_on.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disaster_failover_goes_on_beside_a_test_and_beside_its_pending_cleanup() {
    let site = Site::disaster().await;
    let client = site.client().await;
    let found = crate::shelled::inventory(&client).await;
    let made = &site.scene.made;
    let test = crate::tested::plan_of(&made.machine(), &found, &made.known["wish"]["hosts"]);
    let test = serde_json::to_value(&test).unwrap();
    succeeded(&site.run("test_failover", test.clone()).await);
    site.rule(Rule { fault: Some("ResourceInUse".to_owned()), ..Rule::on("RemoveDatastore") });
    let cleanup = site.run("clean_up_test", test).await;
    failed(&cleanup, "unmount", &[]);
    succeeded(&site.fail_over(|_| ()).await);
    assert_eq!(site.state().await.phase(), Phase::FailedOverUncommitted);
    made.sites.as_ref().unwrap().vcenter.clear_rules();
    site.engine.retry(cleanup.id).await.unwrap();
    site.engine.run_until_idle().await.unwrap();
    succeeded(&site.engine.job(cleanup.id).await.unwrap());
    for vm in site.vms().await {
        assert_eq!(
            site.power(vm.vm.as_ref().unwrap()).await,
            "poweredOn",
            "the failover is not touched by it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_somebody_powered_on_is_refused_and_the_others_go_on() {
    let site = Site::disaster().await;
    let shell = site.scene.plan.vms[0].shell.clone().unwrap().vm;
    let before = site.client().await.machine(&shell).await.unwrap();
    site.set_power(&shell, true).await;
    let job = site.fail_over(|_| ()).await;
    succeeded(&job);
    let vms = site.vms().await;
    assert_eq!([vms[0].state, vms[1].state], [RunVmState::Failed, RunVmState::Up]);
    let failure = vms[0].failure.clone().unwrap();
    assert!(failure.contains("is not powered off: somebody uses it"), "{failure}");
    assert_eq!(site.client().await.machine(&shell).await.unwrap().hardware, before.hardware);
    let line = *site.state().await.line().unwrap();
    assert_eq!((line.progress, line.verb), (Progress::Incomplete, RunKind::DisasterFailover.verb()));

    site.set_power(&shell, false).await;
    let mut input = site.input();
    input["only"] = json!([site.scene.plan.vms[0].source_uuid]);
    succeeded(&site.run("failover", input).await);
    assert!(site.vms().await.iter().all(|vm| vm.state == RunVmState::Up && vm.failure.is_none()));
    let state = site.state().await;
    assert_eq!((state.phase(), state.line()), (Phase::FailedOverUncommitted, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_asks_whether_it_was_moved_is_told_that_it_was() {
    let site = Site::disaster().await;
    let shell = site.scene.plan.vms[0].shell.clone().unwrap().vm;
    // As after its files were brought to another place.
    site.behaves(&shell, ("sim.uprooted", "yes")).await;
    let job = site.fail_over(|_| ()).await;
    succeeded(&job);
    assert_eq!(site.client().await.machine(&shell).await.unwrap().bios_uuid.as_deref(), Some(BIOS_UUID));
    let lines = site.scene.made.store.console(job.id, 0, 1000).await.unwrap();
    assert!(lines.iter().any(|line| line.message.contains("answered that it was moved")), "{lines:?}");
}
