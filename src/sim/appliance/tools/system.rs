//! What the machine says of itself: `id`, `uname`, `lsblk`, `exportfs`, `systemctl`, …

use serde_json::json;

use super::{Io, Shell};
use crate::sim::appliance::model::Target;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    let has = |flag: &str| words.iter().any(|word| word == flag);
    Some(match program {
        "id" => {
            let uid = if shell.is_root() { 0 } else { 1000 };
            io.say(match words.first().map(String::as_str) {
                Some("-u") => format!("{uid}\n"),
                Some("-un") => format!("{}\n", shell.user),
                _ => format!("uid={uid}({0}) gid={uid}({0}) groups={uid}({0})\n", shell.user),
            });
            0
        }
        "uname" => {
            io.say(match words.first().map(String::as_str) {
                Some("-n") => format!("{}\n", shell.machine.hostname),
                Some("-r") => "6.1.0-sim-amd64\n".to_owned(),
                Some("-m") => "x86_64\n".to_owned(),
                Some("-a") => format!("Linux {} 6.1.0-sim-amd64 x86_64 GNU/Linux\n", shell.machine.hostname),
                _ => "Linux\n".to_owned(),
            });
            0
        }
        "hostname" => {
            io.say(format!("{}\n", shell.machine.hostname));
            0
        }
        "nproc" => {
            io.say("2\n");
            0
        }
        "date" => {
            let now = jiff::Timestamp::now();
            let seconds = words.iter().any(|word| word == "+%s");
            io.say(if seconds { format!("{}\n", now.as_second()) } else { format!("{now:.0}\n") });
            0
        }
        "sleep" => {
            let seconds: f64 = words.first().and_then(|word| word.parse().ok()).unwrap_or(0.0);
            let end =
                std::time::Instant::now() + std::time::Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
            // In pieces, so that a connection that is gone does not keep it.
            while std::time::Instant::now() < end && !shell.session.hangup.is_cancelled() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            0
        }
        "lsblk" => {
            io.say(lsblk(shell));
            0
        }
        "exportfs" => {
            for (path, clients) in shares(shell).iter().filter(|_| words.is_empty() || has("-v") || has("-s"))
            {
                io.say(format!("{path}\t{clients}\n"));
            }
            0
        }
        "showmount" => {
            io.say(format!("Export list for {}:\n", shell.machine.hostname));
            for (path, clients) in shares(shell) {
                io.say(format!("{path} {clients}\n"));
            }
            0
        }
        "systemctl" => systemctl(words, io),
        "rsync" => {
            if has("--version") {
                io.say("rsync  version 3.2.7  protocol version 31\n");
                return Some(0);
            }
            io.complain("rsync: this simulated machine only says its version");
            12
        }
        _ => return None,
    })
}

/// Mount points of what is shared over NFS, with the clients.
fn shares(shell: &Shell) -> Vec<(String, String)> {
    let state = shell.machine.state();
    let shared = |name: &String| {
        let value = |property| state.property(Target::Dataset(name), property).map(|(value, _)| value);
        let (share, point) = (value("sharenfs")?, value("mountpoint")?);
        let clients = if share == "on" { "*".to_owned() } else { share.clone() };
        (share != "off" && point.starts_with('/')).then_some((point, clients))
    };
    state
        .datasets
        .iter()
        .filter(|(_, dataset)| dataset.mounted)
        .filter_map(|(name, _)| shared(name))
        .collect()
}

/// The disks of the pools, as `lsblk -J -b` lists them.
fn lsblk(shell: &Shell) -> String {
    let state = shell.machine.state();
    let mut disks = vec![json!({
        "name": "sda", "path": "/dev/sda", "size": 17_179_869_184u64, "type": "disk", "mountpoint": "/",
        "fstype": "ext4", "serial": "SIMROOT", "model": "Simulated disk",
    })];
    for (number, (name, pool)) in state.pools.iter().enumerate() {
        let letter = char::from(b'b' + u8::try_from(number % 24).unwrap_or(0));
        disks.push(json!({
            "name": format!("sd{letter}"), "path": pool.devices.first(), "size": pool.size, "type": "disk",
            "mountpoint": null, "fstype": "zfs_member", "label": name, "serial": format!("SIM{:016X}", pool.guid),
            "model": "Simulated disk",
        }));
    }
    format!("{:#}\n", json!({ "blockdevices": disks }))
}

fn systemctl(words: &[String], io: &Io) -> i32 {
    let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let Some((verb, units)) = operands.split_first() else { return 0 };
    let known = |unit: &str| {
        let name = unit.trim_end_matches(".service");
        matches!(name, "nfs-server" | "nfs-kernel-server" | "ssh" | "sshd" | "zfs-zed" | "zfs.target")
    };
    let mut status = 0;
    for unit in units {
        let there = known(unit);
        match (verb.as_str(), there) {
            ("is-active", true) => io.say("active\n"),
            ("is-active", false) => {
                io.say("inactive\n");
                status = 3;
            }
            ("is-enabled", true) => io.say("enabled\n"),
            ("is-enabled", false) => {
                io.complain(format_args!(
                    "Failed to get unit file state for {unit}: No such file or directory"
                ));
                status = 1;
            }
            (_, true) => {}
            (verb, false) => {
                io.complain(format_args!("Failed to {verb} {unit}: Unit {unit} not found."));
                status = 5;
            }
        }
    }
    status
}
