//! Failovers on the real hosts, with VMware's simulator as both vCenters: after a planned one nothing of what the guest had
//! written is missing, and after a rollback both sides are as they were. What VMware's simulator cannot do: it shows no files
//! of an NFS export (they are brought to its directory, and the machine is tried again), and it has no guests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::protected::{Protected, VM};
use super::rehearsed::bring_disk;
use crate::deploying::PATIENCE;
use crate::lab::Side;

/// Everything that a rollback brings back: what both vCenters and both appliances say.
#[derive(Debug, PartialEq)]
struct Both {
    inventories: Vec<Value>,
    source: String,
    dr: String,
    exports: String,
    mounts: String,
    held: String,
}

impl Protected {
    /// The group, without anything that runs by itself, and with a plan that waits for no guest.
    fn at_rest(case: &str) -> Self {
        let protected = Self::start(case);
        let until = Instant::now() + PATIENCE;
        while protected.checkpoints().is_empty() {
            assert!(Instant::now() < until, "no checkpoint");
            std::thread::sleep(Duration::from_secs(1));
        }
        protected.pauses();
        let plan = format!("/protection-groups/{}/recovery-plan", protected.group);
        let kept = protected.served.ask("GET", &plan, None);
        let mut changed = kept["plan"].clone();
        changed["defaults"] = json!({ "proof": { "kind": "none" }, "limit_seconds": 60 });
        let body = json!({ "version": kept["version"], "plan": changed });
        protected.served.ask("PUT", &plan, Some(body));
        protected
    }

    fn job(&self, answer: &Value) -> Value {
        let id = answer["job_id"].as_str().unwrap();
        let job = self.served.job_until(id, &["succeeded", "failed"], PATIENCE);
        assert_eq!(job["state"], "succeeded", "{job}\n{}", self.served.console(id).join("\n"));
        job
    }

    fn post(&self, verb: &str, body: Value) -> Value {
        self.served.ask("POST", &format!("/protection-groups/{}/{verb}", self.group), Some(body))
    }

    fn shown(&self, run: &str) -> Value {
        self.served.ask("GET", &format!("/recovery-runs/{run}"), None)
    }

    /// Waits for a failover, brings the disk to where VMware's simulator looks for it, and tries the machine again. The run,
    /// the clone and the path of it.
    fn fails_over(&self, body: Value) -> (String, String, String) {
        let job = self.job(&self.post("failover", body));
        let run = job["result"]["run_id"].as_str().unwrap().to_owned();
        let vm = self.shown(&run)["vms"][0].clone();
        let why = vm["failure"].as_str().unwrap_or_else(|| panic!("{}", self.shown(&run)));
        let dr = &self.scene.target;
        let clones = dr.host.root(&format!(
            "zfs list -H -o name,mountpoint,zerfaux:run -r -t filesystem lab/zerfaux/run | grep {run}"
        ));
        let words: Vec<&str> = clones.trim().split('\t').collect();
        let [clone, path, _] = words[..] else { panic!("one clone of the run: {clones}") };
        bring_disk(dr, path, why);
        let uuid = vm["source_instance_uuid"].as_str().unwrap();
        self.job(&self.served.ask("POST", &format!("/recovery-runs/{run}/vms/{uuid}/retry"), None));
        assert_eq!(self.shown(&run)["vms"][0]["state"], "up", "{}", self.shown(&run));
        (run, clone.to_owned(), path.to_owned())
    }

    fn state(&self) -> Value {
        self.served.ask("GET", &format!("/protection-groups/{}/recovery-state", self.group), None)
    }

    fn power(&self, vcenter: &str, name: &str) -> String {
        let vms = self.served.ask("GET", &format!("/vcenters/{vcenter}/vms?q={name}"), None);
        let found = vms["items"].as_array().unwrap().iter().find(|vm| vm["name"] == name);
        found.unwrap_or_else(|| panic!("{vms}"))["power_state"].as_str().unwrap().to_owned()
    }

    fn sync(&self) {
        self.primary.sync(&self.served);
        self.recovery.sync(&self.served);
    }

    fn both(&self) -> Both {
        self.sync();
        let (source, dr) = (&self.scene.source, &self.scene.target);
        let mut inventories = Vec::new();
        for site in [&self.primary, &self.recovery] {
            for noun in ["vms", "datastores"] {
                let mut all =
                    self.served.ask("GET", &format!("/vcenters/{}/{noun}?limit=100", site.id), None);
                for one in all["items"].as_array_mut().unwrap() {
                    // What a datastore has free changes by itself.
                    one.as_object_mut().unwrap().remove("free_bytes");
                }
                let mut items = all["items"].as_array().unwrap().clone();
                items.retain(|one| one["gone_at"].is_null());
                inventories.push(Value::from(items));
            }
        }
        let columns = "name,guid,readonly,mounted,mountpoint,canmount,sharenfs,origin,zerfaux:role";
        let listed = |side: &Side, dataset: &str| {
            side.host.root(&format!("zfs list -H -p -o {columns} -r -t filesystem {dataset}"))
        };
        let group = &self.group;
        Both {
            inventories,
            source: listed(source, &self.dataset),
            dr: format!(
                "{}{}",
                listed(dr, &self.replica),
                dr.host.root(&format!(
                    "zfs list -H -o name,zerfaux:group -r -t filesystem lab/zerfaux/run lab/zerfaux/live 2>/dev/null |
                     grep {group} || true"
                ))
            ),
            exports: format!(
                "{}{}",
                source.host.root(&format!("exportfs -s | grep {} || true", self.path)),
                dr.host.root(&format!("exportfs -s | grep {group} || true"))
            ),
            mounts: dr.host.root(&format!("findmnt -n -l -o TARGET -t zfs | grep {group} || true")),
            held: dr.host.root(&format!(
                "zfs list -H -o name -d 1 -t snapshot {} | xargs zfs holds -H | grep zerfaux-run || true",
                self.replica
            )),
        }
    }

