//! A case's own place on both hosts: made when the scene is set, taken away when it ends.
//!
//! All cases share one pool per host (creating a pool takes 2 s, a dataset 0.3 s) and get a dataset of their own in
//! it; a case that needs a pool of its own (to fill it, to break it) asks for one.

use super::host::{LabHost, hosts};
use super::script;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// When set, a failed case leaves its datasets where they are and says where.
const KEEP_VARIABLE: &str = "ZERFAUX_LAB_KEEP";

/// Two sides that one case has to itself.
#[derive(Debug)]
pub struct Scene {
    pub source: Side,
    pub target: Side,
}

/// A dataset on a host under which a case may do as it likes.
#[derive(Debug)]
pub struct Side {
    pub host: &'static LabHost,
    root: String,
    /// A pool of its own, in a file, goes away as a whole.
    own_pool: bool,
    plays: AtomicU64,
}

impl Scene {
    /// Source on host a, target on host b. `case` becomes part of the datasets' names.
    pub fn new(case: &str) -> Scene {
        let (a, b) = hosts();
        Scene { source: Side::new(a, &format!("{case}-src")), target: Side::new(b, &format!("{case}-dst")) }
    }

    /// As [`Scene::new`], but the target is a pool of its own of this size (at least `64M`), in a file.
    pub fn with_target_pool(case: &str, size: &str) -> Scene {
        let (a, b) = hosts();
        Scene { source: Side::new(a, &format!("{case}-src")), target: Side::with_pool(b, case, size) }
    }
}

impl Side {
    /// A dataset of its own in the host's shared pool.
    pub fn new(host: &'static LabHost, case: &str) -> Side {
        let root = format!("lab/{}", unique(case));
        // The lock keeps two cases from creating the pool at the same time.
        host.root(&format!(
            "exec 9>/run/lab-pool.lock; flock 9
             zpool list lab >/dev/null 2>&1 || zpool import -f lab 2>/dev/null || zpool create -f lab /dev/sda
             flock -u 9
             zfs create {}",
            script::quoted(&root)
        ));
        Side { host, root, own_pool: false, plays: AtomicU64::new(0) }
    }

    /// A pool of its own, in a file of this size.
    pub fn with_pool(host: &'static LabHost, case: &str, size: &str) -> Side {
        let root = unique(case);
        host.root(&format!(
            "truncate -s {size} /var/tmp/{root}.img; zpool create -o cachefile=none {root} /var/tmp/{root}.img"
        ));
        Side { host, root, own_pool: true, plays: AtomicU64::new(0) }
    }

    /// The full name of a dataset (or snapshot, or bookmark) of this side; `.` is the root.
    pub fn name(&self, relative: &str) -> String {
        script::below(&self.root, relative)
    }

    /// The same as one word for a shell.
    pub(super) fn word(&self, relative: &str) -> String {
        script::quoted(&self.name(relative))
    }

    /// Does what the lines say (the language: `script.rs`), in one remote command.
    pub fn play(&self, lines: &str) {
        // Whatever a later call writes differs from what an earlier one wrote, and is the same in every run.
        let seed = 1 + self.plays.fetch_add(1, Ordering::Relaxed) * 1000;
        self.host.root(&script::compose(&self.root, lines, seed));
    }

    /// Takes all space but `leaving` (such as `8M`) from whatever else is in the pool. Only for a pool of its own.
    pub fn fill(&self, leaving: &str) {
        assert!(self.own_pool, "filling the shared pool would fail other cases");
        let leaving = script::size(leaving).expect("a size such as 8M");
        self.host.root(&format!(
            "free=$(zfs get -Hp -o value available {root})
             zfs create -p -o canmount=off {root}/ballast
             zfs set reservation=$((free - {leaving})) {root}/ballast",
            root = self.root
        ));
    }

    /// Gives back what [`Side::fill`] took.
    pub fn unfill(&self) {
        self.host.root(&format!("zfs destroy {}/ballast", self.root));
    }
}

/// Different in every run, so that what a killed run left behind is in nobody's way.
fn unique(case: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    assert!(
        case.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        "a case is named in [a-zA-Z0-9-]: {case}"
    );
    let since =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64 & 0xff_ffff_ffff);
    format!("{case}-{since:x}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Drop for Side {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os(KEEP_VARIABLE).is_some() {
            eprintln!("kept on host {}: {}", self.host.name, self.root);
            return;
        }
        // A case may end in the middle of things: streams still running, holds, clones, half a receive.
        let root = &self.root;
        let end_streams = format!(
            "set +e
             for pid in $(pgrep -x zfs); do
               if tr '\\0' ' ' 2>/dev/null </proc/$pid/cmdline | grep -qF '{root}'; then kill -9 $pid; fi
             done"
        );
        let remove = if self.own_pool {
            format!(
                "for try in 1 2 3 4 5; do zpool destroy -f {root} && break; sleep 1; done; rm -f /var/tmp/{root}.img"
            )
        } else {
            format!(
                "zfs list -Hr -t snapshot -o name,userrefs {root} | awk -F'\\t' '$2 > 0 {{ print $1 }}' |
                   tr '\\n' '\\0' | xargs -0r zfs holds -H |
                   while IFS='\t' read -r snapshot tag when; do zfs release \"$tag\" \"$snapshot\"; done
                 for try in 1 2 3 4 5; do zfs destroy -R {root} && break; sleep 1; done"
            )
        };
        let answer = self.host.try_as("root", &format!("{end_streams}\n{remove}\ntrue"));
        if answer.status != 0 || !answer.stderr.is_empty() {
            eprintln!("clearing up {root} on host {}: {}", self.host.name, answer.stderr.trim_end());
        }
    }
}
