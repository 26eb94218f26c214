//! Appliances through the API and the pages, against simulated ones in this process.

use serde_json::{Value, json};
use zerfaux::domain::access::Role;
use zerfaux::domain::job::JobState;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, PoolHealth};

use super::site::{Browser, Site};

const TARGETS: &str = "/api/replication/targets";

/// An installation with a key, and a token that may everything.
struct Ground {
    site: Site,
    token: String,
    key: String,
    public: String,
}

impl Ground {
    async fn new() -> Self {
        let site = Site::new().await;
        let token = site.token("t", Role::Admin).await;
        let body = json!({ "name": "lab", "generate": "ed25519" });
        let made =
            site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await.expect(201).json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { key: text("id"), public: text("public_key"), site, token }
    }

    /// An appliance that takes the key.
    fn appliance(&self, pool: &str) -> Appliance {
        let options = ApplianceOptions {
            pools: vec![(pool.to_owned(), 1 << 30)],
            authorized_keys: Some(self.public.clone()),
            hostname: pool.to_owned(),
            ..ApplianceOptions::default()
        };
        Appliance::start(options).unwrap()
    }

    fn body(&self, name: &str, appliance: &Appliance, pool: &str) -> Value {
        json!({
            "name": name, "hostname": appliance.address().ip().to_string(), "port": appliance.address().port(),
            "ssh_key_id": self.key, "zfs_pool": pool,
        })
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> super::site::Got {
        self.site.program(&self.token, method, path, body).await
    }

    /// Adds an appliance whose host key is known.
    async fn add(&self, name: &str, appliance: &Appliance, pool: &str) -> String {
        let mut body = self.body(name, appliance, pool);
        body["host_key_fingerprint"] = json!(appliance.host_key_fingerprint());
        let made = self.ask("POST", TARGETS, Some(body)).await.expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_appliance_is_added_once_its_host_key_was_compared() {
    let ground = Ground::new().await;
    let appliance = ground.appliance("tank");
    let body = ground.body("zfs-a", &appliance, "tank");
    let problem = ground.ask("POST", TARGETS, Some(body.clone())).await.expect(409).json();
    assert!(problem["type"].as_str().unwrap().ends_with("/host-key-unknown"), "{problem}");
    assert_eq!(problem["fingerprint"], appliance.host_key_fingerprint());
    assert_eq!(ground.ask("GET", TARGETS, None).await.json()["total"], 0, "nothing is kept");

    let id = ground.add("zfs-a", &appliance, "tank").await;
    let path = format!("{TARGETS}/{id}");
    let target = ground.ask("GET", &path, None).await.expect(200).json();
    let port = appliance.address().port();
    for (name, value) in [
        ("name", json!("zfs-a")),
        ("target_type", json!("zfs")),
        ("ssh_username", json!("zfsadmin")),
        ("nfs_network", json!("10.0.0.0/8")),
        ("nfs_address", json!("127.0.0.1")),
        ("replication_address", json!("127.0.0.1")),
        ("is_active", json!(true)),
        ("health_status", json!("unknown")),
        ("dr_vcenter_id", Value::Null),
        ("port", json!(port)),
    ] {
        assert_eq!(target[name], value, "{name} in {target}");
    }
    // Another fingerprint than the host's is not pinned.
    let mut other = ground.body("zfs-b", &appliance, "vault");
    other["host_key_fingerprint"] = json!(format!("SHA256:{}", "A".repeat(43)));
    let problem = ground.ask("POST", TARGETS, Some(other)).await.expect(409).json();
    assert!(problem["type"].as_str().unwrap().ends_with("/host-key-changed"), "{problem}");

    let change = json!({ "nfs_address": "10.1.2.3", "replication_address": "10.9.0.1:2222", "appdata_path": "/mnt/appdata/" });
    let changed = ground.ask("PATCH", &path, Some(change)).await.expect(200).json();
    assert_eq!(
        (&changed["nfs_address"], &changed["replication_address"], &changed["appdata_path"]),
        (&json!("10.1.2.3"), &json!("10.9.0.1:2222"), &json!("/mnt/appdata"))
    );
    let problem = ground.ask("POST", TARGETS, Some(body)).await.expect(409).json();
    assert!(problem["detail"].as_str().unwrap().contains("zfs-a"), "the name is taken: {problem}");

    // The key is in use, and the appliance is forgotten before it.
    let key = format!("/api/replication/ssh-keys/{}", ground.key);
    let problem = ground.ask("DELETE", &key, None).await.expect(409).json();
    assert!(problem["detail"].as_str().unwrap().contains("zfs-a"), "{problem}");
    ground.ask("DELETE", &path, None).await.expect(204);
    ground.ask("GET", &path, None).await.expect(404);
    ground.ask("DELETE", &key, None).await.expect(204);
    let lines = ground.ask("GET", "/api/replication/audit?q=target.", None).await.json();
    assert_eq!(lines["total"], 3, "created, changed, deleted: {lines}");
}

#[tokio::test]
async fn what_is_wrong_with_an_appliance_stands_beside_its_field() {
    let ground = Ground::new().await;
    let other = zerfaux::ssh::KeyPair::generate().unwrap().public_key();
    let options = ApplianceOptions { authorized_keys: Some(other), ..ApplianceOptions::default() };
    let stranger = Appliance::start(options).unwrap();
    let mut body =
        json!({ "name": "", "hostname": "a b", "ssh_key_id": "x", "port": 0, "nfs_network": "10.0.0.1/8" });
    let problem = ground.ask("POST", TARGETS, Some(body.clone())).await.expect(422).json();
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["name", "port", "hostname", "ssh_key_id", "nfs_network"]);
    body = ground.body("zfs-x", &stranger, "tank");
    body["host_key_fingerprint"] = json!(stranger.host_key_fingerprint());
    let problem = ground.ask("POST", TARGETS, Some(body)).await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "ssh_key_id");
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains(ground.public.split(' ').nth(1).unwrap()),
        "the line to add is shown: {message}"
    );
    // Nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let gone = json!({ "name": "gone", "hostname": "127.0.0.1", "port": port, "ssh_key_id": ground.key });
    let problem = ground.ask("POST", TARGETS, Some(gone)).await.expect(424).json();
    assert!(problem["advice"].as_str().unwrap().contains("SSH server"), "{problem}");
}

