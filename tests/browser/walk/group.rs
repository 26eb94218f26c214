//! From a datastore to a protection group that replicates: the wizard as somebody uses it, and the group's pages.

use std::sync::Arc;

use zerfaux::sim::appliance::{Appliance, ApplianceOptions, SiteExports};
use zerfaux::sim::vcenter::{NfsDatastore, Options, Vcenter};

use super::hands::Person;
use super::pages::{NAME, PASSWORD, sign_out};

/// What the group is called.
pub const GROUP: &str = "ERP";
/// What hosts call the source appliance.
const STORAGE: &str = "10.20.150.11";
/// What they call the DR appliance.
const DR_STORAGE: &str = "10.30.150.11";

/// A vCenter whose hosts mount a dataset of one appliance, and another appliance.
pub struct Sites {
    pub vcenter: Vcenter,
    pub source: Appliance,
    pub dr: Appliance,
}

impl Sites {
    /// Both appliances let in whoever has this key.
    pub async fn start(public_key: &str) -> Self {
        let appliance = |hostname: &str, pool: &str| {
            let options = ApplianceOptions {
                hostname: hostname.to_owned(),
                pools: vec![(pool.to_owned(), 8 << 40)],
                authorized_keys: Some(public_key.to_owned()),
                ..ApplianceOptions::default()
            };
            Appliance::start(options).unwrap()
        };
        let (source, dr) = (appliance("zfs-a", "tank"), appliance("zfs-b", "vault"));
        let made = source.run("zfs create -o sharenfs=rw=@10.0.0.0/8,no_root_squash tank/erp");
        assert_eq!(made.status, 0, "{}", made.stderr);
        source.write("tank/erp", "erp01/erp01-flat.vmdk", &[7; 1 << 20]).unwrap();
        let exports = SiteExports::new([]);
        exports.add(&source, [STORAGE]);
        exports.add(&dr, [DR_STORAGE]);
        let nfs = NfsDatastore { name: "nfs-erp".into(), server: STORAGE.into(), path: "/tank/erp".into() };
        let options =
            Options { vms: 12, nfs: Some(vec![nfs]), exports: Arc::new(exports), ..Options::default() };
        Self { vcenter: Vcenter::start(options).await.unwrap(), source, dr }
    }
}

/// Adds both appliances, the first as what the hosts mount.
pub async fn add_appliances(person: &mut Person, sites: &Sites, key: &str) {
    for (name, pool, nfs, appliance) in
        [("zfs-a", "tank", STORAGE, &sites.source), ("zfs-b", "vault", DR_STORAGE, &sites.dr)]
    {
        person.open("/appliances/new").await;
        person.fill("Name", name).await;
        person.fill("Address", "127.0.0.1").await;
        person.fill("Port", &appliance.address().port().to_string()).await;
        person.fill("User", "root").await;
        person.choose("SSH key", key).await;
        person.fill("NFS address", nfs).await;
        person.fill("Pool", pool).await;
        person.fill("May mount", "10.0.0.0/8").await;
        person.press("Look at its host key").await;
        person.sees(&appliance.host_key_fingerprint()).await;
        person.press("Accept and add").await;
        person.sees_when_loaded_again("ONLINE").await;
    }
}

/// From the navigation to the policy.
pub async fn begin(person: &mut Person) {
    person.go_to("Protection").await;
    person.sees("No protection group yet").await;
    person.looks("groups-empty").await;
    person.press("Make a group").await;
    person.sees("Which datastore are the virtual machines on?").await;
    person.sees("the dataset tank/erp on zfs-a").await;
    person.looks("group-source").await;
    person.press("Next: DR side").await;
    person.sees("What is replicated").await;
    person.looks("group-dr").await;
    person.fill("Replica below the dataset", "tank/elsewhere").await;
    person.press("Next: policy").await;
    person.sees("lies outside").await;
    person.looks("group-dr-wrong").await;
    person.fill("Replica below the dataset", "vault/replicas").await;
    person.press("Next: policy").await;
    person.sees("checkpoints, the oldest about").await;
    person.looks("group-policy").await;
}

/// Fills in the policy, wrong at first.
pub async fn fill_in(person: &mut Person) {
    person.fill("Name", GROUP).await;
    person.fill("RPO", "0").await;
    person.press("Next: review").await;
    person.sees("Write 1 to 1440 minutes").await;
    person.looks("group-policy-wrong").await;
    person.fill("RPO", "30").await;
    person.press("Work it out again").await;
    person.sees("the oldest about").await;
    person.press("Add a window").await;
    person.fill("From", "03:00").await;
    person.fill("To", "03:01").await;
    person.tick("Sun").await;
    person.looks("group-policy-window").await;
}

