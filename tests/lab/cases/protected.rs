//! A protection group on the real hosts: a virtual machine whose disk is a real file on a real dataset, replicated by the
//! scheduler within its RPO while it goes on writing, through the API, with VMware's simulator as both vCenters.
//!
//! `tests/run` watches it for two minutes; `ZERFAUX_LAB_MINUTES=10` is the campaign, which also asserts that the RPO was met.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zerfaux::domain::moref::{EsxiRef, FolderRef, ManagedRef, PoolRef, VmRef};
use zerfaux::jobs::datastore_mounts::nfs3;
use zerfaux::vsphere::verbs::{CreateVm, DeviceChange, NewDisk, Reconfigure};
use zerfaux::vsphere::{Client, PropertySet, Scope};

use crate::deploying::PATIENCE;
use crate::lab::{Scene, Side, hosts};
use crate::served::Served;
use crate::vcenter::Server;

pub(super) const VM: &str = "erp01";
/// What stays at the source and at the DR side.
const KEEP: (usize, usize) = (2, 4);

/// A vCenter that the service knows.
pub(super) struct Site {
    vcsim: Server,
    pub(super) id: String,
}

impl Site {
    fn start(served: &Served, runtime: &tokio::runtime::Runtime, name: &str) -> Self {
        let vcsim = Server::vcsim(&["-host", "1", "-standalone-host", "0", "-vm", "1"]);
        let login = runtime.block_on(vcsim.login());
        let zerfaux::domain::vcenter::Trust::Pinned(thumbprint) = login.trust else { panic!("not pinned") };
        let made = json!({
            "name": name, "host": "127.0.0.1", "port": vcsim.address.port, "username": vcsim.username,
            "password": vcsim.password, "thumbprint": thumbprint.to_string(),
        });
        let made = served.ask("POST", "/vcenters", Some(made));
        Self { vcsim, id: made["id"].as_str().unwrap().to_owned() }
    }

