//! A protected virtual machine through the API: where its files lie, moving them, and the plan of its shell, over a simulated
//! vCenter whose hosts mount a simulated appliance.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zerfaux::app::Principal;
use zerfaux::app::vcenters::{Saved, VcenterWish};
use zerfaux::domain::access::Role;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, SiteExports};
use zerfaux::sim::vcenter::{NfsDatastore, Options, Vcenter};

use super::site::{Got, Site};

const API: &str = "/api/replication";
/// The dataset on which everything is to be, and the datastore that it is.
const DATASET: &str = "tank/zerfaux/live/erp";
pub(super) const DATASTORE: &str = "protected-erp";

pub(super) struct Scene {
    pub(super) site: Site,
    pub(super) token: String,
    pub(super) vcenter: String,
    /// The protected virtual machine's address.
    pub(super) vm: String,
    /// The group's.
    pub(super) group: String,
    /// The name of a datastore that is not replicated.
    pub(super) local: String,
    _server: Vcenter,
    /// The source and the DR side.
    pub(super) appliances: [Arc<Appliance>; 2],
}

fn appliance(public: &str) -> Arc<Appliance> {
    let options = ApplianceOptions {
        pools: vec![("tank".to_owned(), 64 << 40)],
        authorized_keys: Some(public.to_owned()),
        ..ApplianceOptions::default()
    };
    Arc::new(Appliance::start(options).unwrap())
}

impl Scene {
    pub(super) async fn new() -> Self {
        let site = Site::new().await;
        let token = site.token("admin", Role::Admin).await;
        let ask = |method: &'static str, path: String, body: Option<Value>| {
            let (site, token) = (&site, &token);
            async move { site.program(token, method, &format!("{API}{path}"), body).await }
        };
        let body = json!({ "name": "lab", "generate": "ed25519" });
        let key = ask("POST", "/ssh-keys".to_owned(), Some(body)).await.expect(201).json();
        let [source, dr] = [(); 2].map(|()| appliance(key["public_key"].as_str().unwrap()));
        for parent in ["tank/zerfaux", "tank/zerfaux/live"] {
            let made = source.run(&format!("zfs create -o canmount=off -o mountpoint=none {parent}"));
            assert_eq!(made.status, 0, "{}", made.stderr);
        }
        let share = "sharenfs=rw=@127.0.0.0/8,no_root_squash";
        let made = source.run(&format!("zfs create -o mountpoint=/{DATASET} -o {share} {DATASET}"));
        assert_eq!(made.status, 0, "{}", made.stderr);
        let exports = SiteExports::new([]);
        exports.add(&source, ["127.0.0.1"]);
        exports.add(&dr, ["127.0.0.2"]);
        let nfs = NfsDatastore {
            name: DATASTORE.to_owned(),
            server: "127.0.0.1".to_owned(),
            path: format!("/{DATASET}"),
        };
        let (vms, pace, exports) = (12, 0.001, Arc::new(exports));
        let options = Options { vms, pace, nfs: Some(vec![nfs]), exports, ..Options::default() };
        let server = Vcenter::start(options).await.unwrap();
        let wish = VcenterWish {
            name: "vc-alpha".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: server.address().port(),
            username: "administrator@vsphere.local".to_owned(),
            password: Some(SecretString::from("zerfaux")),
            accepted: Some(server.thumbprint().parse().unwrap()),
        };
        let cases = site.app.vcenters().unwrap();
        let Saved::Kept(vcenter) = cases.create(&Principal::command_line(), wish).await.unwrap() else {
            panic!("not kept")
        };
        let vcenter = vcenter.id.to_string();
        let mut targets = Vec::new();
        for (name, appliance, nfs) in [("zfs-a", &source, "127.0.0.1"), ("zfs-b", &dr, "127.0.0.2")] {
            let body = json!({
                "name": name, "hostname": "127.0.0.1", "port": appliance.address().port(), "nfs_address": nfs,
                "ssh_key_id": key["id"], "zfs_pool": "tank", "vcenter_id": vcenter,
                "host_key_fingerprint": appliance.host_key_fingerprint(),
            });
            let made = ask("POST", "/targets".to_owned(), Some(body)).await.expect(201).json();
            targets.push(made["id"].clone());
        }
        let mut scene = Self {
            token,
            vcenter: vcenter.clone(),
            vm: String::new(),
            group: String::new(),
            local: String::new(),
            _server: server,
            appliances: [source, dr],
            site,
        };
        scene
            .until("the inventory is read", &format!("/vcenters/{vcenter}/vms"), |all| all["total"] != 0)
            .await;
        // Switched off: no run of its own comes in between.
        let body = json!({
            "name": "ERP", "source_vcenter_id": vcenter, "protection_datastore": DATASTORE,
            "dr_vcenter_id": vcenter, "dr_target_id": targets[1], "enabled": false,
        });
        let group = scene.ask("POST", "/protection-groups", Some(body)).await.expect(201).json();
        let vms = scene.ask("GET", &format!("/vcenters/{vcenter}/vms"), None).await.json();
        let elsewhere = |vm: &&Value| !vm["datastores"].to_string().contains(DATASTORE);
        let vm = vms["items"].as_array().unwrap().iter().find(elsewhere).unwrap_or_else(|| panic!("{vms}"));
        let body = json!({ "vm_morefs": [vm["moref"]] });
        scene.group = format!("/protection-groups/{}", group["id"].as_str().unwrap());
        let path = format!("{}/protected-vms", scene.group);
        let assigned = scene.ask("POST", &path, Some(body)).await.expect(201).json();
        scene.vm = format!("/protected-vms/{}", assigned["items"][0]["id"].as_str().unwrap());
        let all = scene.ask("GET", &format!("/vcenters/{vcenter}/datastores"), None).await.json();
        let san = |one: &&Value| one["name"].as_str().is_some_and(|name| name.starts_with("san-"));
        let found = all["items"].as_array().unwrap().iter().find(san).unwrap_or_else(|| panic!("{all}"));
        scene.local = found["name"].as_str().unwrap().to_owned();
        scene
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.site.program(&self.token, method, &format!("{API}{path}"), body).await
    }

    /// Lets jobs and reconcilers run until what lies at a path is as it should be.
    pub(super) async fn until(&self, what: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let stop = CancellationToken::new();
        let serving = tokio::spawn({
            let (app, stop) = (self.site.app.clone(), stop.clone());
            async move { app.serve_jobs(stop).await }
        });
        let mut last = Value::Null;
        let there = async {
            loop {
                last = self.ask("GET", path, None).await.json();
                if is_so(&last) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), there).await;
        stop.cancel();
        serving.await.unwrap();
        assert!(in_time.is_ok(), "{what}: {last}");
        last
    }
}

