//! The whole way of a new operator in a real browser, before the real binary: by mouse and by keyboard alone, with and
//! without scripts, narrow and wide, light and dark.
//!
//! `tests/run` runs these, having fetched what they need: Chromium and its driver, and axe-core, which ZERFAUX_AXE names.
//! Pictures of every page are kept in the target directory under `tmp/browser`, to be looked at.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "browser/walk/chromium.rs"]
mod chromium;
#[path = "browser/walk/deployment.rs"]
mod deployment;
#[path = "browser/walk/failing_over.rs"]
mod failing_over;
#[path = "browser/walk/group.rs"]
mod group;
#[path = "browser/walk/hands.rs"]
#[allow(dead_code)] // What later walks use as well.
mod hands;
#[path = "browser/walk/pages.rs"]
mod pages;
#[path = "browser/walk/rehearsal.rs"]
mod rehearsal;
#[path = "browser/walk/server.rs"]
mod server;
#[path = "browser/walk/vms.rs"]
mod vms;

use chromium::Shown;
use hands::{Hands, Person};
use server::Server;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions};
use zerfaux::sim::vcenter::{Options, Rule, Vcenter};

/// The inventory is read slowly, so that there is something to watch and to cancel.
fn slowly() -> Rule {
    Rule { delay_ms: 5_000, ..Rule::on("RetrievePropertiesEx") }
}

