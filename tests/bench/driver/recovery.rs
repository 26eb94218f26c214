//! P10: a test failover of many virtual machines on simulated sites, whose DR vCenter takes two seconds over every task; and
//! what Zerfaux itself needs for each when tasks take no time.
//!
//! One by one would take as many times two seconds as there were tasks, with nothing of our own: that is what is compared
//! with. Both simulated sites live in this process, so that "our own work" has theirs in it: it is an upper bound.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use zerfaux::app::inventory::VmFilter;
use zerfaux::app::protection_groups::GroupWish;
use zerfaux::app::recovery_runs::RunVmState;
use zerfaux::app::ssh_keys::KeySource;
use zerfaux::app::targets::{Saved as SavedTarget, TargetWish};
use zerfaux::app::test_failovers::{TestRequest, TestWish};
use zerfaux::app::vcenters::{Saved, VcenterWish};
use zerfaux::app::{App, Principal};
use zerfaux::domain::ids::{GroupId, JobId, VcenterId};
use zerfaux::domain::job::JobState;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, SiteExports};
use zerfaux::sim::exports::Exports;
use zerfaux::sim::vcenter::{NfsDatastore, Options as VcenterOptions, Rule, Vcenter};

use crate::cost::{own_cpu, verdict};
use crate::options::Options;

const PASSWORD: &str = "zerfaux";
/// How long every task takes.
const TASK: Duration = Duration::from_secs(2);
/// What a test failover asks of a vCenter that ends in a task.
const TASKS: [&str; 3] = ["CreateVM_Task", "ReconfigVM_Task", "PowerOnVM_Task"];
/// How many may be powered on at a time, as the settings have it at first.
const POWER_ONS: u32 = 8;

struct Site {
    vcenter: Vcenter,
    appliance: Appliance,
    id: VcenterId,
    target: String,
}

async fn site(
    app: &App,
    who: &Principal,
    (name, address): (&str, &str),
    (public_key, key): (&str, &str),
    exports: &Arc<SiteExports>,
    vms: usize,
) -> Site {
    let options = ApplianceOptions {
        hostname: name.to_owned(),
        pools: vec![("tank".to_owned(), 8 << 40)],
        authorized_keys: Some(public_key.to_owned()),
        ..ApplianceOptions::default()
    };
    let appliance = Appliance::start(options).unwrap();
    let made = appliance.run("zfs create -o sharenfs=rw=@10.0.0.0/8,no_root_squash tank/prod");
    assert_eq!(made.status, 0, "{}", made.stderr);
    exports.add(&appliance, [address]);
    let nfs = NfsDatastore {
        name: format!("nfs-{name}"),
        server: address.to_owned(),
        path: "/tank/prod".to_owned(),
    };
    let options = VcenterOptions {
        vms,
        site: name.to_owned(),
        nfs: Some(vec![nfs]),
        exports: Arc::clone(exports) as Arc<dyn Exports>,
        ..VcenterOptions::default()
    };
    let vcenter = Vcenter::start(options).await.unwrap();
    let wish = VcenterWish {
        name: name.to_owned(),
        host: "127.0.0.1".to_owned(),
        port: vcenter.address().port(),
        username: "administrator@vsphere.local".to_owned(),
        password: Some(SecretString::from(PASSWORD)),
        accepted: Some(vcenter.thumbprint().parse().unwrap()),
    };
    let Saved::Kept(known) = app.vcenters().unwrap().create(who, wish).await.unwrap() else {
        panic!("the certificate was accepted")
    };
    let wish = TargetWish {
        name: format!("zfs-{name}"),
        hostname: "127.0.0.1".to_owned(),
        port: appliance.address().port().to_string(),
        ssh_username: "zfsadmin".to_owned(),
        ssh_key_id: key.to_owned(),
        zfs_pool: "tank".to_owned(),
        nfs_address: address.to_owned(),
        vcenter_id: known.id.to_string(),
        host_key_fingerprint: appliance.host_key_fingerprint(),
        ..TargetWish::default()
    };
    let saved = app.create_target(who, &wish).await.unwrap();
    let target = SavedTarget::kept(saved, name).unwrap().id.to_string();
    app.vcenters().unwrap().sync(who, known.id).await.unwrap();
    Site { vcenter, appliance, id: known.id, target }
}