#[tokio::test]
async fn health_is_looked_at_kept_counted_and_told_by_a_job() {
    let ground = Ground::new().await;
    let appliance = ground.appliance("tank");
    let id = ground.add("zfs-a", &appliance, "tank").await;
    let path = format!("{TARGETS}/{id}");
    let health = ground.ask("POST", &format!("{path}/test"), None).await.expect(200).json();
    assert_eq!((&health["success"], &health["health_status"]), (&json!(true), &json!("healthy")), "{health}");
    assert_eq!(health["facts"]["rights"]["by"], "sudo");
    assert_eq!(health["facts"]["pools"][0]["name"], "tank");
    assert_eq!(health["facts"]["nfs_running"], true);

    appliance.set_pool_health("tank", PoolHealth::Degraded);
    let queued = ground.ask("POST", &format!("{path}/health-check"), None).await.expect(202).json();
    ground.site.app.run_until_idle().await.unwrap();
    let job = ground
        .ask("GET", &format!("/api/replication/jobs/{}", queued["job_id"].as_str().unwrap()), None)
        .await
        .json();
    assert_eq!(
        (&job["state"], &job["result"]["health_status"]),
        (&json!("succeeded"), &json!("degraded")),
        "{job}"
    );
    assert!(job["warnings"][0].as_str().unwrap().contains("Pool tank: DEGRADED"), "{job}");
    let kept = ground.ask("GET", &format!("{path}/health"), None).await.expect(200).json();
    assert_eq!(kept["health_status"], "degraded");
    let metrics = ground.site.browser().get("/metrics").await.expect(200).text;
    assert!(metrics.contains("zerfaux_appliances{state=\"degraded\"} 1"), "{metrics}");
    assert!(!metrics.contains("zfs-a"), "no names");

    let mut viewer = ground.site.signed_in("viewer").await;
    let page = viewer
        .get(&format!("/appliances/{id}"))
        .await
        .expect(200)
        .says("needs a look")
        .says("zpool status -v tank");
    assert!(
        !page.text.contains("/edit") && !page.text.contains("Check now"),
        "nothing to press for a viewer"
    );
    viewer.get("/appliances").await.expect(200).says("zfs-a").says("2.3");
    let checks = ground.site.app.doctor().await.unwrap();
    assert!(
        checks.iter().any(|check| check.name == "zfs-a: Pool tank" && check.state.as_str() == "warn"),
        "{checks:?}"
    );
}