    /// Another run, which has to be an incremental one.
    fn goes_on(&self) {
        let have = self.checkpoints().len();
        let guid =
            |side: &Side, dataset: &str| side.host.root(&format!("zfs get -H -o value guid {dataset}"));
        let before = guid(&self.scene.target, &self.replica);
        self.write(11);
        self.job(&self.served.ask("POST", &format!("/protection-groups/{}/run-now", self.group), None));
        let until = Instant::now() + PATIENCE;
        while self.checkpoints().len() <= have {
            assert!(Instant::now() < until, "no checkpoint came");
            std::thread::sleep(Duration::from_secs(1));
        }
        assert_eq!(guid(&self.scene.target, &self.replica), before, "it is the same replica");
    }

    fn disk(&self, side: &Side, path: &str) -> String {
        side.host.root(&format!("sha256sum < {path}/{VM}/{VM}-flat.vmdk")).trim().to_owned()
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn after_a_planned_failover_nothing_is_missing_and_a_rollback_brings_both_sides_back() {
    let protected = Protected::at_rest("planned");
    protected.power_on_source();
    protected.goes_on();
    let before = protected.both();
    assert_eq!(protected.power(&protected.primary.id, VM), "on");

    // Written after the last checkpoint: only the failover's own run brings it over.
    protected.write(9);
    let (run, _, path) = protected.fails_over(json!({ "mode": "planned", "confirm": "erp" }));
    let (source, dr) = (&protected.scene.source, &protected.scene.target);
    assert_eq!(protected.disk(dr, &path), protected.disk(source, &protected.path), "nothing is missing");
    protected.sync();
    assert_eq!(protected.power(&protected.primary.id, VM), "off", "the source is off");
    assert_eq!(protected.power(&protected.recovery.id, VM), "on", "and runs at the other site");
    assert_eq!(protected.state()["phase"], "failed_over_uncommitted", "{}", protected.state());
    let shown = protected.shown(&run);
    assert_eq!(
        (&shown["kind"], &shown["phase"]),
        (&json!("planned_failover"), &json!("awaiting_verdict")),
        "{shown}"
    );

    let report = protected.served.ask("GET", &format!("/recovery-runs/{run}"), None);
    let steps = report["steps"].to_string();
    assert!(steps.contains("shut_down_source") && steps.contains("last_run"), "{report}");

    // What the recovered machine wrote since goes with the clone.
    dr.host.root(&format!("head -c 65536 /dev/urandom > {path}/{VM}/since.log"));
    protected.job(&protected.post("rollback", json!({ "confirm": "erp" })));
    assert_eq!(protected.both(), before, "both sides are as before");
    assert_eq!(protected.state()["phase"], "protected", "{}", protected.state());
    assert_eq!(protected.shown(&run)["outcome"], "rolled_back");
    protected.goes_on();
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_disaster_failover_takes_the_chosen_checkpoint_beside_a_test_and_leaves_the_source_alone() {
    let protected = Protected::at_rest("disaster");
    protected.power_on_source();
    let at_source = |tag: &str| {
        let (source, look) = (&protected.scene.source, protected.scene.source.name("look"));
        let said = source.host.root(&format!(
            "zfs clone -o mountpoint=/run/look-{tag} -o readonly=on {}@{tag} {look}
             sha256sum < /run/look-{tag}/{VM}/{VM}-flat.vmdk; zfs destroy {look}",
            protected.dataset
        ));
        said.trim().to_owned()
    };
    let chosen = protected.checkpoints()[0]["snapshot"].as_str().unwrap().to_owned();
    let bytes = at_source(&chosen);
    protected.write(9);
    protected.goes_on();
    let before = protected.both();
    let test = protected.job(&protected.post("test-failover", json!({ "reason": "a rehearsal" })));
    let test = test["result"]["run_id"].as_str().unwrap();

    let (status, refused) = protected.served.try_ask(
        "POST",
        &format!("/protection-groups/{}/failover", protected.group),
        Some(&json!({ "mode": "disaster", "confirm": "erb", "checkpoint": chosen, "reason": "fire" })),
    );
    assert_eq!(status, 422, "the name has to be the group's: {refused}");
    let (run, _, path) = protected
        .fails_over(json!({ "mode": "disaster", "confirm": "erp", "checkpoint": chosen, "reason": "fire" }));
    assert_eq!(protected.disk(&protected.scene.target, &path), bytes, "the disk of {chosen}");
    protected.sync();
    assert_eq!(protected.power(&protected.primary.id, VM), "on", "nobody touched the source");
    protected.job(&protected.post("rollback", json!({ "confirm": "erp" })));
    assert_eq!(protected.shown(&run)["outcome"], "rolled_back");
    protected.job(&protected.served.ask("POST", &format!("/recovery-runs/{test}/cleanup"), None));
    assert_eq!(protected.both(), before, "both sides are as before");
    protected.goes_on();
}
