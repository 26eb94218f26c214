//! Connecting vCenters and looking at what they have, against a simulated vCenter in this process.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use zerfaux::app::Principal;
use zerfaux::domain::access::Role;
use zerfaux::sim::vcenter::{Options, User, Vcenter};

use super::site::{PASSWORD, Site};

const SECRET: &str = "canary-vcenter-0815";

pub async fn simulated(listen: &str, vms: usize) -> Vcenter {
    let user = User { name: "zerfaux@vsphere.local".into(), password: SECRET.into(), privileges: None };
    let listen: SocketAddr = listen.parse().unwrap();
    let options = Options { listen, users: vec![user], vms, site: "berlin".into(), ..Options::default() };
    Vcenter::start(options).await.unwrap()
}

fn body(vcenter: &Vcenter) -> Value {
    let address = vcenter.address();
    json!({
        "name": "vc-berlin", "host": address.ip().to_string(), "port": address.port(),
        "username": "zerfaux@vsphere.local", "password": SECRET,
    })
}

/// Connected by the API; the connection's id.
async fn connected(site: &Site, token: &str, vcenter: &Vcenter) -> String {
    let mut body = body(vcenter);
    body["thumbprint"] = vcenter.thumbprint().into();
    let made = site.program(token, "POST", "/api/replication/vcenters", Some(body)).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_vcenter_is_connected_by_hand_and_its_password_is_shown_nowhere() {
    let (site, vcenter) = (Site::new().await, simulated("127.0.0.1:0", 30).await);
    let mut admin = site.signed_in("admin").await;
    admin.get("/vcenters").await.expect(200).says("Connect your first vCenter");
    let port = vcenter.address().port().to_string();
    let mut form = vec![("name", "vc-berlin"), ("host", "127.0.0.1"), ("port", port.as_str())];
    form.push(("username", "zerfaux@vsphere.local"));
    admin
        .post("/vcenters", &form)
        .await
        .expect(422)
        .says("The password is missing.")
        .says("value=\"vc-berlin\"");
    form.push(("password", SECRET));
    let got = admin.post("/vcenters", &form).await.expect(303);
    let draft = got.header("location").to_owned();
    assert!(draft.starts_with("/vcenters/drafts/"), "{draft}");
    assert!(site.app.vcenters().unwrap().list().await.unwrap().is_empty(), "nothing is kept yet");
    let page = admin.get(&draft).await.expect(200).says(vcenter.thumbprint()).says("CN=");
    assert!(!page.text.contains(SECRET), "the password is not in the page");

    // It is for the one who began it, and for a quarter of an hour.
    let who = Principal::command_line();
    let second = SecretString::from(PASSWORD);
    site.app.add_user(&who, "berta", "admin", &second).await.unwrap();
    site.signed_in("berta").await.get(&draft).await.expect(404);
    admin.get(&draft).await.expect(200);

    let wrong = format!("00{}", &vcenter.thumbprint()[2..]);
    admin.post(&draft, &[("thumbprint", &wrong)]).await.expect(200).says(vcenter.thumbprint());
    let got = admin.post(&draft, &[("thumbprint", vcenter.thumbprint())]).await.expect(303);
    let address = got.header("location").to_owned();
    admin.get(&address).await.expect(200).says("Its inventory is being read.").says("connected");
    admin.get(&draft).await.expect(404);
    site.app.run_until_idle().await.unwrap();
    let page = admin.get(&address).await.expect(200).says("vCenter Server").says("zerfaux@vsphere.local");
    assert!(page.text.contains(">30</a>"), "30 VMs are counted: {}", page.text);
    for path in ["/vcenters", &address, &format!("{address}/edit"), "/inventory", "/audit", "/jobs"] {
        let got = admin.get(path).await.expect(200);
        assert!(!got.text.contains(SECRET), "{path} shows the password");
    }
    let (lines, _) = site.app.audit_lines(&Default::default()).await.unwrap();
    let actions: Vec<&str> = lines.iter().map(|line| line.entry.action.as_str()).collect();
    assert!(actions.contains(&"vcenter.create") && actions.contains(&"vcenter.sync"), "{actions:?}");
    assert!(!format!("{lines:?}").contains(SECRET));
    site.app.close().await;
    for file in std::fs::read_dir(site.data.path()).unwrap().map(|file| file.unwrap().path()) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "the password is in {}", file.display());
    }
}

