//! What runs on the machine: `systemctl`, `journalctl`, and who keeps its clock.

use super::{Io, Shell};

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    let after = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1)
    };
    Some(match program {
        "systemctl" => systemctl(shell, words, io),
        "journalctl" => {
            let unit = after("-u").map_or("nfs-server", String::as_str);
            let name = service(unit);
            let running = shell.machine.services().get(&name).copied();
            io.say(match running {
                Some(true) => format!(
                    "Nov 27 12:00:00 {} systemd[1]: Finished {name}.service.\n",
                    shell.machine.hostname
                ),
                Some(false) => format!(
                    "Nov 27 12:00:00 {} systemd[1]: Stopped {name}.service.\n",
                    shell.machine.hostname
                ),
                None => "-- No entries --\n".to_owned(),
            });
            0
        }
        "chronyc" => {
            let skew = shell.machine.skew();
            let csv = words.iter().any(|word| word == "-c");
            io.say(match csv {
                true => format!("7F7F0101,127.127.1.1,2,1764237600.0,{skew}.000000,0.000001,0.000010,1.0,0.0,0.1,0.001,0.002,64.0,Normal\n"),
                false => format!(
                    "Reference ID    : 7F7F0101 ()\nStratum         : 2\nSystem time     : {}.000000000 seconds {} of NTP time\nLeap status     : Normal\n",
                    skew.abs(),
                    if skew < 0 { "slow" } else { "fast" }
                ),
            });
            0
        }
        "timedatectl" => {
            let value = words.iter().any(|word| word == "--value");
            io.say(match value {
                true => "yes\n".to_owned(),
                false if words.iter().any(|word| word == "show") => {
                    "NTPSynchronized=yes\nTimezone=Etc/UTC\n".to_owned()
                }
                false => "System clock synchronized: yes\n              NTP service: active\n".to_owned(),
            });
            0
        }
        "hostnamectl" => {
            io.say(format!(" Static hostname: {}\n  Virtualization: vmware\n", shell.machine.hostname));
            0
        }
        _ => return None,
    })
}

/// The name under which a unit is kept.
fn service(unit: &str) -> String {
    match unit.trim_end_matches(".service") {
        "nfs-kernel-server" => "nfs-server".to_owned(),
        "sshd" => "ssh".to_owned(),
        other => other.to_owned(),
    }
}

/// What it is called beside its name.
fn description(name: &str) -> &'static str {
    match name {
        "nfs-server" => "NFS server and services",
        "ssh" => "OpenBSD Secure Shell server",
        "zfs-zed" => "ZFS Event Daemon (zed)",
        _ => "Service",
    }
}

/// `systemctl is-active|is-enabled|status|show|start|stop|restart|reload|enable|disable [--now] UNIT…`
fn systemctl(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let flag = |name: &str| words.iter().any(|word| word == name);
    let Some((verb, units)) = operands.split_first() else { return 0 };
    let quiet = flag("-q") || flag("--quiet");
    let mut status = 0;
    for unit in units {
        let name = service(unit);
        // Without its programs the unit is not there either.
        let installed = name != "nfs-server" || shell.machine.has_program("exportfs");
        let running = shell.machine.services().get(&name).copied().filter(|_| installed);
        let changes = matches!(verb.as_str(), "start" | "stop" | "restart" | "reload" | "enable" | "disable");
        if changes && !shell.is_root() {
            io.complain(format_args!(
                "Failed to {verb} {name}.service: Interactive authentication required."
            ));
            status = 1;
            continue;
        }
        let set = |runs: bool| {
            shell.machine.services().insert(name.clone(), runs);
        };
        match (verb.as_str(), running) {
            ("is-active", running) => {
                let runs = running == Some(true);
                if !quiet {
                    io.say(if runs { "active\n" } else { "inactive\n" });
                }
                status = if runs { status } else { 3 };
            }
            ("is-enabled", Some(_)) => io.say("enabled\n"),
            ("is-enabled", None) => {
                io.complain(format_args!(
                    "Failed to get unit file state for {name}.service: No such file or directory"
                ));
                status = 1;
            }
            ("show", running) => {
                let (load, active) = match running {
                    Some(true) => ("loaded", "active"),
                    Some(false) => ("loaded", "inactive"),
                    None => ("not-found", "inactive"),
                };
                io.say(match flag("--value") {
                    true => format!("{active}\n"),
                    false => format!("LoadState={load}\nActiveState={active}\n"),
                });
            }
            ("status", None) => {
                io.complain(format_args!("Unit {name}.service could not be found."));
                status = 4;
            }
            ("status", Some(runs)) => {
                let active = if runs {
                    "active (exited) since Fri 2026-11-27 08:00:00 UTC; 4h ago"
                } else {
                    "inactive (dead)"
                };
                let mark = if runs { "●" } else { "○" };
                io.say(format!(
                    "{mark} {name}.service - {}\n     Loaded: loaded (/lib/systemd/system/{name}.service; enabled; preset: \
                     enabled)\n     Active: {active}\n",
                    description(&name)
                ));
                status = if runs { status } else { 3 };
            }
            ("enable" | "disable", None) => {
                io.complain(format_args!("Failed to {verb} unit: Unit file {name}.service does not exist."));
                status = 1;
            }
            (verb, None) => {
                io.complain(format_args!("Failed to {verb} {name}.service: Unit {name}.service not found."));
                status = 5;
            }
            ("enable", Some(false)) if flag("--now") => set(true),
            ("start" | "restart", Some(_)) => set(true),
            ("stop", Some(_)) => set(false),
            ("disable", Some(_)) if flag("--now") => set(false),
            (_, Some(_)) => {}
        }
    }
    status
}
