//! Templates, through the API and in a browser, over the inventory of a simulated vCenter.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zerfaux::app::Principal;
use zerfaux::app::vcenters::{Saved, VcenterWish};
use zerfaux::domain::access::Role;
use zerfaux::domain::ids::VcenterId;
use zerfaux::sim::vcenter::{Options, Vcenter};

use super::site::{Got, Site};

const API: &str = "/api/replication/zfs-templates";
const VCENTERS: &str = "/api/replication/vcenters";

/// A site that knows what a vCenter has.
struct Scene {
    site: Site,
    vcenter: VcenterId,
    token: String,
    _server: Vcenter,
}

impl Scene {
    async fn new() -> Self {
        Self::over(Options { vms: 3, ..Options::default() }).await
    }

    async fn over(options: Options) -> Self {
        let site = Site::new().await;
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
        let vcenter = match cases.create(&Principal::command_line(), wish).await.unwrap() {
            Saved::Kept(vcenter) => vcenter.id,
            other => panic!("{other:?}"),
        };
        let token = site.token("admin", Role::Admin).await;
        let scene = Self { site, vcenter, token, _server: server };
        scene.reads_the_inventory().await;
        scene
    }

    async fn reads_the_inventory(&self) {
        let stop = CancellationToken::new();
        let serving = tokio::spawn({
            let (app, stop) = (self.site.app.clone(), stop.clone());
            async move { app.serve_jobs(stop).await }
        });
        let there = async {
            while self.asks("GET", &format!("{VCENTERS}/{}/templates", self.vcenter), None).await.json()["total"]
                == 0
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), there).await.expect("the inventory is read");
        stop.cancel();
        serving.await.unwrap();
    }

    async fn asks(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.site.program(&self.token, method, path, body).await
    }

    /// The first template, or virtual machine, that the vCenter has.
    async fn first(&self, sort: &str) -> String {
        let list = self.asks("GET", &format!("{VCENTERS}/{}/{sort}", self.vcenter), None).await.json();
        list["items"][0]["moref"].as_str().unwrap_or_else(|| panic!("{list}")).to_owned()
    }

    async fn body(&self) -> Value {
        json!({ "name": "Debian 12", "vcenter_id": self.vcenter, "template_moref": self.first("templates").await })
    }
}

#[tokio::test]
async fn a_template_is_registered_changed_retired_and_removed_through_the_api() {
    let scene = Scene::new().await;
    let made = scene.asks("POST", API, Some(scene.body().await)).await.expect(201);
    let address = made.header("location").to_owned();
    let made = made.json();
    for (field, usual) in [
        ("default_zfs_pool_name", json!("tank")),
        ("default_nfs_network", json!("10.0.0.0/8")),
        ("default_cpu_count", json!(2)),
        ("default_memory_gb", json!(8)),
        ("default_zfs_disk_gb", json!(500)),
        ("default_ssh_username", json!("zfsadmin")),
        ("default_ssh_port", json!(22)),
        ("is_active", json!(true)),
        ("deployment_count", json!(0)),
        ("last_deployed_at", Value::Null),
    ] {
        assert_eq!(made[field], usual, "{field}");
    }
    assert!(made["template_name"].as_str().is_some_and(|name| !name.is_empty()));
    // The same name in another spelling is the same name.
    let again =
        json!({ "name": "debian 12", "vcenter_id": scene.vcenter, "template_moref": made["template_moref"] });
    scene.asks("POST", API, Some(again)).await.expect(409);
    let change = json!({ "default_memory_gb": 16, "default_folder": "Infrastructure", "is_active": false });
    let now = scene.asks("PATCH", &address, Some(change)).await.expect(200).json();
    assert_eq!((&now["default_memory_gb"], &now["is_active"]), (&json!(16), &json!(false)));
    assert_eq!(now["default_cpu_count"], 2, "what is not named stays");
    let list = scene.asks("GET", API, None).await.json();
    assert_eq!((&list["total"], &list["items"][0]), (&json!(1), &now));
    scene.asks("DELETE", &address, None).await.expect(204);
    scene.asks("GET", &address, None).await.expect(404);
}