#[tokio::test]
async fn a_draft_is_good_for_a_quarter_of_an_hour() {
    let (site, vcenter) = (Site::new().await, simulated("127.0.0.1:0", 0).await);
    let mut admin = site.signed_in("admin").await;
    let port = vcenter.address().port().to_string();
    let form = [
        ("name", "vc"),
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("username", "zerfaux@vsphere.local"),
        ("password", SECRET),
    ];
    let draft = admin.post("/vcenters", &form).await.expect(303).header("location").to_owned();
    site.clock.advance(Duration::from_secs(16 * 60));
    admin.get(&draft).await.expect(404).says("begin again");
    admin.post(&draft, &[("thumbprint", vcenter.thumbprint())]).await.expect(404);
}

#[tokio::test]
async fn a_program_is_told_the_certificate_first_and_then_reads_the_inventory() {
    let (site, vcenter) = (Site::new().await, simulated("127.0.0.1:0", 60).await);
    let (admin, viewer) = (site.token("a", Role::Admin).await, site.token("v", Role::Viewer).await);
    let path = "/api/replication/vcenters";
    let problem = site.program(&admin, "POST", path, Some(body(&vcenter))).await.expect(409).json();
    assert!(problem["type"].as_str().unwrap().ends_with("/certificate-untrusted"), "{problem}");
    assert_eq!(problem["thumbprint"], vcenter.thumbprint());
    assert!(problem["subject"].as_str().unwrap().contains("CN="), "{problem}");
    assert!(problem["not_after"].as_str().unwrap().ends_with('Z'), "{problem}");
    assert_eq!(vcenter.calls("Login"), 0, "the password was not sent");

    let mut wrong = body(&vcenter);
    wrong["thumbprint"] = vcenter.thumbprint().into();
    wrong["password"] = "canary-wrong".into();
    let problem = site.program(&admin, "POST", path, Some(wrong)).await.expect(424);
    assert!(!problem.text.contains("canary"), "{}", problem.text);
    let id = connected(&site, &admin, &vcenter).await;
    let mut twice = body(&vcenter);
    twice["thumbprint"] = vcenter.thumbprint().into();
    site.program(&admin, "POST", path, Some(twice)).await.expect(409);
    let one = format!("{path}/{id}");
    let got = site.program(&viewer, "GET", &one, None).await.expect(200).json();
    assert_eq!(
        (got["thumbprint"].as_str(), got["kind"].as_str()),
        (Some(vcenter.thumbprint()), Some("vcenter"))
    );
    assert!(got["certificate_not_after"].is_string() && got.get("password").is_none(), "{got}");
    let tested = site.program(&admin, "POST", &format!("{one}/test"), None).await.expect(200).json();
    assert_eq!(tested["ok"], true);
    let accepted = site.program(&admin, "POST", &format!("{one}/sync"), None).await.expect(202);
    let job = accepted.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(accepted.header("location"), format!("/api/replication/jobs/{job}"));
    site.program(&admin, "DELETE", &one, None).await.expect(409).says("in use by job");
    site.app.run_until_idle().await.unwrap();
    let job = site.program(&viewer, "GET", &format!("/api/replication/jobs/{job}"), None).await.json();
    assert_eq!(job["state"], "succeeded", "{job}");

    let list = |what: &str| format!("{one}/{what}");
    let get = async |path: String| site.program(&viewer, "GET", &path, None).await.expect(200).json();
    let vms = get(list("vms?limit=25")).await;
    assert_eq!((vms["total"].as_u64(), vms["items"].as_array().unwrap().len()), (Some(60), 25));
    let next = vms["next"].as_str().unwrap();
    let more = get(list(&format!("vms?limit=1000&cursor={next}"))).await;
    assert_eq!((more["items"].as_array().unwrap().len(), more["next"].is_null()), (35, true));
    assert_eq!(get(list("templates")).await["total"], 3);
    assert_eq!(get(list("vms?q=ERP-DB")).await["total"], 1);
    let off = get(list("vms?power=off")).await["total"].as_u64().unwrap();
    let on = get(list("vms?power=on")).await["total"].as_u64().unwrap();
    assert_eq!((off > 0, on + off), (true, 60));
    let largest = get(list("vms?sort=-memory&limit=2")).await;
    let memory = |at: usize| largest["items"][at]["memory_bytes"].as_u64().unwrap();
    assert!(memory(0) >= memory(1) && memory(0) >= 64 << 30, "{largest}");
    site.program(&viewer, "GET", &list("vms?power=maybe"), None).await.expect(422);
    site.program(&viewer, "GET", &list("vms?sort=colour"), None).await.expect(422);

    let datastores = get(list("datastores")).await;
    let nfs = datastores["items"].as_array().unwrap().iter().find(|one| one["kind"] == "NFS").unwrap();
    assert!(nfs["nfs_path"].as_str().unwrap().starts_with("/tank/") && nfs["nfs_host"].is_string());
    let there = get(list(&format!("vms?datastore={}", nfs["moref"].as_str().unwrap()))).await;
    assert!(there["total"].as_u64().unwrap() > 0 && there["total"].as_u64().unwrap() < 60, "{there}");
    let networks = get(list("networks")).await;
    let dmz = networks["items"].as_array().unwrap().iter().find(|one| one["vlan"] == "120").unwrap();
    let in_dmz = get(list(&format!("vms?network={}", dmz["moref"].as_str().unwrap()))).await;
    assert!(in_dmz["total"].as_u64().unwrap() > 0, "{in_dmz}");
    for vm in in_dmz["items"].as_array().unwrap() {
        let whole = get(list(&format!("vms/{}", vm["moref"].as_str().unwrap()))).await;
        assert_eq!(whole["nics"][0]["vlan"], "120", "{whole}");
        assert!(whole["disks"][0]["capacity_bytes"].as_u64().unwrap() > 0 && whole["host"].is_string());
    }
    let hosts = get(list("hosts")).await;
    assert_eq!(
        (hosts["total"].as_u64(), hosts["items"][0]["cluster"].as_str()),
        (Some(3), Some("CL-berlin"))
    );
    assert_eq!(get(list("clusters")).await["total"], 1);
    assert!(get(list("folders")).await["total"].as_u64().unwrap() > 5);
    assert_eq!(get(list("resource-pools")).await["total"], 3);
    let nowhere = "/api/replication/vcenters/01937c5e-0000-7000-8000-000000000001/vms";
    site.program(&viewer, "GET", nowhere, None).await.expect(404);

    let changed = json!({ "name": "vc-spree" });
    let got = site.program(&admin, "PATCH", &one, Some(changed)).await.expect(200).json();
    assert_eq!((got["name"].as_str(), got["vms"].as_u64()), (Some("vc-spree"), Some(60)));
    let elsewhere = json!({ "host": "127.0.0.2" });
    let problem = site.program(&admin, "PATCH", &one, Some(elsewhere)).await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "password", "a password is for the server it was given for");
    site.program(&admin, "DELETE", &one, None).await.expect(204);
    site.program(&viewer, "GET", &one, None).await.expect(404);
}

