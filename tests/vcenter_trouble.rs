//! What happens to a job when its vCenter does not behave (R10): each case is named in words that an operator can act
//! on, nothing is done twice, and no virtual machine is touched that is not the one that was meant.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/vm_kind.rs"]
mod vm_kind;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::{FailureKind, Job, JobState};
use zerfaux::domain::moref::{FolderRef, PoolRef, VmRef};
use zerfaux::domain::privileges::NEEDED;
use zerfaux::domain::vcenter::{Trust, VcenterAddress};
use zerfaux::engine::{Engine, SystemClock};
use zerfaux::jobs::vsphere_vm::{PlannedVm, as_planned};
use zerfaux::sim::vcenter::{Cut, Options, Rule, UnderWay, User, Vcenter};
use zerfaux::store::Store;
use zerfaux::vsphere::verbs::{Reconfigure, RegisterVm};
use zerfaux::vsphere::{Client, Login, Reason, VsphereError};

const NAME: &str = "wanted once";

/// A simulated vCenter, a client of somebody else's, and an engine for one kind of job.
struct Site {
    vcenter: Vcenter,
    client: Client,
    login: Login,
    engine: Engine,
    store: Store,
    job: Option<JobId>,
}

impl Site {
    async fn at_pace(pace: f64) -> Self {
        let options = Options { vms: 6, pace, ..Options::default() };
        let vcenter = Vcenter::start(options).await.unwrap();
        let login = Login {
            address: VcenterAddress::new("127.0.0.1", vcenter.address().port()).unwrap(),
            trust: Trust::Pinned(vcenter.thumbprint().parse().unwrap()),
            username: "administrator@vsphere.local".to_owned(),
            password: SecretString::from("zerfaux"),
        };
        let client = Client::connect(login.clone()).await.unwrap();
        let store = Store::open_in_memory().unwrap();
        let kinds = vec![vm_kind::definition(login.clone())];
        let engine = Engine::new(store.clone(), kinds, Arc::new(SystemClock::new()));
        Self { vcenter, client, login, engine, store, job: None }
    }

    async fn new() -> Self {
        Self::at_pace(0.02).await
    }

    async fn enqueue(&mut self) {
        let wish = vm_kind::wish(&self.client, NAME).await;
        let job = self.engine.enqueue(vm_kind::KIND, json!(wish), "test").await.unwrap();
        self.job = Some(job);
    }

    async fn ended(&self) -> (Job, String) {
        tokio::time::timeout(Duration::from_secs(120), self.engine.run_until_idle()).await.unwrap().unwrap();
        let job = self.engine.job(self.job.unwrap()).await.unwrap();
        let lines = self.store.console(job.id, 0, 1000).await.unwrap();
        (job, lines.into_iter().map(|line| line.message + "\n").collect())
    }

    async fn run(&mut self) -> (Job, String) {
        self.enqueue().await;
        self.ended().await
    }

    fn once(&self, method: &str, rule: Rule) {
        self.vcenter.add_rule(Rule { method: Some(method.to_owned()), count: Some(1), ..rule }).unwrap();
    }

    /// How many virtual machines have the name.
    async fn made(&self) -> usize {
        self.named(NAME).await.len()
    }

    async fn named(&self, wanted: &str) -> Vec<VmRef> {
        let all = vm_kind::by_name(&self.client, "VirtualMachine").await;
        all.into_iter().filter(|(name, _)| name.starts_with(wanted)).map(|(_, id)| VmRef::new(id)).collect()
    }

    /// A virtual machine as a plan has it.
    async fn planned(&self, name: &str) -> PlannedVm {
        let vm = VmRef::new(vm_kind::id_of(&self.client, "VirtualMachine", name).await);
        let found =
            self.client.properties(&vm, VmRef::KIND, &["config.instanceUuid", "parent"]).await.unwrap();
        PlannedVm {
            instance_uuid: found.text("config.instanceUuid").unwrap().to_owned(),
            folder: found.get("parent").unwrap().reference(),
            name: name.to_owned(),
            vm,
        }
    }

    async fn off(&self, vm: &VmRef) {
        let found = self.client.properties(vm, VmRef::KIND, &["runtime.powerState"]).await.unwrap();
        if found.text("runtime.powerState") == Some("poweredOn") {
            let task = self.client.power_off(vm).await.unwrap();
            self.done(&task).await.unwrap();
        }
    }

    async fn done(
        &self,
        task: &zerfaux::domain::moref::TaskRef,
    ) -> Result<Option<zerfaux::vsphere::Node>, VsphereError> {
        let never = tokio_util::sync::CancellationToken::new();
        self.client.wait_for_task(task, "do it", &never, |_| ()).await
    }
}