    pub(super) fn sync(&self, served: &Served) {
        let sync = served.ask("POST", &format!("/vcenters/{}/sync", self.id), None);
        served.job_until(sync["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
    }
}

async fn first(client: &Client, kind: &'static str) -> ManagedRef {
    let scope = Scope::everything(client, &[kind]).await.unwrap();
    let found = client.retrieve(&[PropertySet { kind, paths: vec!["name"] }], &scope).await.unwrap();
    scope.close(client).await;
    found.into_iter().next().unwrap().object
}

/// The virtual machine on the datastore that is the dataset's export, as its vCenter knows it.
async fn make_vm(client: &Client, server: &str, path: &str) -> VmRef {
    let host = EsxiRef::new(first(client, "HostSystem").await.id);
    let datacenter = zerfaux::domain::moref::DatacenterRef::new(first(client, "Datacenter").await.id);
    let folder: FolderRef = client.vm_folder(&datacenter).await.unwrap().unwrap();
    let pool = PoolRef::new(first(client, "ResourcePool").await.id);
    client.create_nas_datastore(&host, &nfs3(server, path, "protected")).await.unwrap();
    let disk = NewDisk { controller: -1, unit: 0, capacity_bytes: 16 << 20, thin: true, file: None };
    let config = Reconfigure {
        name: Some(VM.to_owned()),
        version: Some("vmx-13".to_owned()),
        guest_id: Some("otherLinux64Guest".to_owned()),
        cpus: Some(2),
        memory_mib: Some(512),
        devices: vec![
            DeviceChange::AddController { key: -1, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 },
            DeviceChange::AddDisk(disk),
        ],
        ..Reconfigure::default()
    };
    let create = CreateVm { folder, pool, host: Some(host), home: "[protected]".to_owned(), config };
    let task = client.create_vm(&create).await.unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    let made = client.wait_for_task(&task, "make it", &cancel, |_| ()).await.unwrap().unwrap();
    VmRef::new(made.reference().unwrap().id)
}

fn appliance(served: &Served, name: &str, side: &Side, key: &Value, vcenter: &str) -> String {
    let host = side.host;
    let mut body = json!({
        "name": name, "hostname": host.address, "port": host.port, "ssh_username": "zfsadmin", "ssh_key_id": key,
        "zfs_pool": "lab", "nfs_address": host.lab_address, "replication_address": host.lab_address,
        "vcenter_id": vcenter,
    });
    let (status, asked) = served.try_ask("POST", "/targets", Some(&body));
    assert_eq!(status, 409, "its key is compared first: {asked}");
    body["host_key_fingerprint"] = asked["fingerprint"].clone();
    served.ask("POST", "/targets", Some(body))["id"].as_str().unwrap().to_owned()
}

/// Tags and GUIDs of the group's snapshots, as `zfs list` says them.
fn listed(side: &Side, dataset: &str) -> BTreeMap<String, String> {
    let said = side.host.root(&format!(
        "zfs list -H -p -d 1 -t snapshot -o name,guid,zerfaux:checkpoint,zerfaux:group {dataset}"
    ));
    said.lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|words| words[3] != "-")
        .map(|words| (words[0].split_once('@').unwrap().1.to_owned(), words[1].to_owned()))
        .collect()
}

/// A group of the virtual machine, with its sites.
pub(super) struct Protected {
    pub(super) served: Served,
    pub(super) primary: Site,
    pub(super) recovery: Site,
    pub(super) scene: Scene,
    /// Where its dataset is mounted at the source.
    pub(super) path: String,
    moref: VmRef,
    pub(super) dataset: String,
    pub(super) group: String,
    pub(super) replica: String,
    vm: String,
}

impl Protected {
    pub(super) fn start(case: &str) -> Self {
        let scene = Scene::new(case);
        let (source, dr) = (&scene.source, &scene.target);
        let dataset = source.name("vm");
        source.host.root(&format!(
            "zfs create -o recordsize=32K -o sharenfs=rw=@10.77.0.0/24,no_root_squash {dataset}
             d=$(zfs get -H -o value mountpoint {dataset}); mkdir $d/{VM}
             printf '# Disk DescriptorFile\\n' > $d/{VM}/{VM}.vmdk
             head -c 16777216 /dev/urandom > $d/{VM}/{VM}-flat.vmdk"
        ));
        let path = source.host.root(&format!("zfs get -H -o value mountpoint {dataset}")).trim().to_owned();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let served = Served::start();
        let (primary, recovery) =
            (Site::start(&served, &runtime, "vc-primary"), Site::start(&served, &runtime, "vc-dr"));
        let vm = runtime.block_on(async {
            let client = primary.vcsim.client().await;
            make_vm(&client, &source.host.lab_address, &path).await
        });
        let key = std::fs::read_to_string(&hosts().0.key).unwrap();
        let key = served.ask("POST", "/ssh-keys", Some(json!({ "name": "lab", "private_key": key })));
        let here = appliance(&served, "zfs-primary", source, &key["id"], &primary.id);
        let there = appliance(&served, "zfs-dr", dr, &key["id"], &recovery.id);
        primary.sync(&served);
        recovery.sync(&served);
        let group = json!({
            "name": "erp", "source_vcenter_id": primary.id, "protection_datastore": "protected",
            "dr_vcenter_id": recovery.id, "dr_target_id": there, "dr_parent_dataset": dr.name("."),
            "rpo_minutes": 1, "retention": { "source": { "last": KEEP.0 }, "dr": { "last": KEEP.1 } },
        });
        let group = served.ask("POST", "/protection-groups", Some(group));
        assert_eq!((&group["source_dataset"], &group["source_target_id"]), (&json!(dataset), &json!(here)));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let vms = json!({ "vm_morefs": [vm.id()] });
        let at = format!("/protection-groups/{}/protected-vms", text(&group["id"]));
        let vms = served.ask("POST", &at, Some(vms));
        assert_eq!(vms["items"][0]["in_protection_datastore"], true, "{vms}");
        Self {
            primary,
            recovery,
            path,
            dataset,
            group: text(&group["id"]),
            replica: text(&group["dr_dataset"]),
            moref: vm,
            vm: text(&vms["items"][0]["id"]),
            served,
            scene,
        }
    }

    /// The checkpoints that the service knows, newest first.
    pub(super) fn checkpoints(&self) -> Vec<Value> {
        let known = self.served.ask("GET", &format!("/protection-groups/{}/checkpoints", self.group), None);
        known["items"].as_array().unwrap().clone()
    }