#[tokio::test]
async fn a_changed_certificate_stops_everything_until_somebody_accepts_it() {
    let (site, before) = (Site::new().await, simulated("127.0.0.1:0", 2).await);
    let token = site.token("t", Role::Admin).await;
    let id = connected(&site, &token, &before).await;
    let (address, old) = (before.address(), before.thumbprint().to_owned());
    drop(before);
    let after = loop {
        // Until the system has let the port go.
        tokio::time::sleep(Duration::from_millis(50)).await;
        if std::net::TcpListener::bind(address).is_ok() {
            break simulated(&address.to_string(), 2).await;
        }
    };
    assert_ne!(old, after.thumbprint());
    let one = format!("/api/replication/vcenters/{id}");
    let problem = site.program(&token, "POST", &format!("{one}/test"), None).await.expect(409).json();
    assert!(problem["type"].as_str().unwrap().ends_with("/certificate-changed"), "{problem}");
    assert_eq!(problem["accepted_thumbprint"], old);
    assert_eq!(after.calls("Login"), 0);
    let mut admin = site.signed_in("admin").await;
    let page = format!("/vcenters/{id}");
    admin.get(&page).await.expect(200).says("certificate changed").says("Compare the certificates");
    admin.get("/replication").await.expect(200).says("Compare");
    let compare = format!("{page}/certificate");
    admin.get(&compare).await.expect(200).says(&old).says(after.thumbprint()).says("has changed");
    admin.post(&compare, &[("thumbprint", after.thumbprint())]).await.leads_to(&page);
    let page = admin.get(&page).await.expect(200).says(after.thumbprint());
    assert!(!page.text.contains("certificate changed"), "{}", page.text);
    assert_eq!(after.calls("Login"), 1);
}

