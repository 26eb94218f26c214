//! The database of a large installation, kept in the target directory and made anew when what it holds changes:
//! 10,000 VMs in two vCenters, four appliances, two templates, 100,000 jobs of 200 schedules, 20,000 lines of audit log, 20 operators.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use zerfaux::app::Principal;
use zerfaux::domain::hardware::{Disk, Firmware, Hardware, PowerState};
use zerfaux::domain::ids::{ScheduleId, SecretId, TargetId, TemplateId, VcenterId};
use zerfaux::domain::inventory::{Datastore, Inventory, NfsExport, Vm};
use zerfaux::domain::job::JobState;
use zerfaux::domain::moref::{DatastoreRef, VmRef};
use zerfaux::domain::target::{DEFAULT_NETWORKS, Deployed, Target};
use zerfaux::domain::template::{Template, TemplateDefaults};
use zerfaux::domain::vcenter::{Trust, Vcenter, VcenterAddress};
use zerfaux::store::{Schedule, SecretRow, Store};

use crate::commits::{job, log_of};
use crate::options::Options;

/// The password of everybody in it.
pub const PASSWORD: &str = "one of twenty operators";
/// Changes when what is made below does.
const VERSION: u32 = 3;
/// Writes that wait for one commit.
const AT_ONCE: usize = 200;

/// A copy of that database, for one run.
pub fn copy(options: &Options) -> tempfile::TempDir {
    let made = database(options);
    let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for file in std::fs::read_dir(&made).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

fn database(options: &Options) -> PathBuf {
    let (vms, jobs) = (options.number("vms", 10_000), options.number("jobs", 100_000));
    let schemas = std::fs::read_dir("migrations").unwrap().count();
    let place =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crowd-{VERSION}-{schemas}-{vms}-{jobs}"));
    if place.join("finished").exists() {
        return place;
    }
    let _unfinished = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).unwrap();
    let began = std::time::Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&place, vms, jobs));
    std::fs::write(place.join("finished"), "").unwrap();
    let size = std::fs::metadata(place.join("zerfaux.db")).unwrap().len() >> 20;
    println!("made the database: {vms} VMs, {jobs} jobs, {size} MiB, {:.0} s", began.elapsed().as_secs_f64());
    place
}

async fn fill(place: &Path, vms: u64, jobs: u64) {
    let app = zerfaux::boot::serving(place, None).await.unwrap();
    let (who, password) = (Principal::command_line(), SecretString::from(PASSWORD));
    for n in 0..20 {
        let role = if n == 0 { "admin" } else { "operator" };
        app.add_user(&who, &format!("operator-{n}"), role, &password).await.unwrap();
    }
    for n in 0..5 {
        app.create_token(&who, &format!("program-{n}"), "viewer", None).await.unwrap();
        app.add_ssh_key(&who, &format!("key {n}"), zerfaux::app::ssh_keys::KeySource::Generate)
            .await
            .unwrap();
    }
    app.close().await;
    drop(app);
    let store = Store::open(place).unwrap();
    for (n, name) in ["site A", "site B"].into_iter().enumerate() {
        put_vcenter(&store, u8::try_from(n).unwrap(), name, vms / 2).await;
    }
    put_appliances(&store).await;
    for n in 0..200 {
        store.put_schedule(&schedule(n)).await.unwrap();
    }
    put_jobs(&store, jobs).await;
    let mut lines = tokio::task::JoinSet::new();
    for n in 0..20_000 {
        let store = store.clone();
        lines.spawn(async move { store.append_audit(line(n)).await.unwrap() });
        if lines.len() >= AT_ONCE {
            lines.join_next().await.unwrap().unwrap();
        }
    }
    lines.join_all().await;
    store.close().await;
}

fn line(n: u64) -> zerfaux::domain::audit::AuditEntry {
    zerfaux::domain::audit::AuditEntry {
        at: Timestamp::now(),
        actor: format!("operator-{}", n % 20),
        source: "10.0.0.17".to_owned(),
        action: if n.is_multiple_of(3) { "job.retry" } else { "job.cancel" }.to_owned(),
        object: format!("replicate group-{:03}", n % 200),
        outcome: zerfaux::domain::audit::Outcome::Done,
        details: json!({ "state": "failed" }),
    }
}

/// Appliances at which nobody answers, and which nobody looks at by himself.
async fn put_appliances(store: &Store) {
    let key = store.ssh_keys().await.unwrap().remove(0).id;
    let vcenter = store.vcenters().await.unwrap().remove(0).id;
    for n in 0..4 {
        let target = Target {
            id: TargetId::new(),
            name: format!("zfs-{n}"),
            endpoint: format!("root@127.0.0.{}:1", n + 1).parse().unwrap(),
            ssh_key: key,
            host_key: "SHA256:y".into(),
            zfs_pool: "tank".parse().unwrap(),
            nfs_networks: DEFAULT_NETWORKS.parse().unwrap(),
            nfs_address: Some(format!("10.1.0.{n}")),
            replication_address: None,
            vcenter: Some(vcenter),
            is_active: false,
            appdata_path: None,
            deployed: Deployed::default(),
            created_by: "operator-0".into(),
            created_at: Timestamp::now(),
        };
        store.put_target(&target, line(n)).await.unwrap();
    }
    for n in 0..2 {
        let template = Template {
            id: TemplateId::new(),
            name: format!("Debian {n}"),
            description: None,
            vcenter,
            moref: VmRef::new("vm-1"),
            vm_name: "debian-12-zfs".into(),
            defaults: TemplateDefaults::new(
                "tank".parse().unwrap(),
                DEFAULT_NETWORKS.parse().unwrap(),
                "zfsadmin".parse().unwrap(),
            ),
            ssh_key: Some(key),
            is_active: true,
            created_by: "operator-0".into(),
            created_at: Timestamp::now(),
        };
        store.put_template(&template, line(n)).await.unwrap();
    }
}

