//! Protection groups through the API, over the inventory of a simulated vCenter.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zerfaux::app::Principal;
use zerfaux::app::vcenters::{Saved, VcenterWish};
use zerfaux::domain::access::Role;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions};
use zerfaux::sim::vcenter::{Options, Vcenter};

use super::site::{Got, Site};

pub(super) const GROUPS: &str = "/api/replication/protection-groups";

/// A site with a vCenter, the appliance that its NFS datastore is an export of, and another appliance.
pub(super) struct Scene {
    pub(super) site: Site,
    token: String,
    pub(super) vcenter: String,
    pub(super) datastore: Value,
    pub(super) source: String,
    pub(super) dr: String,
    /// The vCenter, the source, the DR side.
    pub(super) running: (Vcenter, Appliance, Appliance),
}

impl Scene {
    pub(super) async fn new() -> Self {
        let site = Site::new().await;
        let token = site.token("admin", Role::Admin).await;
        let server = Vcenter::start(Options { vms: 30, ..Options::default() }).await.unwrap();
        let wish = VcenterWish {
            name: "vc-alpha".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: server.address().port(),
            username: "administrator@vsphere.local".to_owned(),
            password: Some(SecretString::from("zerfaux")),
            accepted: Some(server.thumbprint().parse().unwrap()),
        };
        let vcenter =
            match site.app.vcenters().unwrap().create(&Principal::command_line(), wish).await.unwrap() {
                Saved::Kept(vcenter) => vcenter.id.to_string(),
                other => panic!("{other:?}"),
            };
        let ask = async |method: &str, path: &str, body: Option<Value>| {
            site.program(&token, method, path, body).await
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn({
            let (app, stop) = (site.app.clone(), stop.clone());
            async move { app.serve_jobs(stop).await }
        });
        let list = format!("/api/replication/vcenters/{vcenter}/datastores?limit=1000");
        let datastore = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let all = ask("GET", &list, None).await.json();
                let nfs = all["items"].as_array().unwrap().iter().find(|one| one["kind"] == "NFS").cloned();
                match nfs {
                    Some(nfs) => return nfs,
                    None => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        })
        .await
        .expect("the inventory is read");
        stop.cancel();
        serving.await.unwrap();
        let key = json!({ "name": "lab", "generate": "ed25519" });
        let key = ask("POST", "/api/replication/ssh-keys", Some(key)).await.expect(201).json();
        let (mut ids, mut running) = (Vec::new(), Vec::new());
        for (name, nfs) in [("zfs-a", datastore["nfs_host"].clone()), ("zfs-b", json!("10.99.0.9"))] {
            let options = ApplianceOptions {
                pools: vec![("tank".to_owned(), 1 << 30)],
                authorized_keys: Some(key["public_key"].as_str().unwrap().to_owned()),
                hostname: name.to_owned(),
                ..ApplianceOptions::default()
            };
            let appliance = Appliance::start(options).unwrap();
            let body = json!({
                "name": name, "hostname": "127.0.0.1", "port": appliance.address().port(), "ssh_key_id": key["id"],
                "zfs_pool": "tank", "nfs_address": nfs, "host_key_fingerprint": appliance.host_key_fingerprint(),
            });
            let made = ask("POST", "/api/replication/targets", Some(body)).await.expect(201).json();
            ids.push(made["id"].as_str().unwrap().to_owned());
            running.push(appliance);
        }
        let (b, a) = (running.pop().unwrap(), running.pop().unwrap());
        let (dr, source) = (ids.pop().unwrap(), ids.pop().unwrap());
        Self { site, token, vcenter, datastore, source, dr, running: (server, a, b) }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.site.program(&self.token, method, path, body).await
    }

    pub(super) fn body(&self, name: &str) -> Value {
        json!({
            "name": name, "source_vcenter_id": self.vcenter, "protection_datastore": self.datastore["moref"],
            "dr_vcenter_id": self.vcenter, "dr_target_id": self.dr, "rpo_minutes": 5,
            "retention": { "source": { "last": 3 }, "dr": { "last": 12, "daily": 7 } }, "enabled": true,
        })
    }