#[tokio::test]
async fn a_changed_host_key_stops_everything_until_it_is_accepted() {
    let ground = Ground::new().await;
    let first = ground.appliance("tank");
    let (address, old_key) = (first.address(), first.host_key_fingerprint());
    let id = ground.add("zfs-a", &first, "tank").await;
    let path = format!("{TARGETS}/{id}");
    drop(first);
    let mut second = None;
    for _ in 0..100 {
        let options = ApplianceOptions {
            listen: address,
            authorized_keys: Some(ground.public.clone()),
            ..ApplianceOptions::default()
        };
        match Appliance::start(options) {
            Ok(started) => {
                second = Some(started);
                break;
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
    let second = second.expect("the port is free again");
    let problem = ground.ask("POST", &format!("{path}/test"), None).await.expect(409).json();
    assert!(problem["type"].as_str().unwrap().ends_with("/host-key-changed"), "{problem}");
    assert_eq!(
        (&problem["fingerprint"], &problem["expected"]),
        (&json!(second.host_key_fingerprint()), &json!(old_key))
    );
    assert!(second.commands().is_empty(), "nothing was run on it");
    assert_eq!(ground.ask("GET", &path, None).await.json()["health_status"], "unreachable");
    ground.ask("GET", &format!("{path}/datasets"), None).await.expect(424);

    let mut admin = ground.site.signed_in("admin").await;
    let page = format!("/appliances/{id}");
    admin.get(&page).await.expect(200).says("Compare and accept the new key");
    let compare =
        admin.get(&format!("{page}/host-key")).await.expect(200).says(&second.host_key_fingerprint());
    assert!(compare.text.contains(&old_key), "both are shown");
    let wrong = format!("SHA256:{}", "B".repeat(43));
    admin.post(&format!("{page}/host-key"), &[("host_key_fingerprint", &wrong)]).await.expect(409);
    admin.get(&page).await.expect(200);
    let fingerprint = second.host_key_fingerprint();
    admin.post(&format!("{page}/host-key"), &[("host_key_fingerprint", &fingerprint)]).await.leads_to(&page);
    ground.ask("POST", &format!("{path}/test"), None).await.expect(200);
    assert_eq!(ground.ask("GET", &path, None).await.json()["host_key_fingerprint"], json!(fingerprint));
}

#[tokio::test]
async fn datasets_and_snapshots_are_read_from_the_appliance_in_pages() {
    let ground = Ground::new().await;
    let appliance = ground.appliance("tank");
    let ran = appliance.run(
        "zfs create tank/vm && zfs create 'tank/vm/a b' && zfs snapshot tank/vm@one && zfs snapshot tank/vm@two && \
         zfs hold keep tank/vm@one && zfs clone tank/vm@two tank/copy",
    );
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let id = ground.add("zfs-a", &appliance, "tank").await;
    let path = format!("{TARGETS}/{id}");
    let first = ground.ask("GET", &format!("{path}/datasets?limit=2"), None).await.expect(200).json();
    assert_eq!((&first["total"], &first["items"][0]["name"]), (&json!(4), &json!("tank")), "{first}");
    let cursor = first["next"].as_str().unwrap();
    let rest =
        ground.ask("GET", &format!("{path}/datasets?limit=2&cursor={cursor}"), None).await.expect(200).json();
    assert_eq!(
        (&rest["items"][0]["name"], &rest["items"][0]["snapshots"], &rest["next"]),
        (&json!("tank/vm"), &json!(2), &Value::Null),
        "{rest}"
    );
    let snapshots =
        ground.ask("GET", &format!("{path}/snapshots?dataset=tank/vm"), None).await.expect(200).json();
    assert_eq!(snapshots["items"][0]["name"], "tank/vm@two", "newest first: {snapshots}");
    assert_eq!(snapshots["items"][0]["clones"], json!(["tank/copy"]));
    assert_eq!(snapshots["items"][1]["holds"], json!(["keep"]));
    ground.ask("GET", &format!("{path}/snapshots?dataset=tank/none"), None).await.expect(404);
    ground.ask("GET", &format!("{path}/snapshots?dataset=tank%40x"), None).await.expect(422);

    let mut viewer = ground.site.signed_in("viewer").await;
    let list =
        viewer.get(&format!("/appliances/{id}/datasets?q=A%20B")).await.expect(200).says("tank/vm/a b");
    assert!(!list.text.contains("tank/copy"));
    assert!(list.text.contains(&format!("/appliances/{id}/datasets/tank/vm/a%20b")), "{}", list.text);
    viewer
        .get(&format!("/appliances/{id}/datasets/tank/vm"))
        .await
        .expect(200)
        .says("@two")
        .says("hold keep")
        .says("others");
    viewer
        .get(&format!("/appliances/{id}/datasets/tank/vm/a%20b"))
        .await
        .expect(200)
        .says("No snapshots yet");
}

fn form(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The hidden fields of the last form on a page, but for the session's token.
fn hidden(page: &str) -> Vec<(String, String)> {
    let fields = page.split("<input type=\"hidden\" name=\"").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
    });
    fields.filter(|(name, _)| name != "csrf" && name != "theme" && name != "back").collect()
}

#[tokio::test]
async fn the_form_keeps_what_was_typed_over_the_page_of_the_host_key() {
    let ground = Ground::new().await;
    let appliance = ground.appliance("tank");
    let mut admin = ground.site.signed_in("admin").await;
    admin.get("/appliances").await.expect(200).says("Add your first appliance");
    admin.get("/appliances/new").await.expect(200).says("10.0.0.0/8");
    let port = appliance.address().port().to_string();
    let typed = [
        ("name", "zfs <a>"),
        ("hostname", "127.0.0.1"),
        ("port", &port),
        ("ssh_username", "root"),
        ("ssh_key_id", &ground.key),
        ("zfs_pool", "tank"),
        ("nfs_network", "10.0.0.0/8"),
        ("is_active", "on"),
        ("appdata_path", "/mnt/appdata"),
    ];
    let mut bad = typed.to_vec();
    bad[6].1 = "10.0.0.1/8";
    let page = admin.post("/appliances", &bad).await.expect(422).says("did you mean 10.0.0.0/8");
    assert!(
        page.text.contains("f-nfs_network-error") && page.text.contains("value=\"/mnt/appdata\""),
        "{}",
        page.text
    );
    let page = admin.post("/appliances", &typed).await.expect(200).says(&appliance.host_key_fingerprint());
    assert!(!page.text.contains("<a>"), "text stays text");
    let mut carried = hidden(&page.text);
    assert!(
        carried.iter().any(|(name, value)| name == "appdata_path" && value == "/mnt/appdata"),
        "{carried:?}"
    );
    assert!(!page.text.contains("PRIVATE KEY"));
    for (_, value) in &mut carried {
        *value = value.replace("&#60;", "<").replace("&#62;", ">");
    }
    carried.push(("host_key_fingerprint".to_owned(), appliance.host_key_fingerprint()));
    let made = admin.post("/appliances", &form(&carried)).await.expect(303);
    let address = made.header("location").to_owned();
    ground.site.app.run_until_idle().await.unwrap();
    admin.get(&address).await.expect(200).says("healthy").says("/mnt/appdata").says("zfs &#60;a&#62;");
    let checked = admin.post(&format!("{address}/test"), &[]).await.expect(303);
    let job = checked.header("location").to_owned();
    ground.site.app.run_until_idle().await.unwrap();
    admin.get(&job).await.expect(200).says("NFS server: Running.").says(&address);

    admin.get(&format!("{address}/edit")).await.expect(200).says("value=\"root\"");
    let mut changed = typed.to_vec();
    changed[0].1 = "zfs-b";
    admin.post(&format!("{address}/edit"), &changed).await.leads_to(&address);
    let delete = format!("{address}/delete");
    admin.get(&delete).await.expect(200).says("stay as they are");
    admin.post(&delete, &[("confirm", "zfs-a")]).await.expect(422).says("not its name");
    ground.site.app.run_until_idle().await.unwrap();
    admin.post(&delete, &[("confirm", "zfs-b")]).await.leads_to("/appliances");
    let mut viewer = ground.site.signed_in("viewer").await;
    viewer.get("/appliances/new").await.expect(403);
}

async fn two(ground: &Ground) -> (Appliance, Appliance, String, String) {
    let (here, there) = (ground.appliance("tank"), ground.appliance("vault"));
    let ran = here.run("zfs create tank/vm && zfs create tank/vm/disks");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    here.write("tank/vm/disks", "a.vmdk", &[7; 100_000]).unwrap();
    let (from, into) = (ground.add("zfs-a", &here, "tank").await, ground.add("zfs-b", &there, "vault").await);
    (here, there, from, into)
}

#[tokio::test]
async fn a_replication_between_two_appliances_is_started_over_the_api() {
    let ground = Ground::new().await;
    let (_here, there, from, into) = two(&ground).await;
    let path = "/api/replication/replication-jobs";
    let mut body = json!({
        "source_target_id": from, "source_dataset": "tank/vm", "destination_target_id": into,
        "destination_dataset": "vault/replica/vm", "recursive": true, "transport": "relay", "bandwidth_limit": 100_000_000,
    });
    let preview = ground.ask("POST", &format!("{path}/preview"), Some(body.clone())).await.expect(200).json();
    assert_eq!(preview["datasets"].as_array().unwrap().len(), 2, "{preview}");
    let queued = ground.ask("POST", path, Some(body.clone())).await.expect(202);
    let job = queued.header("location").to_owned();
    // While it has not ended, neither end can be removed.
    let problem = ground.ask("DELETE", &format!("{TARGETS}/{from}"), None).await.expect(409).json();
    assert!(problem["detail"].as_str().unwrap().contains("replicate job"), "{problem}");
    ground.site.app.run_until_idle().await.unwrap();
    let job = ground.ask("GET", &job, None).await.json();
    assert_eq!(job["state"], "succeeded", "{job}");
    assert!(
        there.files("vault/replica/vm/disks").is_empty()
            || there.run("zfs list vault/replica/vm/disks").status == 0
    );
    assert!(!job.to_string().contains("PRIVATE KEY"));
    body["transport"] = json!("pigeon");
    body["source_dataset"] = json!("tank@vm");
    body["destination_target_id"] = json!("nobody");
    let problem = ground.ask("POST", path, Some(body)).await.expect(422).json();
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["destination_target_id", "source_dataset", "transport"]);
}

async fn step<'a>(browser: &mut Browser<'a>, path: &str) -> super::site::Got {
    browser.get(path).await.expect(200)
}