/// A reload and a second tab find what was filled in, and a session that ended in between loses nothing.
pub async fn interrupt(person: &mut Person) {
    person.press("Next: review").await;
    person.sees("What will not be touched").await;
    person.press("Back").await;
    let address = person.path().await;
    person.browser.client.refresh().await.unwrap();
    assert_eq!(person.value("RPO").await, "30", "after a reload");
    let first = person.browser.client.window().await.unwrap();
    let second = person.browser.client.new_window(true).await.unwrap().handle;
    person.browser.client.switch_to_window(second.clone()).await.unwrap();
    person.open(&address).await;
    assert_eq!(person.value("From").await, "03:00", "in a second tab");
    sign_out(person).await;
    person.browser.client.close_window().await.unwrap();
    person.browser.client.switch_to_window(first).await.unwrap();
    person.fill("Priority", "60").await;
    person.press("Next: review").await;
    person.sees("Your session has ended").await;
    // What was kept by script while it was typed was refused, which a browser notes.
    let _noted = person.browser.complaints().await;
    person.fill("Name", NAME).await;
    person.fill("Password", PASSWORD).await;
    person.press("Sign in").await;
    person.sees("You are signed in again").await;
    person.press("Send it now").await;
    person.sees("What will not be touched").await;
    person.press("Back").await;
    assert_eq!((person.path().await, person.value("Priority").await), (address, "60".to_owned()));
}

/// Creates it in this tab, and then in another one, and by going back: it is one group.
pub async fn create(person: &mut Person) -> String {
    person.press("Next: review").await;
    person.sees("What will not be touched").await;
    person.looks("group-review").await;
    let review = person.path().await;
    let first = person.browser.client.window().await.unwrap();
    let second = person.browser.client.new_window(true).await.unwrap().handle;
    person.browser.client.switch_to_window(second.clone()).await.unwrap();
    person.open(&review).await;
    person.browser.client.switch_to_window(first.clone()).await.unwrap();
    person.press("Create group ERP").await;
    person.sees("The group is created").await;
    let group = person.path().await;
    person.browser.client.switch_to_window(second).await.unwrap();
    person.press("Create group ERP").await;
    person.sees("created already").await;
    assert_eq!(person.path().await, group, "created in a second tab");
    person.browser.client.close_window().await.unwrap();
    person.browser.client.switch_to_window(first).await.unwrap();
    person.open(&review).await;
    assert_eq!(person.path().await, group, "by going back");
    group
}

/// It replicates by itself; then each of its pages, a change, and what deleting it would mean.
pub async fn follow(person: &mut Person, sites: &Sites, group: &str) {
    person.sees_when_loaded_again("met").await;
    person.looks("group").await;
    if person.is_offered("Look at the source appliance and the inventory").await {
        person.press("Look at the source appliance and the inventory").await;
        person.looks("group-obstacles").await;
        person.open(group).await;
    }
    for tab in ["Virtual machines", "Checkpoints", "Recovery plan", "Tests", "History"] {
        person.press(tab).await;
        person.looks(&format!("group-{}", tab.to_lowercase().replace(' ', "-"))).await;
    }
    // The navigation has a page of this name too.
    person.open(&format!("{group}/settings")).await;
    person.looks("group-settings").await;
    person.press("Recovery plan").await;
    person.press("Add a tier").await;
    person.sees("Tier 2").await;
    person.fill("Notes", "Call the bank first").await;
    person.press("Save the plan").await;
    person.sees("The recovery plan is saved").await;
    person.press("Map networks").await;
    person.looks("group-recovery-networks").await;
    person.press("Save the map").await;
    person.sees("The networks are mapped").await;
    person.press("Ask the DR site as well").await;
    person.looks("group-recovery-check").await;
    person.open(&format!("{group}/checkpoints?holds=1")).await;
    person.sees("The DR side has 1 snapshot of").await;
    person.looks("group-checkpoints-held").await;
    let replica = format!("vault/replicas/{}", group.rsplit('/').next().unwrap());
    let there = sites.dr.run(&format!("zfs list -H -o name -t snapshot -r {replica}"));
    assert_eq!(String::from_utf8(there.stdout).unwrap().lines().count(), 1, "what the page shows is there");
    person.press("Edit").await;
    person.looks("group-edit").await;
    person.fill("Description", "the company's books").await;
    person.press("Save the group").await;
    person.sees("The group is changed").await;
    person.sees("the company's books").await;
    person.press("Delete this group").await;
    person.sees("stays").await;
    person.looks("group-delete").await;
    person.press("Leave everything as it is").await;
    person.go_to("Replication").await;
    person.sees("ERP").await;
    person.looks("dashboard-group").await;
    person.go_to("Protection").await;
    person.looks("groups").await;
}
