//! Everything of both sides that a rollback has to bring back, as the simulators themselves have it: within one life of a site,
//! so that references, GUIDs and file names count.

use zerfaux::domain::moref::VmRef;
use zerfaux::sim::appliance::Appliance;
use zerfaux::vsphere::Client;

use crate::deployed::{by_name, of_vcenter};
use crate::laws::Facts;

/// Of a vCenter: every virtual machine with its identity, home, options, devices and power; datastores and mounts.
pub async fn vcenter(client: &Client) -> Facts {
    let mut facts = Facts::new();
    of_vcenter(client, &mut facts).await;
    for (name, id) in by_name(client, "VirtualMachine").await {
        let vm = VmRef::new(id);
        let paths =
            ["parent", "resourcePool", "runtime.powerState", "config.annotation", "config.extraConfig"];
        let found = client.properties(&vm, VmRef::KIND, &paths).await.unwrap();
        let word = |path: &str| found.text(path).unwrap_or_default().to_owned();
        let options =
            found.get("config.extraConfig").map(|list| list.children().to_vec()).unwrap_or_default();
        let mut options: Vec<String> = options
            .iter()
            .map(|one| format!("{}={}", one.text_at("key").unwrap_or(""), one.text_at("value").unwrap_or("")))
            .collect();
        options.sort();
        let place =
            (word("parent"), word("resourcePool"), word("runtime.powerState"), word("config.annotation"));
        let mut machine = client.machine(&vm).await.unwrap();
        // A server lists devices in the order in which they came.
        machine.hardware.disks.sort_by_key(|disk| (disk.controller, disk.unit));
        machine.hardware.controllers.sort_by_key(|one| one.key);
        facts.insert(format!("machine {vm} {name}"), format!("{place:?} {options:?} {machine:#?}"));
    }
    facts
}

/// Of an appliance: datasets, snapshots, what is held, mounted and exported.
pub fn appliance(appliance: &Appliance) -> Facts {
    let run = |command: &str| {
        let done = appliance.run(command);
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
        String::from_utf8(done.stdout).unwrap()
    };
    let columns = "name,guid,origin,mountpoint,mounted,canmount,sharenfs,readonly,keystatus";
    let mut facts = Facts::new();
    facts.insert("datasets".to_owned(), run(&format!("zfs list -H -r -t filesystem -o {columns}")));
    let snapshots = run("zfs list -H -r -t snapshot -o name");
    for snapshot in snapshots.lines() {
        let guid = run(&format!("zfs get -H -o value guid,zerfaux:group {snapshot}"));
        facts.insert(format!("snapshot {snapshot}"), guid);
        let held = run(&format!("zfs holds -H {snapshot}"));
        let tags: Vec<&str> = held.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        facts.insert(format!("holds of {snapshot}"), tags.join(" "));
    }
    facts.insert("exports".to_owned(), run("exportfs -v"));
    facts
}

/// How two of them differ, for people; empty: they do not.
pub fn differences(before: &Facts, now: &Facts) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differ = |name: &&String| before.get(*name) != now.get(*name);
    let told = |name: &String| {
        let none = String::from("nothing");
        let (was, is) = (before.get(name).unwrap_or(&none), now.get(name).unwrap_or(&none));
        let lines = |a: &str, b: &str| -> Vec<String> {
            let other: Vec<&str> = b.lines().collect();
            a.lines().filter(|line| !other.contains(line)).map(str::to_owned).collect()
        };
        format!("{name}: was {:?}, is {:?}", lines(was, is), lines(is, was))
    };
    names.into_iter().filter(differ).map(told).collect()
}