#[tokio::test]
async fn a_replication_is_chosen_looked_at_and_started_in_the_browser() {
    let ground = Ground::new().await;
    let (_here, there, from, into) = two(&ground).await;
    let mut operator = ground.site.signed_in("operator").await;
    step(&mut operator, "/jobs").await.says("/jobs/replicate/new");
    step(&mut operator, "/jobs/replicate/new").await.says("zfs-a").says("List its datasets");
    let chosen = format!("/jobs/replicate/new?source_target_id={from}&destination_target_id={into}");
    step(&mut operator, &chosen).await.says("tank/vm/disks").says("vault/replica");
    let choice = [
        ("source_target_id", from.as_str()),
        ("destination_target_id", &into),
        ("source_dataset", "tank/vm"),
        ("destination_dataset", "vault/replica/vm"),
        ("recursive", "on"),
        ("transport", "relay"),
        ("on_conflict", "stop"),
        ("bandwidth_limit", "10MB"),
    ];
    operator.post("/jobs/replicate/review", &choice).await.expect(422).says("f-bandwidth_limit-error");
    let mut choice = choice.to_vec();
    choice[7].1 = "";
    let review =
        operator.post("/jobs/replicate/review", &choice).await.expect(200).says("Replicate tank/vm to zfs-b");
    let carried = hidden(&review.text);
    assert!(carried.iter().any(|(name, value)| name == "recursive" && value == "on"), "{carried:?}");
    let started = operator.post("/jobs/replicate", &form(&carried)).await.expect(303);
    let job = started.header("location").to_owned();
    ground.site.app.run_until_idle().await.unwrap();
    operator.get(&job).await.expect(200).says("tank/vm → vault/replica/vm").says("succeeded");
    assert_eq!(there.run("zfs list vault/replica/vm/disks").status, 0);
    // Somebody wrote to the replica: the review says so, and offers no start.
    let ran = there.run("zfs set readonly=off vault/replica/vm/disks");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    there.write("vault/replica/vm/disks", "mine.txt", b"changed").unwrap();
    let review = operator.post("/jobs/replicate/review", &choice).await.expect(200).says("has changed since");
    assert!(!review.text.contains("Replicate tank/vm to zfs-b"), "it cannot be started as it is");
    let jobs = ground.site.app.job_counts().await.unwrap();
    assert!(jobs.iter().all(|(state, count)| *state == JobState::Succeeded || *count == 0), "{jobs:?}");
    let mut viewer = ground.site.signed_in("viewer").await;
    viewer.get("/jobs/replicate/new").await.expect(403);
}

