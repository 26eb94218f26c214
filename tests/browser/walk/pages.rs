//! The pages as somebody uses them: one function for each thing that is done there. Later walks put these together anew.

use super::hands::Person;
use super::server::Server;

pub const NAME: &str = "anna";
pub const PASSWORD: &str = "a walk through the pages 4711";

/// From the printed link to the dashboard.
pub async fn set_up(person: &mut Person, server: &Server) {
    person.open(&server.setup).await;
    person.sees("This link works once").await;
    person.looks("setup").await;
    person.fill("Your name here", NAME).await;
    person.fill("Password", PASSWORD).await;
    person.fill("The same password again", "something else entirely").await;
    person.press("Create the administrator").await;
    person.sees("The two passwords differ").await;
    person.looks("setup-wrong").await;
    person.fill("Password", PASSWORD).await;
    person.fill("The same password again", PASSWORD).await;
    person.press("Create the administrator").await;
    person.sees("Your recovery key").await;
    person.looks("recovery-key").await;
    person.press("I have kept it, go on").await;
    person.sees("Replication").await;
}

pub async fn sign_out(person: &mut Person) {
    if !person.is_offered("Sign out").await {
        person.open_menu().await;
    }
    person.press("Sign out").await;
    assert_eq!(person.path().await, "/sign-in");
}

pub async fn sign_in(person: &mut Person) {
    person.open("/").await;
    person.sees("Sign in").await;
    person.looks("sign-in").await;
    person.fill("Name", NAME).await;
    person.fill("Password", "not this one").await;
    person.press("Sign in").await;
    person.sees("not right").await;
    person.looks("sign-in-wrong").await;
    person.fill("Password", PASSWORD).await;
    person.press("Sign in").await;
    assert_eq!(person.path().await, "/replication");
}

/// Makes a key and returns its public half.
pub async fn make_ssh_key(person: &mut Person, name: &str) -> String {
    person.go_to("SSH keys").await;
    person.sees("No keys yet").await;
    person.looks("ssh-keys-empty").await;
    person.press("Add a key").await;
    person.looks("ssh-key-new").await;
    person.fill("Name", name).await;
    person.press("Make an ed25519 key").await;
    person.sees("Public key").await;
    person.looks("ssh-key").await;
    let key =
        person.browser.run("return document.getElementById('public-key').textContent", Vec::new()).await;
    key.as_str().unwrap().to_owned()
}

/// Connects the vCenter at this address, having compared its certificate; then its page is open.
pub async fn connect_vcenter(person: &mut Person, port: u16, thumbprint: &str) {
    person.go_to("vCenters").await;
    person.sees("Connect your first vCenter").await;
    person.looks("vcenters-empty").await;
    person.press("Connect a vCenter").await;
    person.looks("vcenter-new").await;
    person.fill("Name", "site A").await;
    person.fill("Host", "127.0.0.1").await;
    person.fill("Port", &port.to_string()).await;
    person.fill("User", "administrator@vsphere.local").await;
    person.fill("Password", "wrong").await;
    person.press("Look at its certificate").await;
    person.sees("SHA-256 thumbprint").await;
    person.sees(thumbprint).await;
    person.looks("vcenter-certificate").await;
    person.press("Accept and connect").await;
    person.sees("password").await;
    person.looks("vcenter-refused").await;
    person.fill("Password", "zerfaux").await;
    person.press("Look at its certificate").await;
    person.sees(thumbprint).await;
    person.press("Accept and connect").await;
    person.sees("Sync now").await;
}

/// Adds the appliance at this port of this machine, having compared its host key; then its page is open.
pub async fn add_appliance(person: &mut Person, port: u16, fingerprint: &str, key: &str) {
    person.go_to("Appliances").await;
    person.sees("Add your first appliance").await;
    person.looks("appliances-empty").await;
    person.press("Add an appliance").await;
    person.looks("appliance-new").await;
    person.fill("Name", "zfs-a").await;
    person.fill("Address", "127.0.0.1").await;
    person.fill("Port", &port.to_string()).await;
    person.fill("User", "root").await;
    person.choose("SSH key", key).await;
    person.fill("Pool", "tank").await;
    person.fill("May mount", "10.0.0.0/8").await;
    person.press("Look at its host key").await;
    person.sees("Compare the host key").await;
    person.sees(fingerprint).await;
    person.looks("appliance-host-key").await;
    person.press("Accept and add").await;
    person.sees("Accepted host key").await;
    person.sees_when_loaded_again("ONLINE").await;
    person.looks("appliance").await;
    person.go_to("Appliances").await;
    person.sees("zfs-a").await;
    person.looks("appliances").await;
}

/// Finds a virtual machine of the simulated company, and looks at it.
pub async fn find_vm(person: &mut Person, part: &str) -> String {
    person.go_to("Inventory").await;
    person.sees(part).await;
    person.looks("inventory").await;
    person.fill("Search by name, guest name or address", part).await;
    person.press("Show").await;
    person.sees(part).await;
    let first = "return document.querySelector('table.list tbody td.key a').textContent";
    let name = person.browser.run(first, Vec::new()).await.as_str().unwrap().to_owned();
    assert!(name.contains(part), "{name} was searched by {part}");
    person.press(&name).await;
    person.sees("Network adapters").await;
    person.looks("vm").await;
    for list in ["hosts", "datastores", "networks"] {
        person.open(&format!("/inventory/{list}")).await;
        person.looks(&format!("inventory-{list}")).await;
    }
    person.open("/inventory?q=nothing+has+this").await;
    person.looks("inventory-nothing").await;
    name
}

/// Watches the job of this page until its console says `words`, which was not there when the page came.
pub async fn watch_console(person: &mut Person, words: &str) {
    person.sees(words).await;
    person.looks("job-running").await;
}

pub async fn cancel_job(person: &mut Person) {
    person.press("Cancel").await;
    person.offers("Retry").await;
    person.sees("cancelled").await;
    person.looks("job-cancelled").await;
}

pub async fn retry_job(person: &mut Person) {
    person.press("Retry").await;
    person.sees("succeeded").await;
    person.looks("job-done").await;
}

/// Every page of the navigation, and what lies behind its first buttons.
pub async fn look_around(person: &mut Person) {
    for (area, behind) in [
        ("Replication", &[][..]),
        ("Jobs", &[]),
        ("Users", &["Add a user", "Create a token"]),
        ("Templates", &[]),
        ("Settings", &[]),
        ("Audit", &[]),
        ("About", &[]),
    ] {
        person.go_to(area).await;
        person.looks(&area.to_lowercase()).await;
        for button in behind {
            person.press(button).await;
            person.looks(&button.to_lowercase().replace(' ', "-")).await;
            person.go_to(area).await;
        }
    }
    for (address, name) in [("/account", "account"), ("/api/docs", "api"), ("/nowhere", "not-found")] {
        person.open(address).await;
        person.looks(name).await;
    }
}