#[tokio::test]
async fn the_inventory_is_searched_narrowed_and_paged_by_its_address() {
    let (site, vcenter) = (Site::new().await, simulated("127.0.0.1:0", 100).await);
    let token = site.token("t", Role::Admin).await;
    let mut viewer = site.signed_in("viewer").await;
    viewer.get("/inventory").await.expect(200).says("Nothing to list yet");
    let id = connected(&site, &token, &vcenter).await;
    site.program(&token, "POST", &format!("/api/replication/vcenters/{id}/sync"), None).await.expect(202);
    site.app.run_until_idle().await.unwrap();
    let page = viewer.get("/inventory").await.expect(200).says("1–40 of 103");
    assert!(page.text.len() < 100 * 1024, "{} bytes", page.text.len());
    let page = viewer.get("/inventory?kind=vm&sort=-cpus&page=3").await.expect(200).says("81–100 of 100");
    assert!(page.text.contains("aria-sort=\"descending\""));
    viewer.get("/inventory?q=erp-db01").await.expect(200).says("1–1 of 1").says("erp-db01");
    viewer.get("/inventory?q=%3Cb%3Enone").await.expect(200).says("No VM matches").says("&#60;b&#62;none");
    viewer.get("/inventory?gone=only").await.expect(200).says("No VM matches");
    let fragment = viewer.ask("GET", "/inventory?page=2", None, &[("hx-request", "true")]).await.expect(200);
    assert!(!fragment.text.contains("<html") && fragment.text.contains("41–80 of 103"));
    let found = viewer.get("/inventory?q=erp-db01").await;
    let row = found.text.split("/inventory/").find(|part| part.contains("/vms/")).unwrap();
    let address = format!("/inventory/{}", row.split('"').next().unwrap());
    let page = viewer.get(&address).await.expect(200);
    for words in ["erp-db01", "Hard disk 3", "Databases (VLAN 130)", "SCSI 0:1", "PVSCSI", "CL-berlin"] {
        assert!(page.text.contains(words), "{words} is not in {}", page.text);
    }
    let fragment = viewer.ask("GET", &address, None, &[("hx-request", "true")]).await.expect(200);
    assert!(!fragment.text.contains("<html") && fragment.text.contains("Hard disk 3"));
    viewer.get("/inventory/datastores").await.expect(200).says("nfs-berlin-01").says("/tank/vm01");
    viewer.get("/inventory/hosts").await.expect(200).says("esx01.berlin.example").says("CL-berlin");
    viewer.get("/inventory/networks?q=dmz").await.expect(200).says("DMZ (VLAN 120)").says("1–1 of 1");
    let nowhere = format!("/inventory/{id}/vms/vm-0");
    viewer.get(&nowhere).await.expect(404).says("has no virtual machine");
}

#[tokio::test]
async fn disconnecting_asks_for_the_name_and_forgets_everything() {
    let (site, vcenter) = (Site::new().await, simulated("127.0.0.1:0", 5).await);
    let token = site.token("t", Role::Admin).await;
    let id = connected(&site, &token, &vcenter).await;
    let mut admin = site.signed_in("admin").await;
    let address = format!("/vcenters/{id}/delete");
    admin.get(&address).await.expect(200).says("Nothing changes in the vCenter itself.");
    admin.post(&address, &[("confirm", "vc")]).await.expect(422).says("not its name");
    admin.post(&address, &[("confirm", "vc-berlin")]).await.leads_to("/vcenters");
    admin.get("/vcenters").await.expect(200).says("vc-berlin is disconnected.");
    admin.get(&format!("/vcenters/{id}")).await.expect(404);
    let mut operator = site.signed_in("operator").await;
    operator.get("/vcenters/new").await.expect(403);
    let mut viewer = site.signed_in("viewer").await;
    let page = viewer.get("/vcenters").await.expect(200);
    assert!(!page.text.contains("/vcenters/new"), "no button for a viewer");
}
