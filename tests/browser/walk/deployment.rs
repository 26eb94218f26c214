//! From a template to an appliance that hosts mount: the wizard as somebody uses it, with all that comes in between.

use std::sync::Arc;

use zerfaux::sim::appliance::{ApplianceMachines, SiteExports};
use zerfaux::sim::vcenter::{Options, Rule, Vcenter};

use super::hands::Person;
use super::pages::{NAME, PASSWORD, sign_out};

/// A vCenter whose template becomes an appliance.
pub struct Site {
    pub vcenter: Vcenter,
    pub machines: Arc<ApplianceMachines>,
    /// The second part of its addresses: walks at the same time must not meet.
    octet: u8,
}

impl Site {
    /// One whose appliances let in whoever has a key; a machine needs `pace` of the time that it needs in life.
    pub async fn start(octet: u8, pace: f64) -> Self {
        let exports = Arc::new(SiteExports::new([]));
        let machines = Arc::new(ApplianceMachines::new(octet, None, Arc::clone(&exports)).unwrap());
        let options = Options {
            vms: 4,
            pace,
            nfs: Some(Vec::new()),
            exports,
            machines: Some(Arc::clone(&machines) as _),
            ..Options::default()
        };
        Self { vcenter: Vcenter::start(options).await.unwrap(), machines, octet }
    }
}

/// Registers the template of the simulated company.
pub async fn register_template(person: &mut Person, site: &Site, key: &str) {
    person.go_to("Templates").await;
    person.sees("No templates yet").await;
    person.looks("templates-empty").await;
    person.press("Register a template").await;
    person.sees("Not in the list?").await;
    person.fill("Name", "Debian 12").await;
    person.choose("Template", "debian-12-zfs").await;
    person.fill("Port", &site.machines.ssh_port().to_string()).await;
    person.choose("SSH key", key).await;
    person.looks("template-new").await;
    person.press("Register the template").await;
    person.sees("ready").await;
    person.looks("template").await;
}

/// The first step: from the dashboard to the template.
pub async fn begin(person: &mut Person) {
    person.open("/replication").await;
    person.press("Deploy ZFS target").await;
    person.sees("From which template?").await;
    person.looks("deploy-template").await;
    person.press("Next: configure").await;
    person.sees("What is made.").await;
}

/// Fills in everything that the template leaves open.
pub async fn configure(person: &mut Person, site: &Site, name: &str, dhcp: bool) {
    person.fill("Name", name).await;
    person.fill("Host name", name).await;
    person.fill("Name of the appliance", &format!("storage {name}")).await;
    person.choose_like("Datastore", "san-alpha-01").await;
    person.choose_like("Network", "Servers").await;
    person.fill("Disk for the pool", "40").await;
    if dhcp {
        person.tick("Ask for the address by DHCP").await;
        return;
    }
    let net = format!("127.{}.110", site.octet);
    person.fill("IP address", &format!("{net}.50")).await;
    person.fill("Subnet mask", "/24").await;
    person.fill("Gateway", &format!("127.{}.111.1", site.octet)).await;
    person.press("Next: review").await;
    person.sees("is not in the subnet").await;
    assert!(
        !person.is_offered(&format!("Deploy {name}")).await,
        "nothing to press while something stands in the way"
    );
    person.looks("deploy-obstacle").await;
    person.press("Change it").await;
    person.fill("Gateway", &format!("{net}.1")).await;
}

/// A reload and a second tab find what was filled in, and a session that ended in between loses nothing.
pub async fn interrupt(person: &mut Person) {
    person.sees("What you have filled in is kept.").await;
    let address = person.path().await;
    person.browser.client.refresh().await.unwrap();
    assert_eq!(person.value("Disk for the pool").await, "40", "after a reload");
    let first = person.browser.client.window().await.unwrap();
    let second = person.browser.client.new_window(true).await.unwrap().handle;
    person.browser.client.switch_to_window(second.clone()).await.unwrap();
    person.open(&address).await;
    assert_eq!(person.value("Disk for the pool").await, "40", "in a second tab");
    sign_out(person).await;
    person.browser.client.switch_to_window(first).await.unwrap();
    person.fill("Memory", "12").await;
    person.press("Next: review").await;
    person.sees("Your session has ended").await;
    // What was kept by script while it was typed was refused, which a browser notes.
    let _noted = person.browser.complaints().await;
    person.looks("sign-in-carried").await;
    person.fill("Name", NAME).await;
    person.fill("Password", "not this one").await;
    person.press("Sign in").await;
    person.sees("not right").await;
    person.fill("Password", PASSWORD).await;
    person.press("Sign in").await;
    person.sees("You are signed in again").await;
    person.looks("signed-in-again").await;
    person.press("Send it now").await;
    person.sees("12 GiB").await;
    // Back to the beginning and forward again: the same draft.
    person.press("Back").await;
    person.press("Back").await;
    person.sees("From which template?").await;
    person.press("Next: configure").await;
    assert_eq!((person.path().await, person.value("Memory").await), (address, "12".to_owned()));
    person.press("Next: review").await;
}

