//! A test failover on the real hosts: the test machine opens the very bytes of the checkpoint on a clone of the real replica,
//! replication goes on meanwhile, and after the cleanup nothing of it is left on the appliance or in the vCenter.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::protected::{Protected, VM};
use crate::deploying::PATIENCE;
use crate::lab::Side;

/// What a host's NFS client shows, VMware's simulator has in a directory of this machine: so the files are brought there.
pub(super) fn bring_disk(dr: &Side, appliance_path: &str, failure: &str) {
    let named = failure.split('"').find(|part| part.ends_with("-flat.vmdk"));
    let flat = Path::new(named.unwrap_or_else(|| panic!("no file is named: {failure}")));
    let size = dr.host.root(&format!("stat -c %s {appliance_path}/{VM}/{VM}-flat.vmdk"));
    std::fs::create_dir_all(flat.parent().unwrap()).unwrap();
    std::fs::write(flat.with_file_name(format!("{VM}.vmdk")), "").unwrap();
    std::fs::File::create(flat).unwrap().set_len(size.trim().parse().unwrap()).unwrap();
}

fn left(dr: &Side) -> String {
    dr.host.root("zfs list -H -o name -r -t filesystem lab; exportfs -s; findmnt -n -l -o TARGET -t zfs")
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_test_failover_opens_the_bytes_of_the_checkpoint_and_its_cleanup_leaves_nothing() {
    let protected = Protected::start("rehearse");
    let (served, source, dr) = (&protected.served, &protected.scene.source, &protected.scene.target);
    let until = Instant::now() + PATIENCE;
    while protected.checkpoints().is_empty() {
        assert!(Instant::now() < until, "no checkpoint");
        std::thread::sleep(Duration::from_secs(1));
    }
    protected.pauses();
    let group = format!("/protection-groups/{}", protected.group);
    // VMware's simulator has no guest in its machines that could prove to run.
    let plan = served.ask("GET", &format!("{group}/recovery-plan"), None);
    let mut changed = plan["plan"].clone();
    changed["defaults"] = json!({ "proof": { "kind": "none" }, "limit_seconds": 60 });
    let body = json!({ "version": plan["version"], "plan": changed });
    served.ask("PUT", &format!("{group}/recovery-plan"), Some(body));
    let replica = || {
        let columns = "name,guid,readonly,mounted,mountpoint,sharenfs";
        dr.host.root(&format!("zfs list -H -p -o {columns} -r -t all {}", protected.replica))
    };
    let before = replica();

    let job = served.ask("POST", &format!("{group}/test-failover"), Some(json!({ "reason": "a rehearsal" })));
    let job = served.job_until(job["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
    let run = format!("/recovery-runs/{}", job["result"]["run_id"].as_str().unwrap());
    let shown = served.ask("GET", &run, None);
    let vm = shown["vms"][0].clone();
    let why = vm["failure"].as_str().unwrap_or_else(|| panic!("{shown}"));
    let clone = dr.host.root(&format!(
        "zfs list -H -o name,mountpoint,origin -r -t filesystem lab/zerfaux/run | grep '{}@'",
        protected.replica
    ));
    let words: Vec<&str> = clone.trim().split('\t').collect();
    let [dataset, path, origin] = words[..] else { panic!("one clone of the replica: {clone}") };

    // The bytes on the clone are those of the checkpoint, at the source as well.
    let hash = |side: &Side, file: &str| side.host.root(&format!("sha256sum < {file}")).trim().to_owned();
    let on_clone = hash(dr, &format!("{path}/{VM}/{VM}-flat.vmdk"));
    let tag = origin.split_once('@').unwrap().1;
    let look = source.name("look");
    let at_source = source.host.root(&format!(
        "zfs clone -o mountpoint=/run/look-{tag} -o readonly=on {}@{tag} {look}
         sha256sum < /run/look-{tag}/{VM}/{VM}-flat.vmdk; zfs destroy {look}",
        protected.dataset
    ));
    assert_eq!(on_clone, at_source.trim(), "the disk of {tag}");
    assert!(dr.host.root("exportfs -s").contains(path), "it is exported");
    let hold = dr.host.root(&format!("zfs holds -H {origin}"));
    assert!(hold.contains("zerfaux-run:"), "the checkpoint is held for the run: {hold}");

    // With the file there, the machine that failed is tried again by itself.
    bring_disk(dr, path, why);
    let uuid = vm["source_instance_uuid"].as_str().unwrap();
    let retry = served.ask("POST", &format!("{run}/vms/{uuid}/retry"), None);
    served.job_until(retry["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
    let shown = served.ask("GET", &run, None);
    assert_eq!(
        (&shown["vms"][0]["state"], &shown["phase"]),
        (&json!("up"), &json!("awaiting_verdict")),
        "{shown}"
    );

    // Replication goes on meanwhile.
    let have = protected.checkpoints().len();
    protected.write(7);
    let next = served.ask("POST", &format!("{group}/run-now"), None);
    served.job_until(next["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
    let until = Instant::now() + PATIENCE;
    while protected.checkpoints().len() <= have {
        assert!(Instant::now() < until, "no checkpoint came during the test");
        std::thread::sleep(Duration::from_secs(1));
    }

    let body = json!({ "verdict": "passed", "remarks": "It booted." });
    served.ask("POST", &format!("{run}/verdict"), Some(body));
    // Somebody has a file of the clone open: the cleanup says so, and is pending.
    let pid = dr.host.root(&format!(
        "setsid sh -c 'exec sleep 900 <{path}/{VM}/{VM}-flat.vmdk' >/dev/null 2>&1 & echo $!"
    ));
    let cleanup = served.ask("POST", &format!("{run}/cleanup"), None);
    let cleanup = served.job_until(cleanup["job_id"].as_str().unwrap(), &["succeeded", "failed"], PATIENCE);
    let why = cleanup["error"].as_str().unwrap_or_default();
    assert!(cleanup["state"] == "failed" && why.contains("busy"), "{cleanup}");
    assert_eq!(served.ask("GET", &run, None)["phase"], "cleanup_pending");
    // Replication goes on all the same, and when the file is closed the rest follows by itself.
    let have = protected.checkpoints().len();
    protected.write(8);
    let next = served.ask("POST", &format!("{group}/run-now"), None);
    served.job_until(next["job_id"].as_str().unwrap(), &["succeeded"], PATIENCE);
    let until = Instant::now() + PATIENCE;
    while protected.checkpoints().len() <= have {
        assert!(Instant::now() < until, "no checkpoint came while the cleanup was pending");
        std::thread::sleep(Duration::from_secs(1));
    }
    dr.host.root(&format!("kill {} || pkill -f 'sleep 900'", pid.trim()));
    let until = Instant::now() + PATIENCE;
    while served.ask("GET", &run, None)["phase"] != "cleaned_up" {
        assert!(Instant::now() < until, "it does not end by itself: {}", served.ask("GET", &run, None));
        std::thread::sleep(Duration::from_secs(2));
    }

    // Nothing of it is left, and the replica has nothing but its newer checkpoint.
    let now = left(dr);
    assert!(!now.contains(dataset) && !now.contains(path), "{now}");
    let after = replica();
    let lost: Vec<&str> = before.lines().filter(|line| !after.lines().any(|now| now == *line)).collect();
    assert_eq!(lost, Vec::<&str>::new(), "the replica and what it had is as it was: {after}");
    let hold = dr.host.root(&format!("zfs holds -H {origin}"));
    assert!(!hold.contains("zerfaux-run:"), "{hold}");
    protected.recovery.sync(served);
    let vms = served.ask("GET", &format!("/vcenters/{}/vms?q={VM}-test", protected.recovery.id), None);
    assert_eq!(vms["total"], 0, "{vms}");
    let datastores = served.ask("GET", &format!("/vcenters/{}/datastores", protected.recovery.id), None);
    let named = |one: &Value| one["name"].as_str().is_some_and(|name| name.starts_with("zx-"));
    let ours =
        datastores["items"].as_array().unwrap().iter().filter(|one| named(one) && one["gone_at"].is_null());
    assert_eq!(ours.count(), 0, "{datastores}");
}