/// The way of somebody who has just started Zerfaux for the first time.
async fn first_day(walk: &str, shown: Shown, hands: Hands, examines: bool) {
    let vcenter = Vcenter::start(Options::default()).await.unwrap();
    let server = Server::over(tempfile::tempdir().unwrap());
    let mut person = Person::at(&server.address, walk, shown, hands, examines).await;

    pages::set_up(&mut person, &server).await;
    let public = pages::make_ssh_key(&mut person, "site").await;
    pages::connect_vcenter(&mut person, vcenter.address().port(), vcenter.thumbprint()).await;
    vcenter.add_rule(slowly()).unwrap();
    person.press("Sync now").await;
    pages::watch_console(&mut person, "Connected to").await;
    pages::cancel_job(&mut person).await;
    vcenter.clear_rules();
    pages::retry_job(&mut person).await;
    person.go_to("vCenters").await;
    person.looks("vcenters").await;
    person.press("site A").await;
    person.looks("vcenter").await;
    pages::find_vm(&mut person, "web").await;
    let options = ApplianceOptions { authorized_keys: Some(public), ..ApplianceOptions::default() };
    let appliance = Appliance::start(options).unwrap();
    let (port, host_key) = (appliance.address().port(), appliance.host_key_fingerprint());
    pages::add_appliance(&mut person, port, &host_key, "site (ssh-ed25519)").await;
    pages::look_around(&mut person).await;
    person.open("/replication").await;
    pages::sign_out(&mut person).await;
    pages::sign_in(&mut person).await;
    pages::sign_out(&mut person).await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_wide_light_by_mouse_with_scripts() {
    let shown = Shown { width: 1440, dark: false, javascript: true };
    first_day("wide-light", shown, Hands::Mouse, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_narrow_dark_by_mouse_without_scripts() {
    let shown = Shown { width: 360, dark: true, javascript: false };
    first_day("narrow-dark", shown, Hands::Mouse, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_wide_dark_by_keyboard_with_scripts() {
    let shown = Shown { width: 1440, dark: true, javascript: true };
    first_day("keyboard-wide", shown, Hands::Keyboard, false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_narrow_light_by_keyboard_without_scripts() {
    let shown = Shown { width: 360, dark: false, javascript: false };
    first_day("keyboard-narrow", shown, Hands::Keyboard, false).await;
}

/// From a template to an appliance, to a protection datastore on it; once, whatever comes in between.
async fn an_appliance(walk: &str, shown: Shown, hands: Hands, octet: u8, dhcp: bool) {
    let site = deployment::Site::start(octet, 0.02).await;
    let server = Server::over(tempfile::tempdir().unwrap());
    let mut person = Person::at(&server.address, walk, shown, hands, true).await;
    pages::set_up(&mut person, &server).await;
    pages::make_ssh_key(&mut person, "site").await;
    pages::connect_vcenter(&mut person, site.vcenter.address().port(), site.vcenter.thumbprint()).await;
    pages::find_vm(&mut person, "erp").await;
    deployment::register_template(&mut person, &site, "site").await;
    let machines = site.vcenter.count("VirtualMachine");
    deployment::begin(&mut person).await;
    deployment::configure(&mut person, &site, "zfs-dr-1", dhcp).await;
    if shown.javascript {
        person.looks("deploy-configure").await;
        deployment::interrupt(&mut person).await;
    } else {
        person.looks("deploy-configure").await;
        person.press("Next: review").await;
    }
    if !dhcp {
        deployment::refuse(&site, true);
    }
    let job = deployment::start(&mut person, "zfs-dr-1").await;
    if !dhcp {
        deployment::mount_again(&mut person, &site, &job).await;
    }
    deployment::finish(&mut person, &site, "zfs-dr-1", &job).await;
    assert_eq!(
        site.vcenter.count("VirtualMachine"),
        machines + 1,
        "one machine, however often it was asked for"
    );
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn an_appliance_by_dhcp_wide_light_by_mouse_with_scripts() {
    let shown = Shown { width: 1440, dark: false, javascript: true };
    an_appliance("appliance-dhcp", shown, Hands::Mouse, 71, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn an_appliance_with_a_static_address_narrow_dark_by_mouse_without_scripts() {
    let shown = Shown { width: 360, dark: true, javascript: false };
    an_appliance("appliance-static", shown, Hands::Mouse, 72, false).await;
}

/// From a datastore to a group that replicates by itself; once, whatever comes in between.
async fn a_group(walk: &str, shown: Shown, hands: Hands) {
    let server = Server::over(tempfile::tempdir().unwrap());
    let mut person = Person::at(&server.address, walk, shown, hands, true).await;
    pages::set_up(&mut person, &server).await;
    let public = pages::make_ssh_key(&mut person, "site").await;
    let sites = group::Sites::start(&public).await;
    pages::connect_vcenter(&mut person, sites.vcenter.address().port(), sites.vcenter.thumbprint()).await;
    group::add_appliances(&mut person, &sites, "site (ssh-ed25519)").await;
    group::begin(&mut person).await;
    group::fill_in(&mut person).await;
    if shown.javascript {
        group::interrupt(&mut person).await;
    }
    let group = group::create(&mut person).await;
    group::follow(&mut person, &sites, &group).await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn a_group_wide_light_by_mouse_with_scripts() {
    let shown = Shown { width: 1440, dark: false, javascript: true };
    a_group("group-wide", shown, Hands::Mouse).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn a_group_narrow_dark_by_mouse_without_scripts() {
    let shown = Shown { width: 360, dark: true, javascript: false };
    a_group("group-narrow", shown, Hands::Mouse).await;
}

/// From a virtual machine anywhere to one that is protected and has a DR shell, which is then removed; and a test of its group.
async fn a_shell(walk: &str, shown: Shown, hands: Hands) {
    let server = Server::over(tempfile::tempdir().unwrap());
    let mut person = Person::at(&server.address, walk, shown, hands, true).await;
    pages::set_up(&mut person, &server).await;
    let public = pages::make_ssh_key(&mut person, "site").await;
    let sites = group::Sites::start(&public).await;
    pages::connect_vcenter(&mut person, sites.vcenter.address().port(), sites.vcenter.thumbprint()).await;
    group::add_appliances(&mut person, &sites, "site (ssh-ed25519)").await;
    group::begin(&mut person).await;
    group::fill_in(&mut person).await;
    let group = group::create(&mut person).await;
    let name = vms::assign(&mut person, &group).await;
    vms::move_it(&mut person, &name).await;
    vms::make_shell(&mut person, &name, &group, &sites).await;
    rehearsal::rehearse(&mut person, &group, &sites).await;
    failing_over::planned(&mut person, &group, &sites).await;
    failing_over::disaster(&mut person, &group, &sites).await;
    vms::remove_shell(&mut person, &name, &group, &sites).await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn a_shell_wide_light_by_mouse_with_scripts() {
    let shown = Shown { width: 1440, dark: false, javascript: true };
    a_shell("shell-wide", shown, Hands::Mouse).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn a_shell_narrow_dark_by_mouse_without_scripts() {
    let shown = Shown { width: 360, dark: true, javascript: false };
    a_shell("shell-narrow", shown, Hands::Mouse).await;
}