    pub(super) fn dataset(&self) -> String {
        self.datastore["nfs_path"].as_str().unwrap().trim_start_matches('/').to_owned()
    }
}

#[tokio::test]
async fn a_group_is_made_from_its_datastore_changed_paused_and_removed() {
    let scene = Scene::new().await;
    let made = scene.ask("POST", GROUPS, Some(scene.body("ERP"))).await.expect(201);
    let path = made.header("location").to_owned();
    let group = made.json();
    assert_eq!(group["source_target_id"], json!(scene.source), "told by the export");
    assert_eq!(group["source_dataset"], json!(scene.dataset()));
    let replica = format!("tank/zerfaux/replica/{}", group["id"].as_str().unwrap());
    assert_eq!((&group["dr_dataset"], &group["rpo_minutes"]), (&json!(replica), &json!(5)));
    assert_eq!(
        group["retention"]["dr"],
        json!({ "last": 12, "hourly": 0, "daily": 7, "weekly": 0, "monthly": 0 })
    );

    scene.ask("POST", GROUPS, Some(scene.body("erp"))).await.expect(409).says("ERP");
    scene.ask("POST", GROUPS, Some(scene.body("CRM"))).await.expect(409).says("ERP");

    let change = json!({
        "schedule": { "calendar": "0 3 * * *", "time_zone": "Europe/Berlin" }, "priority": 90,
        "timetable": { "windows": [{ "days": ["mon"], "from": "22:00", "to": "06:00", "bandwidth_limit": null }] },
    });
    let changed = scene.ask("PATCH", &path, Some(change)).await.expect(200).json();
    assert_eq!((&changed["rpo_minutes"], &changed["priority"]), (&Value::Null, &json!(90)));
    assert_eq!(changed["timetable"]["time_zone"], "Europe/Berlin");
    assert_eq!(scene.ask("GET", &path, None).await.expect(200).json(), changed);
    let changed = scene.ask("PATCH", &path, Some(json!({ "rpo_minutes": 1 }))).await.expect(200).json();
    assert_eq!((&changed["rpo_minutes"], &changed["schedule"]), (&json!(1), &Value::Null));
    scene.ask("PATCH", &path, Some(json!({ "source_dataset": "tank/other" }))).await.expect(422);

    scene.ask("POST", &format!("{path}/pause"), None).await.expect(204);
    assert!(scene.ask("GET", &path, None).await.json()["paused_at"].is_string());
    scene.ask("POST", &format!("{path}/resume"), None).await.expect(204);
    assert!(scene.ask("GET", &path, None).await.json()["paused_at"].is_null());

    // A run of a group that has one is that run.
    let first = scene.ask("POST", &format!("{path}/run-now"), None).await.expect(202).json();
    let again = scene.ask("POST", &format!("{path}/run-now"), None).await.expect(202).json();
    assert_eq!(first, again);
    scene.ask("DELETE", &path, None).await.expect(409).says("job");
    let job = format!("/api/replication/jobs/{}", first["job_id"].as_str().unwrap());
    scene.ask("POST", &format!("{job}/cancel"), None).await.expect(202);
    let gone = scene.ask("DELETE", &path, None).await.expect(200).json();
    assert_eq!(gone["dr_dataset"], json!(replica), "where the replica stays");
    scene.ask("GET", &path, None).await.expect(404);
    let lines = scene.ask("GET", "/api/replication/audit?q=protection_group.", None).await.json();
    assert_eq!(lines["total"], 7, "create, 2 changes, pause, resume, run, delete: {lines}");
}

