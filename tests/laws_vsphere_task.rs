//! The laws for what all kinds of jobs do on a vCenter: make a virtual machine and power it on. On our simulator, a
//! process of its own; and with processes that are killed while the clone is under way.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/laws/mod.rs"]
mod laws;
#[path = "support/vcenter/mod.rs"]
mod vcenter;
#[path = "support/vm_kind.rs"]
mod vm_kind;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use laws::{Child, Facts, Sample, Scene, SelfChild, Story, World};
use secrecy::SecretString;
use serde_json::{Value, json};
use vcenter::Server;
use zerfaux::domain::job::{Job, JobState};
use zerfaux::domain::moref::{FolderRef, VmRef};
use zerfaux::domain::vcenter::{Trust, VcenterAddress};
use zerfaux::engine::Definition;
use zerfaux::vsphere::{Client, Login};

/// How slow the simulator is: a clone takes about half a second.
const PACE: &str = "0.08";
const NAME: &str = "made once";

#[derive(Default)]
struct VmWorld(Mutex<HashMap<PathBuf, Server>>);

impl VmWorld {
    async fn start(&self, place: &Path, pace: &str) -> Arc<dyn Scene> {
        let server = Server::our_own(&["--vms", "3", "--pace", pace]);
        let login = server.login().await;
        let Trust::Pinned(thumbprint) = login.trust else { unreachable!() };
        let client = Client::connect(login).await.unwrap();
        let wish = vm_kind::wish(&client, NAME).await;
        let known = json!({"port": server.address.port, "thumbprint": thumbprint, "wish": wish});
        std::fs::write(place.join("server"), known.to_string()).unwrap();
        self.0.lock().unwrap().insert(place.to_owned(), server);
        self.open(place)
    }
}

#[async_trait]
impl World for VmWorld {
    fn kind(&self) -> &'static str {
        vm_kind::KIND
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place, PACE).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        Arc::new(VmScene::read(place))
    }
    async fn remove(&self, place: &Path) {
        self.0.lock().unwrap().remove(place);
    }
}

impl VmScene {
    fn read(place: &Path) -> Self {
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(place.join("server")).unwrap()).unwrap();
        let port = u16::try_from(known["port"].as_u64().unwrap()).unwrap();
        let login = Login {
            address: VcenterAddress::new("127.0.0.1", port).unwrap(),
            trust: Trust::Pinned(serde_json::from_value(known["thumbprint"].clone()).unwrap()),
            username: "admin".to_owned(),
            password: SecretString::from("secret"),
        };
        Self { login, wish: known["wish"].clone() }
    }
}

struct VmScene {
    login: Login,
    wish: Value,
}

#[async_trait]
impl Scene for VmScene {
    fn definition(&self) -> Definition {
        vm_kind::definition(self.login.clone())
    }
    fn input(&self) -> Value {
        self.wish.clone()
    }
    async fn fingerprint(&self) -> Facts {
        let client = Client::connect(self.login.clone()).await.unwrap();
        let mut facts = Facts::new();
        for (number, (name, id)) in vm_kind::by_name(&client, "VirtualMachine").await.into_iter().enumerate()
        {
            let vm = VmRef::new(id);
            let found = client.properties(&vm, VmRef::KIND, &["runtime.powerState", "parent"]).await.unwrap();
            let state = found.text("runtime.powerState").unwrap_or_default();
            facts.insert(format!("vm {number} {name}"), format!("{state} in {:?}", found.text("parent")));
        }
        let template = vm_kind::id_of(&client, "VirtualMachine", "debian-12").await;
        let tasks = client.running_tasks(VmRef::new(template), "VirtualMachine.clone").await.unwrap();
        facts.insert("clones under way".to_owned(), tasks.len().to_string());
        client.log_out().await.unwrap();
        facts
    }
    /// The references of virtual machines are not the same in two vCenters' lives.
    fn outcome(&self, job: &Job) -> Value {
        json!({"state": job.state, "result": job.result})
    }
}

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(VmWorld::default())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definition_is_sound_and_each_step_keeps_the_laws() {
    let (world, place) = (VmWorld::default(), tempfile::tempdir().unwrap());
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    laws::run_each_step_twice(&world).await.assert_kept("twice");
    laws::fail_at_each_step(&world, Sample::ALL).await.assert_kept("failing");
    laws::retry_after_each_failure(&world, Sample::ALL).await.assert_kept("retrying");
    laws::undo_each_step_twice(&world, Sample::ALL).await.assert_kept("undoing");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_makes_one_vm() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&VmWorld::default(), &child, Sample::ALL).await.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_taking_back_it_leaves_none() {
    let child = SelfChild { entry: "child", story: Story::Unwinds };
    laws::kill_around_each_event(&VmWorld::default(), &child, Sample { every: 2, offset: 1 })
        .await
        .assert_kept("killed while it takes back");
}

/// Two stories: the same task is waited for; or the vCenter has been restarted meanwhile and knows no task.
async fn killed_while_the_clone_runs(vcenter_restarts: bool) {
    let (world, root) = (VmWorld::default(), tempfile::tempdir().unwrap());
    let (place, data) = (root.path().join("place"), root.path().join("data"));
    std::fs::create_dir(&place).unwrap();
    std::fs::create_dir(&data).unwrap();
    // A clone takes about five seconds.
    let scene = world.start(&place, "0.8").await;
    let client = Client::connect(VmScene::read(&place).login).await.unwrap();
    let template = VmRef::new(vm_kind::id_of(&client, "VirtualMachine", "debian-12").await);
    let command = || {
        let mut command =
            SelfChild { entry: "child", story: Story::Succeeds }.command(scene.as_ref(), &place, &data);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let clones = || client.running_tasks(template.clone(), "VirtualMachine.clone");
    let mut child = command().spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    let task = loop {
        if let Some(task) = clones().await.unwrap().pop() {
            break task;
        }
        assert!(Instant::now() < limit, "no clone was begun");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // Time enough to note the reference, far less than the clone takes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    if vcenter_restarts {
        let id = world.0.lock().unwrap()[&place].id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(clones().await.unwrap(), []);
    } else {
        assert_eq!(clones().await.unwrap(), [task], "it goes on without the process");
    }
    assert!(command().status().unwrap().success());

    let named: Vec<_> = vm_kind::by_name(&client, "VirtualMachine")
        .await
        .into_iter()
        .filter(|(name, _)| name == NAME)
        .collect();
    assert_eq!(named.len(), 1, "{named:?}");
    let events = client.events(&client.content().root_folder, 1000).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "VmClonedEvent").count(), 1);
    let ended = SelfChild { entry: "child", story: Story::Succeeds }.ended(&data);
    assert_eq!((ended.job.state, ended.left), (JobState::Succeeded, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_clone_runs_it_picks_the_same_task_up() {
    killed_while_the_clone_runs(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_clone_runs_and_the_vcenter_restarted_it_makes_one_vm() {
    killed_while_the_clone_runs(true).await;
}