pub(super) fn job_of(accepted: &Value) -> String {
    format!("/jobs/{}", accepted["job_id"].as_str().unwrap_or_else(|| panic!("{accepted}")))
}

#[tokio::test]
async fn a_protected_machine_is_moved_to_its_datastore_and_then_has_nothing_to_be_moved() {
    let scene = Scene::new().await;
    let plan_at = format!("{}/protection-plan", scene.vm);
    let plan = scene.ask("GET", &plan_at, None).await.expect(200).json();
    assert_eq!(
        (&plan["compliant"], &plan["possible"], &plan["datastore"]),
        (&json!(false), &json!(true), &json!(DATASTORE)),
        "{plan}"
    );
    assert!(plan["moves_bytes"].as_u64().unwrap() > 0);

    let start = format!("{}/move-to-protection-datastore", scene.vm);
    let viewer = scene.site.token("looks", Role::Viewer).await;
    scene.site.program(&viewer, "POST", &format!("{API}{start}"), Some(json!({}))).await.expect(403);
    scene.site.program(&viewer, "GET", &format!("{API}{plan_at}"), None).await.expect(200);
    let other = scene.ask("POST", &start, Some(json!({ "datastore": scene.local }))).await.expect(422).json();
    assert_eq!(other["errors"][0]["field"], "datastore", "{other}");
    let operator = scene.site.token("works", Role::Operator).await;
    let body = Some(json!({ "datastore": DATASTORE }));
    let accepted =
        scene.site.program(&operator, "POST", &format!("{API}{start}"), body).await.expect(202).json();
    let job = scene.until("the job ends", &job_of(&accepted), |job| !job["finished_at"].is_null()).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["result"]["vms"][0]["moved"], true, "{job}");
    let plan = scene.until("the inventory follows", &plan_at, |plan| plan["compliant"] == true).await;
    assert!(plan["disks"].as_array().unwrap().iter().all(|disk| disk["is_there"] == true), "{plan}");
    scene.ask("POST", &start, Some(json!({}))).await.expect(409).says("already");
    let vm = scene.ask("GET", &scene.vm, None).await.json();
    assert_eq!((&vm["in_protection_datastore"], &vm["dr_shell_status"]), (&json!(true), &json!("none")));
}

#[tokio::test]
async fn a_shell_is_planned_only_for_what_is_replicated_and_made_only_with_a_home() {
    let scene = Scene::new().await;
    let plan_at = format!("{}/dr-shell-plan", scene.vm);
    let plan = scene.ask("GET", &plan_at, None).await.expect(200).json();
    let told = plan["obstacles"].to_string();
    assert!(told.contains("it is not replicated") && told.contains("Choose the datastore"), "{plan}");
    assert_eq!((&plan["possible"], &plan["shell"]), (&json!(false), &Value::Null));
    let create = format!("{}/create-dr-shell", scene.vm);
    let refused = scene.ask("POST", &create, Some(json!({}))).await.expect(422).json();
    assert!(refused["errors"].as_array().unwrap().len() > 1, "{refused}");

    let start = format!("{}/move-to-protection-datastore", scene.vm);
    let accepted = scene.ask("POST", &start, Some(json!({}))).await.expect(202).json();
    scene.until("it is moved", &job_of(&accepted), |job| job["state"] == "succeeded").await;
    // In the same vCenter the name is taken by the source itself.
    let wish = json!({ "name": "erp-dr", "home_datastore": scene.local });
    let asked = format!("{plan_at}?name=erp-dr&home_datastore={}", scene.local);
    let plan = scene.until("nothing stands in the way", &asked, |plan| plan["possible"] == true).await;
    assert_eq!(plan["shell"]["name"], "erp-dr");
    assert!(plan["warnings"].to_string().contains("report a conflict"), "{plan}");

    // Nothing was replicated yet: the job says so, and makes nothing.
    let accepted = scene.ask("POST", &create, Some(wish)).await.expect(202).json();
    let job = scene.until("the job ends", &job_of(&accepted), |job| !job["finished_at"].is_null()).await;
    assert_eq!((&job["state"], &job["failed_phase"]), (&json!("failed"), &json!("view")), "{job}");
    assert!(job["error"].as_str().unwrap().contains("is not on the DR appliance"), "{job}");
    let vms = scene.ask("GET", &format!("/vcenters/{}/vms?q=erp-dr", scene.vcenter), None).await.json();
    assert_eq!(vms["total"], 0, "{vms}");
}