async fn ended(app: &App, job: JobId) {
    loop {
        let known = app.job(job).await.unwrap();
        if known.state.is_final() {
            assert_eq!(known.state, JobState::Succeeded, "{:?} {:?}", known.failed_phase, known.failure);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A group of so many virtual machines, replicated once.
async fn group(app: &App, who: &Principal, sites: [&Site; 2], vms: usize) -> GroupId {
    let wish = GroupWish {
        name: "everything".to_owned(),
        source_vcenter_id: sites[0].id.to_string(),
        protection_datastore: "nfs-here".to_owned(),
        dr_vcenter_id: sites[1].id.to_string(),
        dr_target_id: sites[1].target.clone(),
        rpo_minutes: "60".to_owned(),
        transport: "relay".to_owned(),
        ..GroupWish::usual()
    };
    let group = app.create_protection_group(who, &wish).await.unwrap();
    let stores = app.vcenters().unwrap().datastores(sites[0].id).await.unwrap();
    let store = stores.into_iter().find(|one| one.object.name == "nfs-here").unwrap();
    let filter = VmFilter {
        vcenter: Some(sites[0].id),
        datastore: Some(store.object.object),
        template: Some(false),
        limit: 500,
        ..VmFilter::default()
    };
    let found = app.vcenters().unwrap().vms(&filter).await.unwrap().items;
    assert!(found.len() >= vms, "{} of {vms} virtual machines", found.len());
    let morefs: Vec<String> = found.iter().take(vms).map(|vm| vm.object.id().to_owned()).collect();
    app.assign_vms(who, group.id, &morefs).await.unwrap();
    let job = app.run_protection_group(who, group.id).await.unwrap();
    ended(app, job).await;
    while app.checkpoints(group.id, false).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    group.id
}

#[derive(Debug, Clone, Copy)]
struct Took {
    wall: f64,
    cpu: f64,
    cleanup: f64,
    tasks: u64,
}

async fn tested(app: &App, who: &Principal, sites: [&Site; 2], group: GroupId, vms: usize) -> Took {
    let vcenter = &sites[1].vcenter;
    let known = app.protection_group(group).await.unwrap();
    let (from, to) = app.recovery_networks(&known, None).await.unwrap();
    let to = to.iter().find(|(_, name)| !name.to_lowercase().contains("uplink")).unwrap();
    let networks: BTreeMap<String, String> = from.into_iter().map(|(key, _)| (key, to.0.clone())).collect();
    let request =
        TestRequest { wish: TestWish { networks, ..TestWish::default() }, ..TestRequest::default() };
    let calls = || TASKS.iter().map(|method| vcenter.calls(method)).sum::<u64>();
    let (began, cpu, before) = (Instant::now(), own_cpu(), calls());
    let (run, job) = app.start_test_failover(who, group, &request).await.unwrap();
    ended(app, job).await;
    let (wall, cpu, tasks) = (began.elapsed().as_secs_f64(), own_cpu() - cpu, calls() - before);
    let view = app.recovery_run(run).await.unwrap();
    let up = view.vms.iter().filter(|vm| vm.state == RunVmState::Up).count();
    let why: Vec<_> = view.vms.iter().filter_map(|vm| vm.failure.as_deref()).take(3).collect();
    assert_eq!(up, vms, "{why:?}");
    let began = Instant::now();
    let job = app.clean_up_recovery(who, run).await.unwrap();
    ended(app, job).await;
    Took { wall, cpu, cleanup: began.elapsed().as_secs_f64(), tasks }
}

/// One round with sites of its own.
async fn round(place: &Path, vms: usize, task: Option<Duration>) -> Took {
    let app = zerfaux::boot::serving(place, None).await.unwrap();
    let who = Principal::command_line();
    let key = app.add_ssh_key(&who, "sites", KeySource::Generate).await.unwrap();
    let (public, key) = (key.public_key.clone(), key.id.to_string());
    let exports = Arc::new(SiteExports::new([]));
    // Six of ten lie on the protected datastore.
    let company = vms * 2 + 20;
    let here = site(&app, &who, ("here", "10.1.0.1"), (&public, &key), &exports, company).await;
    let there = site(&app, &who, ("there", "10.2.0.1"), (&public, &key), &exports, 4).await;
    let stop = CancellationToken::new();
    let work = async {
        let _ends = stop.clone().drop_guard();
        while app.vcenters().unwrap().datastores(there.id).await.unwrap().is_empty()
            || app.vcenters().unwrap().datastores(here.id).await.unwrap().is_empty()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let group = group(&app, &who, [&here, &there], vms).await;
        if let Some(task) = task {
            let delay_ms = u64::try_from(task.as_millis()).unwrap();
            for method in TASKS {
                there.vcenter.add_rule(Rule { delay_ms, ..Rule::on(method) }).unwrap();
            }
        }
        tested(&app, &who, [&here, &there], group, vms).await
    };
    let (took, ()) = tokio::join!(work, app.serve_jobs(stop.clone()));
    app.close().await;
    drop(here.appliance);
    took
}

pub fn p10(options: &Options) -> bool {
    let most = usize::try_from(options.number("vms", 100)).unwrap();
    println!(
        "P10 test failovers, a task of the DR vCenter takes {} s; at most {POWER_ONS} power-ons\n",
        TASK.as_secs()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let once = |vms: usize, task: Option<Duration>| {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        runtime.block_on(round(data.path(), vms, task))
    };
    let mut own = 0.0;
    for vms in [1, 10, most] {
        let took = once(vms, None);
        own = took.wall / vms as f64;
        println!(
            "{vms:>4} VMs, tasks at once: {:.2} s, {:.3} s and {:.3} s of the processor for each; cleanup {:.2} s",
            took.wall,
            own,
            took.cpu / vms as f64,
            took.cleanup
        );
    }
    let took = once(most, Some(TASK));
    let one_by_one = took.tasks as f64 * TASK.as_secs_f64();
    println!(
        "{most:>4} VMs, {} tasks of {} s: {:.1} s; one by one {one_by_one:.0} s with nothing of our own; cleanup {:.1} s\n",
        took.tasks,
        TASK.as_secs(),
        took.wall,
        took.cleanup
    );
    let floor = (most as f64 / f64::from(POWER_ONS)).ceil() * TASK.as_secs_f64();
    [
        verdict("P10 beside one by one", took.wall / one_by_one, "≤ 0.1", took.wall / one_by_one <= 0.1),
        verdict("P10 own work per VM, s", own, "< 1", own < 1.0),
        // No faster than the cap lets it be.
        verdict("P10 whole run, s", took.wall, &format!("≥ {floor} by the cap"), took.wall >= floor),
    ]
    .into_iter()
    .all(|good| good)
}
