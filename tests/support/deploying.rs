//! A site in which an appliance is deployed for real: Zerfaux as a service, VMware's own simulator as its vCenter, and a lab
//! host that our script has prepared as the machine that turns up. What the vCenter says of the machine (its tools run, its
//! address) and what hardware does (the disk turns up, with the UUID of its VMDK as its serial number) is done here.
//!
//! The host has the address that the vCenter tells on this machine too, beside those of the loopback interface, with a
//! forwarder to it: so Zerfaux and the other hosts name it alike.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use zerfaux::domain::disk::guest_uuid;
use zerfaux::domain::moref::{DatacenterRef, FolderRef, TaskRef, VmRef};
use zerfaux::vsphere::verbs::Reconfigure;
use zerfaux::vsphere::{Client, PropertySet, Scope, read_hardware};

use crate::lab::{Disk, Mine, PREPARED_USER, hosts};
use crate::served::Served;
use crate::vcenter::Server;

/// The disk that each deployment asks for.
pub const DISK: &str = "1G";
const DISK_BYTES: u64 = 1 << 30;
/// The lab's hosts are slow.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The site. The service ends first, the host is given back last.
pub struct Site {
    pub served: Served,
    /// The template's id.
    template: String,
    client: Client,
    runtime: Runtime,
    _vcsim: Server,
    _forward: Forward,
    pub spare: Mine,
}

/// A deployment whose machine is cloned and powered on.
pub struct Deploying {
    pub job: String,
    pub vm: VmRef,
    /// The UUID of its disk as a guest shows it.
    pub serial: String,
    nonce: String,
}