#[tokio::test]
async fn what_is_wrong_with_a_group_stands_beside_its_field() {
    let scene = Scene::new().await;
    let wrong = [
        ("name", json!("")),
        ("source_vcenter_id", json!("x")),
        ("protection_datastore", json!("no such")),
        ("source_target_id", json!(scene.dr)),
        ("source_dataset", json!("tank/other")),
        ("dr_target_id", json!(scene.source)),
        ("dr_parent_dataset", json!("other/pool")),
        ("rpo_minutes", json!(0)),
        ("rpo_minutes", json!(1441)),
        ("transport", json!("pigeon")),
        ("bandwidth_limit", json!("fast")),
        ("priority", json!(101)),
        ("quiesce_every", json!(100_000)),
    ];
    for (field, value) in wrong {
        let mut body = scene.body("ERP");
        body[field] = value.clone();
        let problem = scene.ask("POST", GROUPS, Some(body)).await.expect(422).json();
        let fields: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().filter_map(|one| one["field"].as_str()).collect();
        assert!(fields.contains(&field), "{field} {value}: {problem}");
    }
    for schedule in [
        json!({ "calendar": "x" }),
        json!({ "calendar": "0 0 30 2 *" }),
        json!({ "calendar": "0 3 * * *", "time_zone": "Moon" }),
    ] {
        let mut body = scene.body("ERP");
        (body["schedule"], body["rpo_minutes"]) = (schedule, Value::Null);
        scene.ask("POST", GROUPS, Some(body)).await.expect(422);
    }
    assert_eq!(scene.ask("GET", GROUPS, None).await.json()["total"], 0);
}

#[tokio::test]
async fn machines_are_assigned_to_one_group_and_say_what_is_still_to_be_done() {
    let scene = Scene::new().await;
    let made = scene.ask("POST", GROUPS, Some(scene.body("ERP"))).await.expect(201).json();
    let path = format!("{GROUPS}/{}/protected-vms", made["id"].as_str().unwrap());
    let on = format!(
        "/api/replication/vcenters/{}/vms?datastore={}",
        scene.vcenter,
        scene.datastore["moref"].as_str().unwrap()
    );
    let on = scene.ask("GET", &on, None).await.json();
    let moref = on["items"][0]["moref"].clone();
    let body = json!({ "vm_morefs": [moref] });
    let assigned = scene.ask("POST", &path, Some(body.clone())).await.expect(201).json();
    let vm = &assigned["items"][0];
    assert_eq!(vm["dr_shell_status"], "none");
    assert_eq!(vm["readiness"].as_array().unwrap().len(), 5, "{vm}");
    // Once more is no error, and nothing is doubled.
    scene.ask("POST", &path, Some(body.clone())).await.expect(201);
    assert_eq!(scene.ask("GET", &path, None).await.json()["total"], 1);

    let templates = format!("/api/replication/vcenters/{}/templates", scene.vcenter);
    let template = scene.ask("GET", &templates, None).await.json()["items"][0]["moref"].clone();
    scene.ask("POST", &path, Some(json!({ "vm_morefs": [template] }))).await.expect(422).says("template");
    scene.ask("POST", &path, Some(json!({ "vm_morefs": ["vm-nobody"] }))).await.expect(422);
    scene.ask("POST", &path, Some(json!({ "vm_morefs": [] }))).await.expect(422);

    // Another group cannot have it too.
    let mut other = scene.body("CRM");
    other["protection_datastore"] = Value::Null;
    (other["source_target_id"], other["source_dataset"]) = (json!(scene.source), json!("tank/elsewhere"));
    let other = scene.ask("POST", GROUPS, Some(other)).await.expect(201).json();
    let others = format!("{GROUPS}/{}/protected-vms", other["id"].as_str().unwrap());
    scene.ask("POST", &others, Some(body)).await.expect(409).says("ERP");

    let obstacles = format!("{GROUPS}/{}/obstacles", other["id"].as_str().unwrap());
    let obstacles = scene.ask("GET", &obstacles, None).await.expect(200).json();
    let kinds: Vec<&str> =
        obstacles["items"].as_array().unwrap().iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds, ["no_dataset", "no_datastore"], "{obstacles}");

    let one = format!("/api/replication/protected-vms/{}", vm["id"].as_str().unwrap());
    scene.ask("GET", &one, None).await.expect(200);
    scene.ask("DELETE", &one, None).await.expect(204);
    assert_eq!(scene.ask("GET", &path, None).await.json()["total"], 0);
}