#[tokio::test]
async fn what_cannot_be_used_is_named_beside_its_field_and_nothing_is_kept() {
    let scene = Scene::new().await;
    let refused = async |change: Value| {
        let mut body = scene.body().await;
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        let problem = scene.asks("POST", API, Some(body)).await.expect(422).json();
        problem["errors"][0]["field"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(json!({ "default_zfs_disk_path": "/dev/sdb" })).await, "default_zfs_disk_path");
    assert_eq!(refused(json!({ "name": " " })).await, "name");
    assert_eq!(refused(json!({ "template_moref": "vm-none" })).await, "template_moref");
    let machine = scene.first("vms").await;
    assert_eq!(refused(json!({ "template_moref": machine })).await, "template_moref");
    assert_eq!(refused(json!({ "vcenter_id": VcenterId::new() })).await, "vcenter_id");
    assert_eq!(refused(json!({ "ssh_key_id": VcenterId::new() })).await, "ssh_key_id");
    assert_eq!(refused(json!({ "default_nfs_network": "10.0.0.1/8" })).await, "default_nfs_network");
    assert_eq!(scene.asks("GET", API, None).await.json()["total"], 0);
}

#[tokio::test]
async fn the_key_of_a_template_is_not_deleted_and_the_script_holds_its_public_half() {
    let scene = Scene::new().await;
    let key = json!({ "name": "lab", "generate": "ed25519" });
    let key = scene.asks("POST", "/api/replication/ssh-keys", Some(key)).await.expect(201).json();
    let mut body = scene.body().await;
    body["ssh_key_id"] = key["id"].clone();
    scene.asks("POST", API, Some(body)).await.expect(201);
    let id = key["id"].as_str().unwrap();
    scene
        .asks("DELETE", &format!("/api/replication/ssh-keys/{id}"), None)
        .await
        .expect(409)
        .says("the key of the template");
    let script = format!("{API}/preparation-script?ssh_key_id={id}&user=storage");
    let script = scene.asks("GET", &script, None).await.expect(200);
    assert!(script.header("content-disposition").contains("attachment"));
    assert!(
        script.text.contains(key["public_key"].as_str().unwrap())
            && script.text.contains("USER_NAME=storage")
    );
    let bad = format!("{API}/preparation-script?ssh_key_id={id}&user=a%20b");
    scene.asks("GET", &bad, None).await.expect(422);
}

#[tokio::test]
async fn in_a_browser_a_template_is_chosen_from_the_inventory() {
    let scene = Scene::new().await;
    let mut admin = scene.site.signed_in("admin").await;
    admin.get("/zfs-templates").await.expect(200).says("No templates yet");
    admin.get("/zfs-templates/preparation").await.expect(200).says("Make an SSH key first");
    // With one vCenter there is nothing to choose first.
    let form = admin.get("/zfs-templates/new").await.expect(200).says("From the vCenter vc-alpha");
    let moref = scene.first("templates").await;
    assert!(form.text.contains(&format!("<option value=\"{moref}\"")), "{}", form.text);
    assert!(
        form.text.contains("VLAN ") && form.text.contains(" free, "),
        "networks and datastores tell more"
    );
    let vcenter = scene.vcenter.to_string();
    let fields = [("vcenter_id", vcenter.as_str()), ("template_moref", &moref), ("name", "Debian <12>")];
    let mut wrong = fields.to_vec();
    wrong.push(("default_cpu_count", "many"));
    let again = admin.post("/zfs-templates", &wrong).await.expect(422).says("f-default_cpu_count-error");
    assert!(again.text.contains("value=\"Debian &#60;12&#62;\""), "what was typed stays");
    let made = admin.post("/zfs-templates", &fields).await.expect(303);
    let address = made.header("location").to_owned();
    admin.get(&address).await.expect(200).says("ready").says("500 GiB");
    admin.get(&format!("{address}/edit")).await.expect(200).says("Retired");
    let mut retired = fields.to_vec();
    retired.push(("retired", "on"));
    admin.post(&address, &retired).await.leads_to(&address);
    admin.get("/zfs-templates").await.expect(200).says("retired");
    let mut viewer = scene.site.signed_in("viewer").await;
    let page = viewer.get(&address).await.expect(200);
    assert!(
        !page.text.contains("/edit") && !page.text.contains("/delete"),
        "a viewer is offered nothing to change"
    );
    admin.post(&format!("{address}/delete"), &[("confirm", "Debian <12>")]).await.leads_to("/zfs-templates");
}

/// The fields that a plan's obstacles are about.
fn obstacles(plan: &Value) -> Vec<&str> {
    plan["obstacles"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_deployment_is_planned_and_starts_only_if_nothing_stands_in_its_way() {
    let scene = Scene::new().await;
    let template = scene.asks("POST", API, Some(scene.body().await)).await.expect(201);
    let address = template.header("location").to_owned();
    let plan = async |body: Value| {
        scene.asks("POST", &format!("{address}/deploy-plan"), Some(body)).await.expect(200).json()
    };
    // Nothing was chosen: everything that is open is named at once.
    let empty = plan(json!({})).await;
    assert_eq!(empty["possible"], false);
    for field in ["ssh_key_id", "datastore", "network_id"] {
        assert!(obstacles(&empty).contains(&field), "{field}: {empty}");
    }
    let total: u64 =
        empty["phases"].as_array().unwrap().iter().map(|one| one["seconds"].as_u64().unwrap()).sum();
    assert!(total > 0 && empty["estimated_seconds"] == total, "{empty}");
    assert_eq!(empty["phases"].as_array().unwrap().len(), 9);
    let refused = scene.asks("POST", &format!("{address}/deploy"), Some(json!({}))).await.expect(422).json();
    assert!(refused["errors"].as_array().unwrap().len() >= 3, "{refused}");
    assert_eq!(
        scene.asks("GET", "/api/replication/jobs?kind=deploy_zfs_target", None).await.json()["total"],
        0
    );
    // With everything chosen.
    let key = json!({ "name": "lab", "generate": "ed25519" });
    let key = scene.asks("POST", "/api/replication/ssh-keys", Some(key)).await.expect(201).json();
    let mut wish = json!({
        "vm_name": "zfs-dr-1", "ssh_key_id": key["id"], "cluster": scene.first("clusters").await,
        "network_id": scene.first("networks").await, "zfs_disk_gb": 10,
        "ip_address": "10.99.1.50", "subnet_mask": "/24", "gateway": "10.99.1.1",
    });
    let stores = scene.asks("GET", &format!("{VCENTERS}/{}/datastores", scene.vcenter), None).await.json();
    let mut good = None;
    for store in stores["items"].as_array().unwrap() {
        wish["datastore"] = store["moref"].clone();
        let one = plan(wish.clone()).await;
        if one["possible"] == true {
            good = Some(one);
            break;
        }
    }
    let good = good.unwrap_or_else(|| panic!("no datastore will do: {stores}"));
    assert_eq!(good["deployment"]["vm_name"], "zfs-dr-1");
    assert!(
        !good["deployment"]["datastore_hosts"].as_array().unwrap().is_empty(),
        "all hosts of the cluster"
    );
    let mut wrong = wish.clone();
    wrong["gateway"] = json!("10.99.2.1");
    assert_eq!(obstacles(&plan(wrong).await), ["gateway"]);
    let mut dhcp = wish.clone();
    for field in ["ip_address", "subnet_mask", "gateway"] {
        dhcp.as_object_mut().unwrap().remove(field);
    }
    let dhcp = plan(dhcp).await;
    assert_eq!((&dhcp["possible"], &dhcp["warnings"][0]["field"]), (&json!(true), &json!("use_dhcp")));
    let started = scene.asks("POST", &format!("{address}/deploy"), Some(wish)).await.expect(202);
    let job = scene.asks("GET", started.header("location"), None).await.expect(200).json();
    assert_eq!(job["kind"], "deploy_zfs_target");
    // A template that a job uses stays.
    scene.asks("DELETE", &address, None).await.expect(409);
    let viewer = scene.site.token("viewer", Role::Viewer).await;
    scene.site.program(&viewer, "POST", &format!("{address}/deploy"), Some(json!({}))).await.expect(403);
}

fn pairs<'a>(fields: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The wizard: nothing is lost on the way, and nothing is started twice.
#[tokio::test]
async fn in_a_browser_an_appliance_is_configured_reviewed_and_started_once() {
    let scene = Scene::new().await;
    let mut operator = scene.site.signed_in("operator").await;
    operator.get("/deployments/new").await.expect(200).says("Register a template first");
    let key = json!({ "name": "lab", "generate": "ed25519" });
    let key = scene.asks("POST", "/api/replication/ssh-keys", Some(key)).await.expect(201).json();
    let mut body = scene.body().await;
    body["ssh_key_id"] = key["id"].clone();
    let template = scene.asks("POST", API, Some(body)).await.expect(201).json();
    let template = template["id"].as_str().unwrap();
    operator.get("/deployments/new").await.expect(200).says("Debian 12");
    operator.post("/deployments", &[]).await.expect(422);
    let begun = operator.post("/deployments", &[("template", template)]).await.expect(303);
    let configure = begun.header("location").to_owned();
    let form = operator.get(&configure).await.expect(200).says("zfs-dr-20261121-120000");
    assert!(form.text.contains("VLAN ") && form.text.contains(" free, "), "choices tell more");
    let (cluster, network) = (scene.first("clusters").await, scene.first("networks").await);
    let host = scene.first("hosts").await;
    let host = format!("host-{host}");
    let fields = |datastore: &str| {
        vec![
            ("vm_name", "zfs-dr-1".to_owned()),
            ("cluster", cluster.clone()),
            ("network_id", network.clone()),
            ("datastore", datastore.to_owned()),
            ("zfs_disk_gb", "10".to_owned()),
            ("thin", "on".to_owned()),
            ("ip_address", "10.99.1.50".to_owned()),
            ("subnet_mask", "/24".to_owned()),
            ("gateway", "10.99.1.1".to_owned()),
            ("ssh_key_id", key["id"].as_str().unwrap().to_owned()),
            ("register_as_target", "on".to_owned()),
            ("register_datastore", "on".to_owned()),
            (host.as_str(), "on".to_owned()),
        ]
    };
    // What cannot be read stands beside its field, and what was typed stays.
    let mut wrong = fields("");
    wrong[6].1 = "10.99.1".to_owned();
    let again = operator.post(&configure, &pairs(&wrong)).await.expect(422).says("f-ip_address-error");
    assert!(again.text.contains("value=\"10.99.1\""));
    // What stands in the way stands on the review.
    let review = configure.replace("/configure", "/review");
    operator.post(&configure, &pairs(&fields(""))).await.leads_to(&review);
    let page = operator.get(&review).await.expect(200).says("Choose the datastore");
    assert!(
        !page.text.contains(">Deploy zfs-dr-1</button>"),
        "nothing to press while something stands in the way"
    );
    operator
        .post(&configure.replace("/configure", "/start"), &[])
        .await
        .expect(422)
        .says("Choose the datastore");
    // While it is filled in, what stands in the way is said beneath, and what was typed is kept.
    let mut looked = fields("");
    looked.push(("go", "look".to_owned()));
    looked[8].1 = "10.99.2.1".to_owned();
    let findings = operator.post(&configure, &pairs(&looked)).await.expect(200);
    assert!(
        findings.text.contains("is not in the subnet") && !findings.text.contains("<form"),
        "{}",
        findings.text
    );
    // Back to the choice of the template, and forward again: the same draft.
    looked[13] = ("go", "back".to_owned());
    looked[8].1 = "10.99.1.1".to_owned();
    let draft = configure.split('/').nth(2).unwrap().to_owned();
    operator.post(&configure, &pairs(&looked)).await.leads_to(&format!("/deployments/new?draft={draft}"));
    operator.get(&format!("/deployments/new?draft={draft}")).await.expect(200).says(&draft);
    operator.post("/deployments", &[("template", template), ("draft", &draft)]).await.leads_to(&configure);
    // In another browser of the same person it is as it was left.
    let mut elsewhere = scene.site.signed_in("operator").await;
    elsewhere.get(&configure).await.expect(200).says("value=\"10.99.1.50\"");
    scene.site.signed_in("admin").await.get(&configure).await.expect(404);
    let stores = scene.asks("GET", &format!("{VCENTERS}/{}/datastores", scene.vcenter), None).await.json();
    let mut ready = false;
    for store in stores["items"].as_array().unwrap() {
        let all = fields(store["moref"].as_str().unwrap());
        operator.post(&configure, &pairs(&all)).await.leads_to(&review);
        if operator.get(&review).await.expect(200).text.contains(">Deploy zfs-dr-1</button>") {
            ready = true;
            break;
        }
    }
    assert!(ready, "no datastore will do: {stores}");
    let start = configure.replace("/configure", "/start");
    let first = operator.post(&start, &[]).await.expect(303).header("location").to_owned();
    assert!(first.starts_with("/jobs/"), "{first}");
    elsewhere.get(&review).await;
    let again = elsewhere.post(&start, &[]).await.expect(303).header("location").to_owned();
    assert_eq!(first, again, "started once");
    let jobs = scene.asks("GET", "/api/replication/jobs?kind=deploy_zfs_target", None).await.json();
    assert_eq!(jobs["total"], 1);
    operator.get(&first).await.expect(200).says("Deploy appliance zfs-dr-1");
    // What was started is no form any more.
    for step in [&configure, &review] {
        operator.get(step).await.leads_to(&first);
    }
    operator.post(&configure, &pairs(&fields(""))).await.leads_to(&first);
}

/// The hosts are asked before anything is made that they could not mount.
#[tokio::test]
async fn hosts_that_mount_as_many_as_they_may_stand_in_the_way() {
    // The company's hosts mount two already.
    let scene = Scene::over(Options { vms: 3, nfs_max_volumes: 2, ..Options::default() }).await;
    let template = scene.asks("POST", API, Some(scene.body().await)).await.expect(201);
    let key = json!({ "name": "lab", "generate": "ed25519" });
    let key = scene.asks("POST", "/api/replication/ssh-keys", Some(key)).await.expect(201).json();
    let wish = json!({
        "vm_name": "zfs-dr-1", "ssh_key_id": key["id"], "cluster": scene.first("clusters").await,
        "network_id": scene.first("networks").await, "zfs_disk_gb": 10, "datastore": "san-alpha-01",
    });
    let plan = format!("{}/deploy-plan", template.header("location"));
    let full = scene.asks("POST", &plan, Some(wish.clone())).await.expect(200).json();
    assert_eq!((&full["possible"], obstacles(&full)), (&json!(false), vec!["datastore_hosts"; 3]), "{full}");
    let message = full["obstacles"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("mounts 2 NFS datastores") && message.contains("NFS.MaxVolumes allows 2"),
        "{message}"
    );
    let mut unmounted = wish;
    unmounted["register_datastore"] = json!(false);
    assert_eq!(scene.asks("POST", &plan, Some(unmounted)).await.json()["possible"], true);
}
