//! P9: the first full synchronisation of many virtual machines, beside pyVmomi and govc, and what a few changes cost
//! afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zerfaux::domain::ids::{SecretId, VcenterId};
use zerfaux::domain::inventory::VmFilter;
use zerfaux::domain::job::{Failure, JobState};
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::vcenter::{StreamState, Trust, Vcenter, VcenterAddress};
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::engine::{Engine, SystemClock};
use zerfaux::jobs::inventory_watch::InventoryWatch;
use zerfaux::jobs::vcenter_sync;
use zerfaux::jobs::vcenters::{SealedPasswords, Vcenters};
use zerfaux::store::{SecretRow, Store};
use zerfaux::vsphere::inventory::property_sets;
use zerfaux::vsphere::{Client, PropertySet, Scope};

use crate::cost::{self, Cost, median, verdict};
use crate::ground::driver;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::vcenter::Server;

const MIB: f64 = (1 << 20) as f64;
/// What a script that reads everything of a virtual machine would ask for, as the anchor of the targets did.
const WHOLE: [&str; 5] = ["name", "config", "runtime", "guest", "datastore"];

struct Password;

/// How a rival is started.
type Way<'a> = Box<dyn Fn() -> Command + 'a>;

#[async_trait]
impl SealedPasswords for Password {
    async fn password(&self, _id: SecretId) -> Result<SecretString, Failure> {
        Ok(SecretString::from("secret"))
    }
}

/// A store on the disk that knows one vCenter.
async fn kept(directory: &Path, port: u16, thumbprint: &str) -> (Store, Vcenters, VcenterId) {
    let store = Store::open(directory).unwrap();
    let (id, password) = (VcenterId::new(), SecretId::new());
    let row = SecretRow { id: password, name: "p".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let vcenter = Vcenter {
        id,
        name: "site A".to_owned(),
        address: VcenterAddress::new("127.0.0.1", port).unwrap(),
        username: "admin".to_owned(),
        password,
        trust: Trust::Pinned(thumbprint.parse().unwrap()),
        about: None,
        synced_at: None,
        last_error: None,
        created_at: Timestamp::now(),
    };
    store.put_vcenter(&vcenter).await.unwrap();
    let vcenters = Vcenters::new(store.clone(), Some(Arc::new(Password)));
    (store, vcenters, id)
}

/// The process whose time and memory are ours: one job from nothing to everything in the database.
pub fn sync(words: &[String]) {
    let [port, thumbprint, directory] = words else { panic!("sync PORT THUMBPRINT DIRECTORY") };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (store, vcenters, id) = kept(Path::new(directory), port.parse().unwrap(), thumbprint).await;
        let engine = Engine::new(
            store.clone(),
            vec![vcenter_sync::definition(vcenters)],
            Arc::new(SystemClock::new()),
        );
        let before = cost::resident(std::process::id()).unwrap();
        let job = engine.enqueue(vcenter_sync::KIND, json!({"vcenter": id}), "bench").await.unwrap();
        engine.run_until_idle().await.unwrap();
        let job = engine.job(job).await.unwrap();
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        let vms = store.vms(&VmFilter { limit: 1, ..VmFilter::default() }).await.unwrap().total;
        println!("{vms} {}", most().saturating_sub(before));
    });
}

/// The most memory that this process has had, in bytes.
fn most() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

struct Server9 {
    server: Server,
    thumbprint: String,
    vms: u64,
}