fn schedule(n: u64) -> Schedule {
    Schedule {
        id: ScheduleId::new(),
        name: format!("group-{n:03}"),
        kind: "replicate".to_owned(),
        input: job(n, JobState::Queued).input,
        every_seconds: Some(300),
        calendar: None,
        time_zone: "UTC".to_owned(),
        // They would all be due at once and fail: their hosts are made up.
        enabled: false,
        next_due_at: None,
        last_enqueued_at: None,
        last_job: None,
    }
}

async fn put_jobs(store: &Store, jobs: u64) {
    let store = Arc::new(store.clone());
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..jobs {
        let store = Arc::clone(&store);
        let state = match n % 100 {
            0..=3 => JobState::Failed,
            4 => JobState::Cancelled,
            _ => JobState::Succeeded,
        };
        writing.spawn(async move {
            let job = job(n, state);
            let (events, lines) = log_of(&job);
            store.insert_job(&job).await.unwrap();
            for event in &events {
                store.record_event(event, &Default::default()).await.unwrap();
            }
            store.write_console(job.id, &lines).await.unwrap();
        });
        if writing.len() >= AT_ONCE {
            writing.join_next().await.unwrap().unwrap();
        }
    }
    writing.join_all().await;
}

async fn put_vcenter(store: &Store, n: u8, name: &str, vms: u64) {
    let id = VcenterId::from_bytes([n + 1; 16]);
    let password = SecretId::from_bytes([n + 1; 16]);
    // Under the key of the other secrets: a database with any other belongs to another key file.
    let key_id = store.secrets().await.unwrap()[0].key_id.clone();
    let row = SecretRow { id: password, name: format!("vcenter/{id}/password"), key_id, sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let vcenter = Vcenter {
        id,
        name: name.to_owned(),
        address: VcenterAddress::new(&format!("vcenter-{n}.example"), 443).unwrap(),
        username: "administrator@vsphere.local".to_owned(),
        password,
        trust: Trust::System,
        about: None,
        synced_at: Some(Timestamp::now()),
        last_error: None,
        created_at: Timestamp::now(),
    };
    store.put_vcenter(&vcenter).await.unwrap();
    let datastores = (0..40).map(|d| Datastore {
        object: DatastoreRef::new(format!("datastore-{d}")),
        name: format!("nfs-{d:02}"),
        parent: None,
        kind: "NFS".to_owned(),
        capacity_bytes: 8 << 40,
        free_bytes: 3 << 40,
        accessible: true,
        nfs: Some(NfsExport { host: format!("10.{n}.0.11"), path: format!("/tank/zerfaux/live/{d}") }),
        hosts: Vec::new(),
    });
    let vms = (0..vms).map(|v| vm(u64::from(n), v));
    let inventory =
        Inventory { datastores: datastores.collect(), vms: vms.collect(), ..Inventory::default() };
    store.put_inventory(id, inventory, Timestamp::now()).await.unwrap();
}

fn vm(site: u64, n: u64) -> Vm {
    const SORTS: [&str; 8] = ["web", "app", "db", "mail", "file", "build", "cache", "desk"];
    let datastore = DatastoreRef::new(format!("datastore-{}", n % 40));
    let name = format!("{}-{n:05}", SORTS[usize::try_from(n % 8).unwrap()]);
    let disk = |d: i32| Disk {
        key: 2000 + d,
        label: format!("Hard disk {}", d + 1),
        controller: 1000,
        unit: d,
        file: Some(format!("[nfs-{:02}] {name}/{name}_{d}.vmdk", n % 40)),
        parents: Vec::new(),
        datastore: Some(datastore.clone()),
        capacity_bytes: 40 << 30,
        thin: Some(true),
        mode: "persistent".to_owned(),
        uuid: None,
    };
    Vm {
        object: VmRef::new(format!("vm-{n}")),
        parent: None,
        template: false,
        instance_uuid: Some(format!("5029{site:04}-0000-4000-8000-{n:012}")),
        bios_uuid: Some(format!("4229{site:04}-0000-4000-8000-{n:012}")),
        power: if n.is_multiple_of(9) { PowerState::Off } else { PowerState::On },
        guest: Some("Debian GNU/Linux 12 (64-bit)".to_owned()),
        guest_id: Some("debian12_64Guest".to_owned()),
        guest_host_name: Some(format!("{name}.example")),
        guest_ip: Some(format!("10.{site}.{}.{}", n / 250, n % 250)),
        tools: Some("running".to_owned()),
        cpus: 2 + u32::try_from(n % 4).unwrap(),
        memory_bytes: (4 + n % 12) << 30,
        firmware: Some(Firmware::Efi),
        path: Some(format!("[nfs-{:02}] {name}/{name}.vmx", n % 40)),
        host: None,
        pool: None,
        has_snapshot: n.is_multiple_of(20),
        has_question: false,
        datastores: vec![datastore.clone()],
        hardware: Hardware { disks: (0..2).map(disk).collect(), ..Hardware::default() },
        name,
    }
}