#[tokio::test]
async fn a_session_that_expires_under_a_job_is_made_anew_and_the_job_goes_on() {
    let mut site = Site::at_pace(0.3).await;
    site.enqueue().await;
    let logins = site.vcenter.calls("Login");
    let ends = async {
        while site.vcenter.calls("CloneVM_Task") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        site.vcenter.end_sessions();
    };
    let ((job, console), ()) = tokio::join!(site.ended(), ends);
    assert_eq!(job.state, JobState::Succeeded, "{console}");
    assert_eq!((site.vcenter.calls("CloneVM_Task"), site.made().await), (1, 1));
    assert!(site.vcenter.calls("Login") >= logins + 2, "it logged in, and again");
}

#[tokio::test]
async fn a_vcenter_that_is_starting_is_waited_for_and_named() {
    let mut site = Site::new().await;
    let busy = Rule { status: Some(503), ..Rule::default() };
    site.vcenter
        .add_rule(Rule { count: Some(2), ..Rule { method: Some("CloneVM_Task".into()), ..busy.clone() } })
        .unwrap();
    let (job, console) = site.run().await;
    assert_eq!(job.state, JobState::Succeeded, "{console}");
    assert!(console.contains("HTTP status 503"), "{console}");
    assert_eq!((site.vcenter.calls("CloneVM_Task"), site.made().await), (3, 1));
}

#[tokio::test]
async fn one_that_stays_away_ends_the_job_with_what_to_do_and_a_retry_goes_on() {
    let mut site = Site::new().await;
    site.vcenter.add_rule(Rule { status: Some(503), ..Rule::on("RetrieveServiceContent") }).unwrap();
    let (job, console) = site.run().await;
    let failure = job.failure.unwrap();
    assert_eq!(job.state, JobState::Failed, "{console}");
    assert!(failure.message.contains("HTTP status 503"), "{failure}");
    assert!(failure.advice.unwrap().contains("starting or overloaded"));
    assert_eq!(site.made().await, 0);
    site.vcenter.clear_rules();
    site.engine.retry(job.id).await.unwrap();
    let (job, console) = site.ended().await;
    assert_eq!((job.state, site.made().await), (JobState::Succeeded, 1), "{console}");
}

#[tokio::test]
async fn a_connection_that_drops_around_the_answer_makes_no_second_vm() {
    for cut in [Cut::Before, Cut::Answer, Cut::Middle] {
        let mut site = Site::new().await;
        site.once("CloneVM_Task", Rule { drop: Some(cut), ..Rule::default() });
        let (job, console) = site.run().await;
        assert_eq!(job.state, JobState::Succeeded, "{cut:?}: {console}");
        assert!(
            console.contains("the connection broke") || console.contains("ended too early"),
            "{cut:?}: {console}"
        );
        // Before: it was never worked on, so it is sent again. Else it was, and is found.
        let sent = if cut == Cut::Before { 2 } else { 1 };
        assert_eq!((site.vcenter.calls("CloneVM_Task"), site.made().await), (sent, 1), "{cut:?}: {console}");
    }
}

#[tokio::test]
async fn a_connection_that_drops_while_the_task_runs_loses_nothing() {
    for rule in [
        Rule { drop: Some(Cut::Middle), count: Some(4), ..Rule::on("WaitForUpdatesEx") },
        Rule { drop: Some(Cut::Before), count: Some(4), ..Rule::on("WaitForUpdatesEx") },
        Rule { status: Some(503), count: Some(4), ..Rule::on("CreateFilter") },
    ] {
        let mut site = Site::at_pace(0.1).await;
        site.vcenter.add_rule(rule.clone()).unwrap();
        let (job, console) = site.run().await;
        assert_eq!(job.state, JobState::Succeeded, "{rule:?}: {console}");
        assert_eq!((site.vcenter.calls("CloneVM_Task"), site.made().await), (1, 1), "{rule:?}");
    }
}

#[tokio::test]
async fn a_task_that_is_lost_in_a_restart_is_named_and_the_world_is_asked() {
    for (under_way, sent) in [(UnderWay::Finishes, 1), (UnderWay::ComesToNothing, 2)] {
        let mut site = Site::at_pace(0.3).await;
        site.enqueue().await;
        let restarts = async {
            while site.vcenter.calls("WaitForUpdatesEx") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            site.vcenter.restart(under_way);
        };
        let ((job, console), ()) = tokio::join!(site.ended(), restarts);
        assert_eq!(job.state, JobState::Succeeded, "{under_way:?}: {console}");
        assert!(console.contains("no longer knows the task task-"), "{under_way:?}: {console}");
        assert_eq!((site.vcenter.calls("CloneVM_Task"), site.made().await), (sent, 1), "{under_way:?}");
    }
}

