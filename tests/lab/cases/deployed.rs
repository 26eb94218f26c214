//! An appliance deployed for real, through the API: VMware's simulator as the vCenter, a prepared lab host as the machine,
//! a disk that is plugged in, a pool, an export, and a file that another host writes there.

use serde_json::json;

use super::prepared::prepared;
use crate::deploying::{Site, write_by_nfs};

const VM: &str = "zfs-dr-lab";

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_deployment_through_the_api_ends_with_a_datastore_that_another_host_writes_to() {
    let site = Site::start(prepared().0);
    let host = site.spare.host;
    // Another blank disk of the same size, plugged in before: it stays as it is.
    let other = site.spare.plug(crate::deploying::DISK, Some("6000c29000000000000000000000other"));
    let untouched = other.sha256(&site.spare);
    let deploying = site.deploy(VM, &json!({ "target_name": "DR storage" }));
    site.plug_in(&deploying);
    let told = site.comes_up(&deploying);
    let job = site.ends(&deploying, "succeeded");

    let result = &job["result"];
    assert_eq!(result["detected_ip"], site.reached_at(), "{job}");
    assert_eq!((&result["host_key"], &result["host_key_published"]), (&json!(told), &json!(true)), "{job}");
    assert_eq!(result["datastore_name"], format!("nfs-{VM}"), "{job}");
    assert_eq!(job["warnings"], json!([]), "{job}");
    let hosts: Vec<_> = result["hosts"].as_array().unwrap().iter().map(|one| &one["result"]).collect();
    assert_eq!(hosts, ["done"], "{job}");

    let status = host.root("zpool status -P tank");
    assert!(
        status.contains(&format!("/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_{}", deploying.serial)),
        "{status}"
    );
    assert!(status.contains("state: ONLINE"), "{status}");
    let set =
        host.root("zpool get -H -o value ashift tank; zfs get -H -o value compression,atime,xattr tank");
    let set: Vec<&str> = set.lines().collect();
    assert_eq!(set, ["12", "lz4", "off", if set[3] == "on" { "on" } else { "sa" }], "{set:?}");
    let share = host.root("zfs get -H -o value sharenfs tank/nfs; exportfs -v");
    assert!(share.contains("rw=@10.77.0.0/24") && !share.contains(",async"), "{share}");
    assert_eq!(other.sha256(&site.spare), untouched);

    // What the vCenter's host mounts, the lab's other host mounts, in the same words.
    let (server, directory) = site.mounted(&format!("nfs-{VM}"));
    assert_eq!(server, site.reached_at());
    write_by_nfs(&server, &directory, "hello", "from another host");
    let seen = host.root(
        "cat \"$(zfs get -H -o value mountpoint tank/nfs)/hello\"; zfs get -H -o value mounted tank/nfs",
    );
    assert_eq!(seen, "from another hostyes\n");

    let target = result["replication_target_id"].as_str().unwrap();
    let tested = site.served.ask("POST", &format!("/targets/{target}/test"), None);
    assert_eq!(tested["success"], true, "{tested}");
    let again = site.served.ask("GET", "/zfs-templates", None);
    assert_eq!(again["items"][0]["deployment_count"], 1, "{again}");
}