impl Site {
    pub fn start(spare: Mine) -> Self {
        let forward = Forward::start(&spare.host.lab_address, (spare.host.address.clone(), spare.host.port));
        let vcsim = Server::vcsim(&["-host", "1", "-standalone-host", "0", "-vm", "1"]);
        let served = Served::start();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(vcsim.client());
        let (_, vm) = by_name(&runtime, &client, "VirtualMachine").swap_remove(0);
        let vm = VmRef::new(vm);
        runtime.block_on(async {
            done(&client, client.power_off(&vm).await.unwrap()).await;
            client.mark_as_template(&vm).await.unwrap();
        });
        let login = runtime.block_on(vcsim.login());
        let zerfaux::domain::vcenter::Trust::Pinned(thumbprint) = login.trust else { panic!("not pinned") };
        let vcenter = served.ask(
            "POST",
            "/vcenters",
            Some(json!({
                "name": "vc-lab", "host": "127.0.0.1", "port": vcsim.address.port, "username": vcsim.username,
                "password": vcsim.password, "thumbprint": thumbprint.to_string(),
            })),
        );
        let vcenter = vcenter["id"].as_str().unwrap();
        let sync = served.ask("POST", &format!("/vcenters/{vcenter}/sync"), None);
        served.job_until(sync["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
        let key = std::fs::read_to_string(&spare.key).unwrap();
        let key = served.ask("POST", "/ssh-keys", Some(json!({ "name": "lab", "private_key": key })));
        let template = served.ask("POST", "/zfs-templates", Some(json!({
            "name": "Debian 12", "vcenter_id": vcenter, "template_moref": vm.id(),
            "default_datacenter": "DC0", "default_cluster": "DC0_C0", "default_datastore": "LocalDS_0",
            "default_network": "DC0_DVPG0", "default_zfs_pool_name": "tank", "default_nfs_network": "10.77.0.0/24",
            "default_cpu_count": 1, "default_memory_gb": 1, "default_zfs_disk_gb": 1,
            "default_ssh_username": PREPARED_USER, "default_ssh_port": forward.port, "ssh_key_id": key["id"],
        })));
        let template = template["id"].as_str().unwrap().to_owned();
        Self { served, template, client, runtime, _vcsim: vcsim, _forward: forward, spare }
    }

    /// Where Zerfaux and the other hosts reach the machine.
    pub fn reached_at(&self) -> &'static str {
        &self.spare.host.lab_address
    }

    /// Starts a deployment by DHCP, and waits until its machine has its disk and is powered on.
    #[track_caller]
    pub fn deploy(&self, name: &str, more: &Value) -> Deploying {
        let mut wish = json!({ "vm_name": name });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let job = self.served.ask("POST", &format!("/zfs-templates/{}/deploy", self.template), Some(wish));
        let job = job["job_id"].as_str().unwrap().to_owned();
        let ends = Instant::now() + PATIENCE;
        loop {
            if let Some((vm, serial, nonce)) = self.runtime.block_on(self.powered_on(name)) {
                return Deploying { job, vm, serial, nonce };
            }
            let now = self.served.ask("GET", &format!("/jobs/{job}"), None);
            let late = Instant::now() > ends || now["state"] == "failed";
            assert!(!late, "{now}\n{}", self.served.console(&job).join("\n"));
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    async fn powered_on(&self, name: &str) -> Option<(VmRef, String, String)> {
        let vm = VmRef::new(self.client.find_child(&self.folder().await, name).await.unwrap()?.id);
        let paths = ["runtime.powerState", "config.hardware.device", "config.extraConfig"];
        let found = self.client.properties(&vm, VmRef::KIND, &paths).await.unwrap();
        if found.text("runtime.powerState") != Some("poweredOn") {
            return None;
        }
        let disks = read_hardware(found.get("config.hardware.device").unwrap()).disks;
        let disk = disks.iter().find(|disk| disk.capacity_bytes == DISK_BYTES).expect("its disk");
        let options = found.get("config.extraConfig").unwrap().children();
        let nonce = options.iter().find(|one| one.text_at("key") == Some("guestinfo.zerfaux.nonce"));
        let serial = disk.uuid.as_deref().and_then(guest_uuid).expect("the disk has a UUID");
        Some((vm, serial, nonce.unwrap().string_at("value").unwrap()))
    }

    async fn folder(&self) -> FolderRef {
        let sets = [PropertySet { kind: "Datacenter", paths: vec!["name"] }];
        let scope = Scope::everything(&self.client, &["Datacenter"]).await.unwrap();
        let found = self.client.retrieve(&sets, &scope).await.unwrap().swap_remove(0);
        scope.close(&self.client).await;
        self.client.vm_folder(&DatacenterRef::new(found.object.id)).await.unwrap().unwrap()
    }

    /// A blank disk turns up in the machine, with the serial number that the VMDK's UUID gives.
    pub fn plug_in(&self, deploying: &Deploying) -> Disk {
        self.spare.plug(DISK, Some(&deploying.serial))
    }

    /// The machine has started, and the vCenter says so. Gives its host key.
    pub fn comes_up(&self, deploying: &Deploying) -> String {
        let told = self.tells(deploying);
        self.runs(deploying, &told);
        told.split(' ').nth(1).unwrap().to_owned()
    }

    /// What the machine's identity service tells at its start.
    pub fn tells(&self, deploying: &Deploying) -> String {
        let told = crate::cases::told_at_start(&self.spare, &deploying.nonce);
        let told = told.trim();
        assert!(told.starts_with(&format!("{} SHA256:", deploying.nonce)), "{told:?}");
        told.to_owned()
    }

    /// The vCenter has what it told; its tools run, and it has its address.
    pub fn runs(&self, deploying: &Deploying, told: &str) {
        let options = [
            ("guestinfo.zerfaux.hostkey", told),
            ("SET.guest.toolsRunningStatus", "guestToolsRunning"),
            ("SET.guest.toolsStatus", "toolsOk"),
            ("SET.guest.ipAddress", self.reached_at()),
        ];
        let extra_config = options.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let change = Reconfigure { extra_config, ..Reconfigure::default() };
        self.runtime.block_on(async {
            done(&self.client, self.client.reconfigure(&deploying.vm, &change).await.unwrap()).await;
        });
    }

    /// Waits until the job has ended, or failed and waits to be told what to do.
    #[track_caller]
    pub fn ends(&self, deploying: &Deploying, state: &str) -> Value {
        let job = self.served.job_until(&deploying.job, &["succeeded", "failed", "cancelled"], PATIENCE);
        assert_eq!(job["state"], state, "{job}\n{}", self.served.console(&deploying.job).join("\n"));
        job
    }

    /// It failed in this phase, says all of this, and advises all of that.
    #[track_caller]
    pub fn fails(&self, deploying: &Deploying, phase: &str, says: &[&str], advises: &[&str]) {
        let job = self.ends(deploying, "failed");
        assert_eq!(job["failed_phase"], phase, "{job}");
        for (key, needles) in [("error", says), ("advice", advises)] {
            let text = job[key].as_str().unwrap_or_default();
            for needle in needles {
                assert!(text.contains(needle), "{needle:?} is not in the {key}: {text}");
            }
        }
    }

    /// Has everything taken away again that the job made, and looks whether it is so.
    #[track_caller]
    pub fn cleans_up(&self, deploying: &Deploying) {
        self.served.ask("POST", &format!("/jobs/{}/cleanup", deploying.job), None);
        let ends = Instant::now() + PATIENCE;
        let names = || by_name(&self.runtime, &self.client, "VirtualMachine");
        while names().iter().any(|(_, id)| id == deploying.vm.id()) {
            let told = || self.served.console(&deploying.job).join("\n");
            assert!(Instant::now() < ends, "the machine is still there\n{}", told());
            std::thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(self.served.ask("GET", "/targets", None)["items"], json!([]));
    }

    /// What the vCenter's datastore of that name mounts: server and directory.
    pub fn mounted(&self, datastore: &str) -> (String, String) {
        let found = by_name(&self.runtime, &self.client, "Datastore");
        let (_, id) = found.iter().find(|(name, _)| name == datastore).unwrap_or_else(|| panic!("{found:?}"));
        let datastore = zerfaux::domain::moref::DatastoreRef::new(id.as_str());
        let found =
            self.runtime.block_on(self.client.properties(&datastore, "Datastore", &["info"])).unwrap();
        let nas = found.get("info").and_then(|info| info.child("nas")).expect("it is an NFS datastore");
        (nas.string_at("remoteHost").unwrap(), nas.string_at("remotePath").unwrap())
    }
}

async fn done(client: &Client, task: TaskRef) {
    client.wait_for_task(&task, "do it", &CancellationToken::new(), |_| ()).await.unwrap();
}

fn by_name(runtime: &Runtime, client: &Client, kind: &'static str) -> Vec<(String, String)> {
    runtime.block_on(async {
        let sets = [PropertySet { kind, paths: vec!["name"] }];
        let scope = Scope::everything(client, &[kind]).await.unwrap();
        let found = client.retrieve(&sets, &scope).await.unwrap();
        scope.close(client).await;
        let named = |one: zerfaux::vsphere::ObjectContent| {
            (one.text("name").unwrap_or_default().to_owned(), one.object.id)
        };
        let mut all: Vec<_> = found.into_iter().map(named).collect();
        all.sort();
        all
    })
}

/// This machine answers at the host's address in the lab, and passes on what comes.
struct Forward {
    port: u16,
    address: String,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Forward {
    fn start(address: &str, to: (String, u16)) -> Self {
        // What a killed run left behind.
        let alone = format!("{address}/32");
        let _ = ip(&["addr", "del", &alone, "dev", "lo"]);
        ip(&["addr", "add", &alone, "dev", "lo"])
            .unwrap_or_else(|why| panic!("this machine gets no {alone}: {why}"));
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for incoming in listener.incoming() {
                if stopped.load(std::sync::atomic::Ordering::SeqCst) {
                    return;
                }
                if let (Ok(near), Ok(far)) = (incoming, TcpStream::connect((to.0.as_str(), to.1))) {
                    let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                    std::thread::spawn(move || pass(near_too, far));
                    std::thread::spawn(move || pass(far_too, near));
                }
            }
        });
        Self { port, address: address.to_owned(), stop }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        // One more connection, so that it looks.
        let _ = TcpStream::connect((self.address.as_str(), self.port));
        let _ = ip(&["addr", "del", &format!("{}/32", self.address), "dev", "lo"]);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// `ip`, as root.
fn ip(arguments: &[&str]) -> Result<(), String> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut command = Command::new(if root { "ip" } else { "sudo" });
    if !root {
        command.args(["-n", "ip"]);
    }
    let output = command.args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Mounts what a datastore mounts on the lab's other host, writes a file there and lets go again.
pub fn write_by_nfs(server: &str, directory: &str, file: &str, text: &str) {
    let place = "/mnt/zerfaux-deployed";
    hosts().0.root(&format!(
        "mkdir -p {place}
         timeout 90 mount -t nfs -o vers=3,nolock,soft,timeo=100,retrans=3 {server}:{directory} {place}
         trap 'timeout 30 umount -f {place}; rmdir {place}' EXIT
         printf %s '{text}' | timeout 60 dd of={place}/{file} conv=fsync status=none"
    ));
}