    /// Starts no run by itself any more, and waits for the one that may go on.
    pub(super) fn pauses(&self) {
        self.served.ask("POST", &format!("/protection-groups/{}/pause", self.group), None);
        let until = Instant::now() + PATIENCE;
        loop {
            let jobs = ["running", "queued"].map(|state| {
                self.served.ask("GET", &format!("/jobs?state={state}"), None)["items"]
                    .as_array()
                    .unwrap()
                    .len()
            });
            if jobs == [0, 0] {
                return;
            }
            assert!(Instant::now() < until, "a run does not end");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Powers the virtual machine on where it is protected.
    pub(super) fn power_on_source(&self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let client = self.primary.vcsim.client().await;
            let task = client.power_on(&self.moref, None).await.unwrap();
            let cancel = tokio_util::sync::CancellationToken::new();
            client.wait_for_task(&task, "power it on", &cancel, |_| ()).await.unwrap();
        });
    }

    /// Writes into the virtual machine's disk.
    pub(super) fn write(&self, number: u64) {
        self.scene.source.host.root(&format!(
            "head -c 65536 /dev/urandom |
             dd of={}/{VM}/{VM}-flat.vmdk bs=65536 seek={} conv=notrunc status=none",
            self.path,
            number % 256
        ));
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_group_runs_by_itself_and_its_checkpoints_are_what_zfs_lists() {
    let minutes: Option<u64> = std::env::var("ZERFAUX_LAB_MINUTES").ok().and_then(|text| text.parse().ok());
    let protected = Protected::start("group");
    let (served, source, dr) = (&protected.served, &protected.scene.source, &protected.scene.target);
    let (dataset, replica) = (&protected.dataset, &protected.replica);
    let at = format!("/protection-groups/{}", protected.group);

    // The disk is written to all the time; the first checkpoint comes without being asked for.
    let (began, mut number, mut seen) = (Instant::now(), 0, BTreeMap::new());
    let lasts = Duration::from_secs(60 * minutes.unwrap_or(2));
    let ends = |seen: &BTreeMap<_, _>| match minutes {
        Some(_) => began.elapsed() > lasts,
        // Beside other cases the hosts are slow: it is enough to have seen more than the first.
        None => seen.len() > KEEP.1 || (began.elapsed() > lasts && seen.len() > 1),
    };
    while !ends(&seen) {
        protected.write(number);
        number += 1;
        for one in protected.checkpoints() {
            seen.entry(one["snapshot"].as_str().unwrap().to_owned()).or_insert_with(|| one.clone());
        }
        assert!(began.elapsed() < lasts + PATIENCE * 2, "{seen:?}");
        std::thread::sleep(Duration::from_secs(3));
    }
    protected.pauses();
    // A run that was under way when it was paused brings one more.
    for one in protected.checkpoints() {
        seen.entry(one["snapshot"].as_str().unwrap().to_owned()).or_insert_with(|| one.clone());
    }
    // On a busy machine it may be there before it was taken note of.
    for tag in listed(dr, replica).into_keys() {
        seen.entry(tag).or_insert(Value::Null);
    }
    let last = served.ask("POST", &format!("{at}/run-now"), None);
    let last = served.job_until(last["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
    assert_eq!(last["warnings"], json!([]), "{last}");

    // What is promised on both sides is there, and what the API lists is what zfs lists.
    let (kept_here, kept_there) = (listed(source, dataset), listed(dr, replica));
    let until = Instant::now() + Duration::from_secs(60);
    let told = loop {
        let told: BTreeMap<String, String> = protected
            .checkpoints()
            .iter()
            .map(|one| {
                (one["snapshot"].as_str().unwrap().to_owned(), one["guid"].as_str().unwrap().to_owned())
            })
            .collect();
        // What retention let go of is known to be gone at the next look at the appliance.
        if told == kept_there || Instant::now() > until {
            break told;
        }
        std::thread::sleep(Duration::from_secs(2));
    };
    assert_eq!(told, kept_there, "the checkpoints of the API and those of zfs list");
    let total = seen.len() + 1;
    assert_eq!(kept_here.len(), total.min(KEEP.0), "kept at the source: {kept_here:?}");
    assert_eq!(kept_there.len(), total.min(KEEP.1), "kept at the DR side: {kept_there:?}");
    for (tag, guid) in &kept_here {
        assert_eq!(kept_there.get(tag), Some(guid), "{tag} is the same on both sides");
    }

    // Each checkpoint holds the disk of its moment.
    let newest = kept_here.keys().max().unwrap();
    let hash = |side: &Side, dataset: &str| {
        let clone = side.name("look");
        let said = side.host.root(&format!(
            "zfs clone -o mountpoint=/run/{name} -o readonly=on {dataset}@{newest} {clone}
             sha256sum < /run/{name}/{VM}/{VM}-flat.vmdk; zfs destroy {clone}",
            name = clone.replace('/', "-")
        ));
        said.trim().to_owned()
    };
    assert_eq!(hash(dr, replica), hash(source, dataset), "the disk in {newest}");
    let state = dr.host.root(&format!("zfs get -H -o value readonly,mounted,canmount {replica}"));
    assert_eq!(state.lines().collect::<Vec<_>>(), ["on", "no", "noauto"]);

    let history = served.ask("GET", &format!("{at}/rpo-history"), None);
    println!("{} checkpoints in {} s, {history}", total, began.elapsed().as_secs());
    if minutes.is_some() {
        assert_eq!(history["breaches"], json!([]), "the RPO of one minute was met all the time");
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_shells_disks_open_on_a_clone_of_the_real_replica_and_the_clone_is_gone_afterwards() {
    let protected = Protected::start("shell");
    let (served, dr) = (&protected.served, &protected.scene.target);
    let until = Instant::now() + PATIENCE;
    while protected.checkpoints().is_empty() {
        assert!(Instant::now() < until, "no checkpoint");
        std::thread::sleep(Duration::from_secs(1));
    }
    protected.pauses();
    let replica = || {
        dr.host.root(&format!(
            "zfs list -H -p -o name,guid,readonly,mounted,clones -r -t all {}",
            protected.replica
        ))
    };
    let before = replica();
    let vm = format!("/protected-vms/{}", protected.vm);
    let plan = served.ask("GET", &format!("{vm}/dr-shell-plan?home_datastore=LocalDS_0"), None);
    assert_eq!(plan["obstacles"], json!([]), "{plan}");
    let wish = json!({ "home_datastore": "LocalDS_0" });
    let job = served.ask("POST", &format!("{vm}/create-dr-shell"), Some(wish));
    let id = job["job_id"].as_str().unwrap();
    let failed = served.job_until(id, &["succeeded", "failed"], PATIENCE);
    let why = failed["error"].as_str().unwrap();
    assert!(failed["failed_phase"] == "attach" && why.contains("erp01-flat.vmdk"), "{failed}");
    let view = dr.host.root("zfs list -H -o origin -r -t filesystem lab/zerfaux/run");
    assert!(view.contains(&format!("{}@", protected.replica)), "the view is a clone of the replica: {view}");
    // What a host's NFS client does: it shows the files of the export. VMware's simulator has a directory of this machine instead.
    let flat = std::path::Path::new(why.split('"').find(|part| part.ends_with("-flat.vmdk")).unwrap());
    let size = dr.host.root(&format!("stat -c %s /srv/zerfaux/shell-{id}/{VM}/{VM}-flat.vmdk"));
    std::fs::create_dir_all(flat.parent().unwrap()).unwrap();
    std::fs::write(flat.with_file_name(format!("{VM}.vmdk")), "").unwrap();
    std::fs::File::create(flat).unwrap().set_len(size.trim().parse().unwrap()).unwrap();
    served.ask("POST", &format!("/jobs/{id}/retry"), None);
    let job = served.job_until(id, &["succeeded"], PATIENCE);
    assert_eq!((&job["result"]["disks"], &job["result"]["view"]), (&json!(1), &Value::Null), "{job}");

    // Nothing of the view is left on the appliance or in the vCenter, and the replica is as it was.
    let left = dr.host.root("zfs list -H -o name -r -t filesystem lab; exportfs -s");
    assert!(!left.contains(id), "{left}");
    assert_eq!(replica(), before);
    protected.recovery.sync(served);
    let datastores = served.ask("GET", &format!("/vcenters/{}/datastores", protected.recovery.id), None);
    assert!(!datastores.to_string().contains("zx-view"), "{datastores}");
    let shown = served.ask("GET", &vm, None);
    assert_eq!(
        (&shown["dr_shell_status"], &shown["dr_shell_vm_created"], &shown["dr_shell_vm_id"]),
        (&json!("ready"), &json!(true), &job["result"]["vm_moref"]),
        "{shown}"
    );
}
