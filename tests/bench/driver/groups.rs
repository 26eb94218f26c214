//! P8: the scheduler with 2,000 virtual machines in 200 groups at an RPO of 5 minutes, on eight simulated appliances and a
//! simulated vCenter, which live in this process; the service is another one, and its processor time and memory are its own.
//!
//! When a run was due is computed from what is kept of the runs before it, by the planner that the scheduler asks too, so
//! that what is measured is how late the run was queued. A start is missed if the RPO of its group was broken.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use zerfaux::app::inventory::VmFilter;
use zerfaux::app::protection_groups::GroupWish;
use zerfaux::app::ssh_keys::KeySource;
use zerfaux::app::targets::{Saved as SavedTarget, TargetWish};
use zerfaux::app::vcenters::{Saved, VcenterWish};
use zerfaux::app::{App, Principal};
use zerfaux::domain::checkpoint::GroupRun;
use zerfaux::domain::ids::VcenterId;
use zerfaux::domain::settings::Settings;
use zerfaux::plan::schedule::{GroupFacts, Limits, Next, Want, decide, expected};
use zerfaux::sim::appliance::{Appliance, ApplianceOptions};
use zerfaux::sim::vcenter::{Options as VcenterOptions, Vcenter};
use zerfaux::store::Store;

use crate::cost::{peak, processor, verdict};
use crate::options::Options;
use crate::served::Served;

const PAIRS: usize = 4;
const PASSWORD: &str = "zerfaux";
const MIB: f64 = (1 << 20) as f64;

struct Sites {
    vcenter: Vcenter,
    /// Sources and DR sides, in pairs.
    pairs: Vec<(Appliance, Appliance)>,
}

fn appliance(name: &str, key: &str) -> Appliance {
    let options = ApplianceOptions {
        hostname: name.to_owned(),
        pools: vec![("tank".to_owned(), 4 << 40)],
        authorized_keys: Some(key.to_owned()),
        ..ApplianceOptions::default()
    };
    Appliance::start(options).unwrap()
}

fn run(appliance: &Appliance, script: &str) {
    let done = appliance.run(script);
    assert_eq!(done.status, 0, "{}", done.stderr);
}

async fn target(app: &App, who: &Principal, name: &str, at: &Appliance, key: &str, vcenter: &str) -> String {
    let wish = TargetWish {
        name: name.to_owned(),
        hostname: "127.0.0.1".to_owned(),
        port: at.address().port().to_string(),
        ssh_username: "zfsadmin".to_owned(),
        ssh_key_id: key.to_owned(),
        zfs_pool: "tank".to_owned(),
        vcenter_id: vcenter.to_owned(),
        host_key_fingerprint: at.host_key_fingerprint(),
        ..TargetWish::default()
    };
    let saved = app.create_target(who, &wish).await.unwrap();
    SavedTarget::kept(saved, name).unwrap().id.to_string()
}

async fn connect(app: &App, who: &Principal, vcenter: &Vcenter) -> VcenterId {
    let wish = VcenterWish {
        name: "site".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: vcenter.address().port(),
        username: "administrator@vsphere.local".to_owned(),
        password: Some(SecretString::from(PASSWORD)),
        accepted: Some(vcenter.thumbprint().parse().unwrap()),
    };
    let Saved::Kept(known) = app.vcenters().unwrap().create(who, wish).await.unwrap() else {
        panic!("the certificate was accepted")
    };
    app.vcenters().unwrap().sync(who, known.id).await.unwrap();
    app.run_until_idle().await.unwrap();
    known.id
}

/// Everything as somebody would have set it up, all groups switched on.
async fn furnish(place: &Path, groups: usize, vms: usize) -> Sites {
    let app = zerfaux::boot::serving(place, None).await.unwrap();
    let who = Principal::command_line();
    let key = app.add_ssh_key(&who, "site", KeySource::Generate).await.unwrap();
    let options = VcenterOptions { vms, ..VcenterOptions::default() };
    let vcenter = Vcenter::start(options).await.unwrap();
    let id = connect(&app, &who, &vcenter).await;
    let mut morefs: Vec<String> = Vec::new();
    loop {
        let offset = u32::try_from(morefs.len()).unwrap();
        let filter =
            VmFilter { vcenter: Some(id), template: Some(false), limit: 500, offset, ..VmFilter::default() };
        let page = app.vcenters().unwrap().vms(&filter).await.unwrap().items;
        if page.is_empty() {
            break;
        }
        morefs.extend(page.iter().map(|vm| vm.object.id().to_owned()));
    }
    let (mut pairs, mut targets) = (Vec::new(), Vec::new());
    for n in 0..PAIRS {
        let pair = (
            appliance(&format!("source-{n}"), &key.public_key),
            appliance(&format!("dr-{n}"), &key.public_key),
        );
        let (key, vcenter) = (key.id.to_string(), id.to_string());
        targets.push((
            target(&app, &who, &format!("source-{n}"), &pair.0, &key, &vcenter).await,
            target(&app, &who, &format!("dr-{n}"), &pair.1, &key, &vcenter).await,
        ));
        pairs.push(pair);
    }
    let each = morefs.len() / groups;
    for n in 0..groups {
        let (source, dr) = &targets[n % PAIRS];
        run(&pairs[n % PAIRS].0, &format!("zfs create tank/group-{n:03}"));
        let wish = GroupWish {
            name: format!("group-{n:03}"),
            source_vcenter_id: id.to_string(),
            source_target_id: source.clone(),
            source_dataset: format!("tank/group-{n:03}"),
            dr_vcenter_id: id.to_string(),
            dr_target_id: dr.clone(),
            rpo_minutes: "5".to_owned(),
            keep_source: "last=2".to_owned(),
            keep_dr: "last=3".to_owned(),
            transport: "relay".to_owned(),
            ..GroupWish::usual()
        };
        let group = app.create_protection_group(&who, &wish).await.unwrap();
        app.assign_vms(&who, group.id, &morefs[n * each..(n + 1) * each]).await.unwrap();
    }
    app.close().await;
    Sites { vcenter, pairs }
}