#[tokio::test]
async fn a_task_that_cannot_be_looked_at_is_not_started_again() {
    let mut site = Site::at_pace(0.2).await;
    site.once("CreateFilter", Rule { fault: Some("NoPermission".into()), ..Rule::default() });
    let (job, console) = site.run().await;
    let failure = job.failure.unwrap();
    assert_eq!((job.state, failure.kind), (JobState::Failed, FailureKind::Permanent), "{console}");
    assert!(failure.message.contains("is missing"), "{failure}");
    site.engine.retry(job.id).await.unwrap();
    let (job, console) = site.ended().await;
    assert_eq!(job.state, JobState::Succeeded, "{console}");
    assert_eq!((site.vcenter.calls("CloneVM_Task"), site.made().await), (1, 1), "{console}");
}

#[tokio::test]
async fn a_name_that_somebody_else_took_is_refused_and_theirs_is_left_alone() {
    let mut site = Site::new().await;
    let wish = vm_kind::wish(&site.client, NAME).await;
    let theirs = zerfaux::vsphere::verbs::CloneVm {
        source: VmRef::new(wish.template.clone()),
        name: NAME.to_owned(),
        folder: FolderRef::new(wish.folder.clone()),
        pool: PoolRef::new(wish.pool.clone()),
        datastore: None,
        host: None,
        config: None,
        customization: None,
        power_on: false,
    };
    let task = site.client.clone_vm(&theirs).await.unwrap();
    site.done(&task).await.unwrap();
    let (job, console) = site.run().await;
    let failure = job.failure.unwrap();
    assert_eq!((job.state, failure.kind), (JobState::Failed, FailureKind::Refused), "{console}");
    assert!(failure.message.contains("which this job did not make"), "{failure}");
    assert!(failure.advice.unwrap().contains("another name"));
    site.engine.cleanup(job.id).await.unwrap();
    site.ended().await;
    assert_eq!(site.made().await, 1, "cleaning up leaves what is not ours");
}

#[tokio::test]
async fn one_that_was_renamed_or_moved_is_still_the_same_and_that_is_said() {
    let site = Site::new().await;
    let planned = site.planned("erp01").await;
    assert_eq!(as_planned(&site.client, &planned).await.unwrap().remarks, Vec::<String>::new());
    let task = site.client.rename(&planned.vm, "erp01-old").await.unwrap();
    site.done(&task).await.unwrap();
    let web = FolderRef::new(vm_kind::id_of(&site.client, "Folder", "Web").await);
    let task = site.client.move_into_folder(&web, &[(&planned.vm).into()]).await.unwrap();
    site.done(&task).await.unwrap();
    let now = as_planned(&site.client, &planned).await.unwrap();
    assert_eq!((now.name.as_str(), now.folder), ("erp01-old", Some((&web).into())));
    assert!(now.remarks[0].contains("is called \"erp01-old\" now"), "{:?}", now.remarks);
    assert!(now.remarks[1].contains("moved to another folder"), "{:?}", now.remarks);
}

#[tokio::test]
async fn one_that_was_deleted_or_registered_anew_is_named() {
    let site = Site::new().await;
    let planned = site.planned("erp01").await;
    let found = site.client.properties(&planned.vm, VmRef::KIND, &["config.files.vmPathName"]).await.unwrap();
    site.off(&planned.vm).await;
    site.client.unregister_vm(&planned.vm).await.unwrap();
    let failure = as_planned(&site.client, &planned).await.unwrap_err();
    assert!(failure.message.contains("was deleted or unregistered"), "{failure}");
    assert_eq!(failure.kind, FailureKind::Permanent);

    let wish = vm_kind::wish(&site.client, NAME).await;
    let register = RegisterVm {
        folder: FolderRef::new(wish.folder),
        pool: PoolRef::new(wish.pool),
        host: None,
        path: found.text("config.files.vmPathName").unwrap().to_owned(),
        name: None,
    };
    let task = site.client.register_vm(&register).await.unwrap();
    let now = site.done(&task).await.unwrap().unwrap().reference().unwrap();
    let failure = as_planned(&site.client, &planned).await.unwrap_err();
    assert!(failure.message.contains(&now.id) && failure.message.contains("registered anew"), "{failure}");
}