pub fn p9(options: &Options) -> bool {
    let (vms, rounds) = (options.number("vms", 10_000), options.number("rounds", 5));
    let govc = build_govc();
    let mut good = true;
    for name in ["vcsim", "sim vcenter"] {
        println!("\nP9 on {name}: {vms} virtual machines, {rounds} rounds\n");
        let count = vms.to_string();
        let server = match name {
            "vcsim" => Server::vcsim(&["-vm", &count, "-standalone-host", "0", "-host", "8", "-ds", "4"]),
            _ => Server::our_own(&["--vms", &count, "--pace", "0"]),
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let login = runtime.block_on(server.login());
        let Trust::Pinned(thumbprint) = login.trust else { unreachable!() };
        let there = Server9 { server, thumbprint: thumbprint.to_string(), vms };
        good &= there.first(rounds, govc.as_deref(), options.number("whole", 1) == 1);
        good &= runtime.block_on(there.changes());
    }
    good
}

fn build_govc() -> Option<PathBuf> {
    let built = Command::new("tests/bench/p9/govc").stderr(Stdio::inherit()).output().unwrap();
    let path = String::from_utf8(built.stdout).unwrap();
    if !built.status.success() {
        println!("govc could not be built here, so only pyVmomi stands beside ours");
        return None;
    }
    Some(PathBuf::from(path.trim()))
}

impl Server9 {
    /// The leaves that ours reads of a virtual machine.
    fn leaves() -> Vec<&'static str> {
        let set: Option<PropertySet> = property_sets().into_iter().find(|set| set.kind == "VirtualMachine");
        set.unwrap().paths
    }

    fn pyvmomi(&self, paths: &[&str]) -> Command {
        let mut command = Command::new("tests/pyvmomi/python");
        command.arg("tests/bench/p9/one_shot.py").arg(self.server.address.port.to_string());
        command.args(["admin", "secret"]).args(paths).stdout(Stdio::null());
        command
    }

    fn govc(&self, binary: &Path, paths: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.args(["object.collect", "-json", "-type", "m", "/"]).args(paths);
        command.env("GOVC_URL", format!("https://admin:secret@127.0.0.1:{}/sdk", self.server.address.port));
        command.env("GOVC_INSECURE", "1").stdout(Stdio::null());
        command
    }

    /// Ours, and how much its memory grew.
    fn ours(&self) -> (Cost, f64) {
        let directory = tempfile::tempdir().unwrap();
        let said = directory.path().join("said");
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut command = Command::new(driver());
        command.arg("sync").arg(self.server.address.port.to_string()).arg(&self.thumbprint).arg(&data);
        command.stdout(fs::File::create(&said).unwrap());
        let cost = cost::of(&mut command);
        let said = fs::read_to_string(said).unwrap();
        let (found, grown) = said.trim().split_once(' ').unwrap();
        // Ours has templates beside them.
        assert!(found.parse::<u64>().unwrap() >= self.vms, "{found} virtual machines in the database");
        (cost, grown.parse::<f64>().unwrap() / MIB)
    }

    /// The first synchronisation beside the rivals, in turn.
    fn first(&self, rounds: u64, govc: Option<&Path>, whole: bool) -> bool {
        let leaves = Self::leaves();
        let mut ways: Vec<(&str, Way<'_>)> = vec![
            ("pyVmomi, the same leaves", Box::new(|| self.pyvmomi(&leaves))),
            ("pyVmomi, whole objects", Box::new(|| self.pyvmomi(&WHOLE))),
        ];
        if let Some(binary) = govc {
            ways.push(("govc, the same leaves", Box::new(|| self.govc(binary, &leaves))));
            ways.push(("govc, whole objects", Box::new(|| self.govc(binary, &WHOLE))));
        }
        // Whole objects are for comparison with what others measured; the targets are about the same leaves.
        ways.retain(|(name, _)| whole || name.ends_with("leaves"));
        let (mut ours, mut grown) = (Vec::new(), Vec::new());
        let mut theirs: Vec<Vec<Cost>> = vec![Vec::new(); ways.len()];
        for round in 1..=rounds {
            let (cost, growth) = self.ours();
            println!(
                "round {round} Zerfaux, into the database: {:.2} s, CPU {:.2} s, {growth:.0} MiB",
                cost.wall, cost.cpu
            );
            ours.push(cost);
            grown.push(growth);
            for ((name, command), costs) in ways.iter().zip(&mut theirs) {
                let cost = cost::of(&mut command());
                println!("round {round} {name}: {:.2} s, CPU {:.2} s", cost.wall, cost.cpu);
                costs.push(cost);
            }
        }
        println!("\n| | wall s | CPU s | ours / this, wall | ours / this, CPU |\n|---|---|---|---|---|");
        let of = |costs: &[Cost], which: fn(&Cost) -> f64| median(costs.iter().map(which));
        println!(
            "| Zerfaux, into the database | {:.2} | {:.2} | | |",
            of(&ours, |c| c.wall),
            of(&ours, |c| c.cpu)
        );
        let ratio = |costs: &[Cost], which: fn(&Cost) -> f64| {
            median(ours.iter().zip(costs).map(|(ours, theirs)| which(ours) / which(theirs)))
        };
        for ((name, _), costs) in ways.iter().zip(&theirs) {
            println!(
                "| {name} | {:.2} | {:.2} | {:.3} | {:.3} |",
                of(costs, |c| c.wall),
                of(costs, |c| c.cpu),
                ratio(costs, |c| c.wall),
                ratio(costs, |c| c.cpu)
            );
        }
        println!();
        let mut good = true;
        for ((name, _), costs) in ways.iter().zip(&theirs).filter(|((name, _), _)| name.ends_with("leaves")) {
            let (rival, target) = if name.starts_with("py") { ("pyVmomi", 0.2) } else { ("govc", 0.8) };
            let (cpu, wall) = (ratio(costs, |c| c.cpu), ratio(costs, |c| c.wall));
            let words = format!("≤ {target}");
            good &=
                verdict(&format!("P9 CPU, ours / {rival} of the same leaves"), cpu, &words, cpu <= target);
            good &=
                verdict(&format!("P9 wall, ours / {rival} of the same leaves"), wall, &words, wall <= target);
        }
        let growth = grown.iter().copied().fold(0.0, f64::max);
        good & verdict("P9 growth of memory, MiB, at most", growth, "≤ 100", growth <= 100.0)
    }

    /// The stream: bytes until everything is known, then bytes for ten changes.
    async fn changes(&self) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let line = Proxy::start(self.server.address.port);
        let (store, vcenters, id) = kept(directory.path(), line.port(), &self.thumbprint).await;
        let watch = InventoryWatch::new(vcenters.clone());
        let began = Instant::now();
        let before = cost::resident(std::process::id()).unwrap();
        watch.run().await.unwrap();
        until("everything is known", async || {
            vcenters.streams().statuses().iter().any(|one| matches!(one.state, StreamState::Following { .. }))
        })
        .await;
        let all = line.sent_by_server() + line.sent_to_server();
        println!(
            "the stream: everything known after {:.1} s, {:.1} MiB over the line, this process (with the line) grew by {:.0} MiB",
            began.elapsed().as_secs_f64(),
            all as f64 / MIB,
            (cost::resident(std::process::id()).unwrap().saturating_sub(before)) as f64 / MIB,
        );
        let client = self.server.client().await;
        let machines = some_machines(&client, 10).await;
        let before = line.sent_by_server() + line.sent_to_server();
        let began = Instant::now();
        for (number, vm) in machines.iter().enumerate() {
            let task = client.rename(vm, &format!("changed {number}")).await.unwrap();
            client.wait_for_task(&task, "rename it", &CancellationToken::new(), |_| ()).await.unwrap();
        }
        let renamed = began.elapsed();
        until("ten changes are known", async || {
            let filter = VmFilter { search: Some("changed ".to_owned()), ..VmFilter::default() };
            store.vms(&filter).await.unwrap().total == 10
        })
        .await;
        let known = began.elapsed();
        let few = line.sent_by_server() + line.sent_to_server() - before;
        println!(
            "ten changes: made within {:.2} s, known after {:.2} s; {:.1} KiB over the line",
            renamed.as_secs_f64(),
            known.as_secs_f64(),
            few as f64 / 1024.0
        );
        watch.stop().await;
        vcenters.forget(id).await;
        let share = few as f64 / all as f64;
        verdict("P9 bytes of ten changes / of everything", share, "≤ 0.02", share <= 0.02)
    }
}

async fn some_machines(client: &Client, most: usize) -> Vec<VmRef> {
    let sets = [PropertySet { kind: "VirtualMachine", paths: vec!["name"] }];
    let scope = Scope::everything(client, &["VirtualMachine"]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    scope.close(client).await;
    found.into_iter().rev().take(most).map(|one| VmRef::new(one.object.id)).collect()
}

async fn until(what: &str, check: impl AsyncFn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(300);
    while !check().await {
        assert!(Instant::now() < limit, "not within 300 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