/// Starts it in this tab, and then in another one, and by going back: it is one job.
pub async fn start(person: &mut Person, name: &str) -> String {
    person.sees("What will not be touched").await;
    person.looks("deploy-review").await;
    let review = person.path().await;
    let first = person.browser.client.window().await.unwrap();
    let second = person.browser.client.new_window(true).await.unwrap().handle;
    person.browser.client.switch_to_window(second.clone()).await.unwrap();
    person.open(&review).await;
    person.browser.client.switch_to_window(first.clone()).await.unwrap();
    let button = format!("Deploy {name}");
    person.press(&button).await;
    let job = person.path().await;
    assert!(job.starts_with("/jobs/"), "{job}");
    person.browser.client.switch_to_window(second).await.unwrap();
    person.press(&button).await;
    assert_eq!(person.path().await, job, "started in a second tab");
    person.browser.client.close_window().await.unwrap();
    person.browser.client.switch_to_window(first).await.unwrap();
    person.browser.client.back().await.unwrap();
    if person.is_offered(&button).await {
        person.press(&button).await;
    } else {
        person.open(&review).await;
    }
    assert_eq!(person.path().await, job, "started by going back");
    job
}

/// Watches the job to its end, and does with its result what comes next.
pub async fn finish(person: &mut Person, site: &Site, name: &str, job: &str) {
    person.looks("deploy-running").await;
    person.sees("What it made").await;
    person.sees(&format!("nfs-{name}")).await;
    person.sees("published by the guest itself").await;
    person.looks("deploy-done").await;
    let appliance = site.machines.appliance(name).expect("it runs");
    let pools = String::from_utf8(appliance.run("zpool list -H -o name,health").stdout).unwrap();
    assert_eq!(pools, "tank\tONLINE\n");
    person.press("Test connection").await;
    person.sees("succeeded").await;
    person.open(job).await;
    person.press("Create a protection datastore").await;
    person.looks("datastore-new").await;
    let datastore = format!("protected-{name}");
    person.fill("Name", &format!("a/{datastore}")).await;
    person.press("Create the datastore").await;
    person.sees("without /").await;
    person.looks("datastore-wrong").await;
    person.fill("Name", &datastore).await;
    person.press("Create the datastore").await;
    person.sees("What it made").await;
    person.looks("datastore-done").await;
    person.press("all its datastores").await;
    person.sees_when_loaded_again(&datastore).await;
    person.sees_when_loaded_again("3 of 3").await;
    person.looks("appliance-datastores").await;
    let record = appliance.run(&format!("zfs get -Hp -o value recordsize tank/zerfaux/live/{datastore}"));
    assert_eq!(String::from_utf8(record.stdout).unwrap(), "32768\n");
}

/// One host refuses to mount anything, or does no longer.
pub fn refuse(site: &Site, refuses: bool) {
    site.vcenter.clear_rules();
    if refuses {
        let fault = Some("PlatformConfigFault".to_owned());
        let object = Some("esx03.alpha.example".to_owned());
        site.vcenter.add_rule(Rule { fault, object, ..Rule::on("CreateNasDatastore") }).unwrap();
    }
}

/// A host on which mounting failed is tried again by itself, once it can.
pub async fn mount_again(person: &mut Person, site: &Site, job: &str) {
    // Four attempts, ten seconds apart.
    person.sees("is mounted").await;
    tokio::time::sleep(std::time::Duration::from_secs(15)).await;
    person.sees("What it made").await;
    person.sees("not mounted").await;
    person.looks("deploy-partly").await;
    refuse(site, false);
    person.press("Try again on esx03.alpha.example").await;
    person.sees("succeeded").await;
    person.looks("mounted-again").await;
    person.open(job).await;
    person.sees_when_loaded_again("mounted since").await;
}