#[tokio::test]
async fn one_with_another_instance_uuid_than_the_plans_is_not_touched() {
    let mut site = Site::new().await;
    site.vcenter
        .add_rule(Rule { in_task: true, fault: Some("FileNotFound".into()), ..Rule::on("PowerOnVM_Task") })
        .unwrap();
    let (job, console) = site.run().await;
    assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some("power_on")), "{console}");
    site.vcenter.clear_rules();

    // Meanwhile the reference came to another virtual machine, for all that anybody can see.
    let vm = site.named(NAME).await.pop().unwrap();
    let uuid = Some("50389999-0000-4000-8000-000000000001".to_owned());
    let change = Reconfigure { instance_uuid: uuid, ..Reconfigure::default() };
    let task = site.client.reconfigure(&vm, &change).await.unwrap();
    site.done(&task).await.unwrap();
    let powers = site.vcenter.calls("PowerOnVM_Task");

    site.engine.retry(job.id).await.unwrap();
    let (job, console) = site.ended().await;
    let failure = job.failure.unwrap();
    assert_eq!((job.state, failure.kind), (JobState::Failed, FailureKind::Refused), "{console}");
    assert!(failure.message.contains("now is another virtual machine"), "{failure}");
    assert_eq!(site.vcenter.calls("PowerOnVM_Task"), powers, "nothing was sent");
}

#[tokio::test]
async fn a_plan_for_another_vm_is_refused_before_anything_is_sent() {
    let site = Site::new().await;
    let planned = PlannedVm {
        instance_uuid: "50389999-0000-4000-8000-000000000001".into(),
        ..site.planned("erp01").await
    };
    let powers = site.vcenter.calls("PowerOffVM_Task");
    let failure = as_planned(&site.client, &planned).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(
        failure.message.contains("another virtual machine") && failure.message.contains("Nothing was done"),
        "{failure}"
    );
    assert_eq!(site.vcenter.calls("PowerOffVM_Task"), powers);
}

#[tokio::test]
async fn the_certificate_is_looked_at_again_with_every_connection() {
    let site = Site::new().await;
    let other = zerfaux::domain::thumbprint::Thumbprint::from_bytes([9; 32]);
    let login = Login { trust: Trust::Pinned(other), ..site.login.clone() };
    let logins = site.vcenter.calls("Login");
    let error = Client::connect(login).await.unwrap_err();
    assert!(matches!(error, VsphereError::Certificate { .. }), "{error:?}");
    assert_eq!(site.vcenter.calls("Login"), logins);
    assert!(!matches!(error.reason(), Some(Reason::InvalidLogin)));
}

#[tokio::test]
async fn a_privilege_that_is_missing_is_named_before_and_when_it_is_needed() {
    let may: Vec<String> = NEEDED.iter().map(|(id, _)| (*id).to_owned()).collect();
    let may = may.into_iter().filter(|id| id != "VirtualMachine.Provisioning.Clone").collect();
    let user = User { name: "zerfaux".to_owned(), password: "zerfaux".to_owned(), privileges: Some(may) };
    let vcenter =
        Vcenter::start(Options { users: vec![user], vms: 3, pace: 0.0, ..Options::default() }).await.unwrap();
    let login = Login {
        address: VcenterAddress::new("127.0.0.1", vcenter.address().port()).unwrap(),
        trust: Trust::Pinned(vcenter.thumbprint().parse().unwrap()),
        username: "zerfaux".to_owned(),
        password: SecretString::from("zerfaux"),
    };
    let client = Client::connect(login).await.unwrap();
    let wanted: Vec<_> = NEEDED.iter().map(|(id, _)| *id).collect();
    let missing = client.missing_privileges(&client.content().root_folder, &wanted).await.unwrap();
    let missing: Vec<_> = missing.into_iter().map(|one| one.privilege).collect();
    assert_eq!(missing, ["VirtualMachine.Provisioning.Clone"]);

    let wish = vm_kind::wish(&client, NAME).await;
    let clone = zerfaux::vsphere::verbs::CloneVm {
        source: VmRef::new(wish.template),
        name: NAME.to_owned(),
        folder: FolderRef::new(wish.folder),
        pool: PoolRef::new(wish.pool),
        datastore: None,
        host: None,
        config: None,
        customization: None,
        power_on: false,
    };
    let error = client.clone_vm(&clone).await.unwrap_err();
    assert!(error.to_string().contains("VirtualMachine.Provisioning.Clone is missing"), "{error}");
    assert!(error.advice().contains("this privilege"), "{}", error.advice());
}