#[tokio::test]
async fn a_key_is_rotated_only_once_every_appliance_lets_the_new_one_in() {
    let ground = Ground::new().await;
    let strict = ground.appliance("tank");
    let pools = vec![("vault".to_owned(), 1 << 30)];
    // Lets every key in.
    let open = Appliance::start(ApplianceOptions { pools, ..ApplianceOptions::default() }).unwrap();
    let a = ground.add("zfs-a", &strict, "tank").await;
    let b = ground.add("zfs-b", &open, "vault").await;
    let key = format!("/api/replication/ssh-keys/{}", ground.key);
    let before = ground.ask("GET", &key, None).await.json();
    let rotation = ground.ask("POST", &format!("{key}/rotation"), None).await.expect(201).json();
    assert_ne!(rotation["public_key"], before["public_key"]);
    assert_eq!(rotation["targets"].as_array().unwrap().len(), 2, "{rotation}");
    ground.ask("POST", &format!("{key}/rotation"), None).await.expect(409);
    // A simulated appliance keeps no file of keys: that is said, and nothing is guessed.
    let came = ground.ask("POST", &format!("{key}/rotation/install"), None).await.expect(200).json();
    assert!(came["items"][0]["message"].as_str().unwrap().contains("authorized_keys"), "{came}");

    let problem = ground.ask("POST", &format!("{key}/rotation/switch"), None).await.expect(409).json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("zfs-a") && !detail.contains("zfs-b"), "{problem}");
    assert_eq!(ground.ask("GET", &key, None).await.json(), before, "nothing was changed");
    ground.ask("POST", &format!("{TARGETS}/{a}/test"), None).await.expect(200);

    ground.ask("DELETE", &format!("{TARGETS}/{a}"), None).await.expect(204);
    let mut admin = ground.site.signed_in("admin").await;
    let page = format!("/ssh-keys/{}", ground.key);
    let shown = admin.get(&page).await.expect(200).says("Switch to the new key").says("authorized_keys");
    assert!(!shown.text.contains("PRIVATE KEY"));
    admin.post(&format!("{page}/rotation/switch"), &[]).await.leads_to(&page);
    let after = ground.ask("GET", &key, None).await.json();
    assert_eq!((&after["fingerprint"], &after["id"]), (&rotation["fingerprint"], &before["id"]));
    ground.ask("POST", &format!("{TARGETS}/{b}/test"), None).await.expect(200);
    ground.ask("GET", &format!("{key}/rotation"), None).await.expect(404);

    ground.ask("POST", &format!("{key}/rotation"), None).await.expect(201);
    ground.ask("DELETE", &format!("{key}/rotation"), None).await.expect(204);
    assert_eq!(ground.ask("GET", &key, None).await.json(), after, "given up, the old one stays");
    let lines = ground.ask("GET", "/api/replication/audit?q=ssh_key.switch", None).await.json();
    assert_eq!(lines["total"], 1);
}