pub fn p8(options: &Options) -> bool {
    let groups = usize::try_from(options.number("groups", 200)).unwrap();
    let vms = usize::try_from(options.number("vms", 2_000)).unwrap();
    let (warm, seconds) = (options.number("warm", 330), options.number("seconds", 600));
    println!("P8 {vms} VMs in {groups} groups at RPO 5 min, {warm} s to begin with, then {seconds} s\n");
    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sites = runtime.block_on(furnish(data.path(), groups, vms));
    let server = Served::start(data.path());
    let pid = server.child.id();
    let (began, mut counted, mut number) = (Instant::now(), None, 0_usize);
    while began.elapsed() < Duration::from_secs(warm + seconds) {
        // The companies work: something changes in every group.
        for _ in 0..groups.div_ceil(60) {
            let group = number % groups;
            let bytes = vec![u8::try_from(number % 251).unwrap(); 4096];
            let site = &sites.pairs[group % PAIRS].0;
            site.write(&format!("tank/group-{group:03}"), "vm/vm-flat.vmdk", &bytes).unwrap();
            number += 1;
        }
        std::thread::sleep(Duration::from_secs(1));
        if counted.is_none() && began.elapsed() >= Duration::from_secs(warm) {
            counted = Some((Instant::now(), Timestamp::now(), processor(pid).unwrap()));
        }
    }
    let (since, from, before) = counted.expect("it began");
    let cores = (processor(pid).unwrap() - before) / since.elapsed().as_secs_f64();
    let memory = peak(pid).unwrap() as f64 / MIB;
    server.stop();
    let found = runtime.block_on(judge(data.path(), from));
    println!(
        "{} runs, {} of them failed; the vCenter was asked {} times for changes\n",
        found.runs,
        found.failed,
        sites.vcenter.calls("WaitForUpdatesEx")
    );
    let mut late = found.late;
    late.sort_by(f64::total_cmp);
    let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize];
    println!(
        "queued after they were due, s: median {:.2}, 90 % {:.2}, longest {:.2}\n",
        at(0.5),
        at(0.9),
        at(1.0)
    );
    let missed = found.breaches as f64;
    [
        verdict("P8 missed starts (breaches of an RPO)", missed, "0", missed == 0.0 && found.failed == 0),
        verdict("P8 jitter p99, s", at(0.99), "≤ 1", at(0.99) <= 1.0),
        verdict("P8 cores", cores, "≤ 0.5", cores <= 0.5),
        verdict("P8 memory at most, MiB", memory, "≤ 300", memory <= 300.0),
    ]
    .into_iter()
    .all(|good| good)
}

struct Found {
    runs: usize,
    failed: usize,
    breaches: usize,
    /// Seconds after each run was due, until it was queued.
    late: Vec<f64>,
}

async fn judge(place: &Path, from: Timestamp) -> Found {
    let store = Store::open(place).unwrap();
    let limits = Limits::from(&Settings::default());
    let mut found = Found { runs: 0, failed: 0, breaches: 0, late: Vec::new() };
    let mut runs = store.recent_group_runs().await.unwrap();
    for group in store.protection_groups().await.unwrap() {
        let mut own: Vec<GroupRun> = runs.remove(&group.id).unwrap_or_default();
        own.reverse();
        let taken = store.checkpoints(group.id, true).await.unwrap();
        for (n, run) in own.iter().enumerate().filter(|(_, run)| run.started_at >= from) {
            found.runs += 1;
            found.failed += usize::from(run.succeeded == Some(false));
            let Some(last) = n.checked_sub(1).map(|before| &own[before]) else { continue };
            let Some(finished) = last.finished_at else { continue };
            let newest = taken.iter().find(|one| one.job == Some(last.job));
            let took = own[..n].iter().rev().filter_map(|run| run.took_ms).map(Duration::from_millis);
            let facts = GroupFacts {
                id: group.id,
                want: Want::Rpo(Duration::from_secs(300)),
                runs: true,
                busy: false,
                newest: newest.map(|one| one.taken_at),
                last_good_start: Some(last.started_at),
                last_start: Some(last.started_at),
                failures: 0,
                expected: expected(took.collect()),
                allowed_from: Some(finished),
                priority: group.policy.priority,
                appliances: [group.source.target, group.dr.target],
                vcenter: group.source.vcenter,
            };
            let due = match decide(&[facts], finished, limits).remove(0).1 {
                Next::At(at) => at,
                _ => finished,
            };
            found.late.push(run.started_at.duration_since(due).as_secs_f64().max(0.0));
        }
        let broken = store.rpo_breaches(Some(group.id), false, 100).await.unwrap();
        let ended = |at: Option<Timestamp>| at.is_none_or(|at| at > from + SignedDuration::from_secs(1));
        found.breaches += broken.iter().filter(|one| ended(one.ended_at)).count();
    }
    store.close().await;
    found
}
