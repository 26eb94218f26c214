//! `zpool`: version, list, get, set, status, create, destroy, scrub, clear and what goes with them.

mod create;

use super::model::State;
use super::model::disk::Content;
use super::shell::{Io, Shell};
use super::zfs::{Options, Reply, VERSION, human};

pub(super) fn run(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let Some((verb, words)) = words.split_first() else {
        return Reply::fails(2, "missing command\nusage: zpool command args ...").tell(io);
    };
    let mut state = shell.machine.state();
    let changes = !matches!(verb.as_str(), "version" | "list" | "get" | "status" | "history" | "iostat");
    if changes && !shell.is_root() {
        let last = words.last().map_or("", String::as_str);
        drop(state);
        return Reply::fails(1, format!("cannot {verb} '{last}': permission denied")).tell(io);
    }
    // A bare `zpool import` has nothing to find here.
    let reply = match verb.as_str() {
        "import" if words.is_empty() => Reply::fails(1, "no pools available to import"),
        "import" => each(&state, words),
        "version" | "--version" => Reply { stdout: VERSION.to_owned(), ..Reply::default() },
        "list" => list(&state, words),
        "get" => get(&state, words),
        "set" => set(&mut state, words),
        "status" => status(&state, words),
        "create" => create::run(&mut state, words),
        "destroy" => destroy(&mut state, words),
        "scrub" => {
            let reply = each(&state, words);
            // Over at once; there is not much to read.
            for pool in words.iter().filter(|word| !word.starts_with('-')) {
                if let Some(pool) = state.pools.get_mut(pool) {
                    pool.scrubbed = Some(super::model::now());
                }
            }
            reply
        }
        "trim" | "sync" | "wait" | "upgrade" => each(&state, words),
        "online" => {
            let names: Vec<String> =
                words.iter().filter(|word| !word.starts_with('-')).take(1).cloned().collect();
            let reply = each(&state, &names);
            for name in names.iter().filter(|_| words.iter().any(|word| word == "-e")) {
                state.expand(name);
            }
            reply
        }
        "labelclear" => labelclear(&mut state, words),
        "history" | "iostat" | "events" => each(&state, words),
        "clear" => {
            let reply = each(&state, words);
            for name in words {
                if let Some(pool) = state.pools.get_mut(name) {
                    pool.health = "ONLINE";
                }
            }
            reply
        }
        other => Reply::fails(2, format!("unrecognized command '{other}'\nusage: zpool command args ...")),
    };
    drop(state);
    reply.tell(io)
}

fn each(state: &State, words: &[String]) -> Reply {
    let mut reply = Reply::default();
    for name in words.iter().filter(|word| !word.starts_with('-') && !state.pools.contains_key(*word)) {
        reply.complain(format!("cannot open '{name}': no such pool"));
    }
    reply
}

/// A property in full figures.
fn property(state: &State, name: &str, property: &str) -> String {
    let Some(pool) = state.pools.get(name) else { return "-".to_owned() };
    let (size, allocated) = (pool.size, state.allocated(name));
    match property {
        "name" => name.to_owned(),
        "size" => size.to_string(),
        "allocated" | "alloc" => allocated.to_string(),
        "free" => size.saturating_sub(allocated).to_string(),
        "capacity" | "cap" => (allocated * 100 / size.max(1)).to_string(),
        "fragmentation" | "frag" => "0".to_owned(),
        "health" => pool.health.to_owned(),
        "guid" => pool.guid.to_string(),
        "readonly" => "off".to_owned(),
        other => pool.properties.get(other).cloned().unwrap_or_else(|| {
            let known =
                [("ashift", "12"), ("autotrim", "off"), ("autoexpand", "off"), ("dedupratio", "1.00")];
            known.iter().find(|(known, _)| *known == other).map_or("-", |(_, value)| value).to_owned()
        }),
    }
}

fn list(state: &State, words: &[String]) -> Reply {
    let options = match Options::read(words, "HpvPLo:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let columns =
        options.value('o').unwrap_or("name,size,allocated,free,fragmentation,capacity,dedupratio,health");
    let columns: Vec<&str> = columns.split(',').collect();
    let mut reply = Reply::default();
    let all: Vec<String> =
        if options.rest.is_empty() { state.pools.keys().cloned().collect() } else { options.rest.clone() };
    if !options.has('H') {
        reply.stdout = columns.join("\t").to_uppercase() + "\n";
    }
    for name in &all {
        if !state.pools.contains_key(name) {
            reply.complain(format!("cannot open '{name}': no such pool"));
            continue;
        }
        let cell = |column: &&str| {
            let value = property(state, name, column);
            let sized = ["size", "allocated", "free"].contains(column) && !options.has('p');
            value.parse().ok().filter(|_| sized).map_or(value, human)
        };
        reply.stdout.push_str(&(columns.iter().map(cell).collect::<Vec<_>>().join("\t") + "\n"));
    }
    reply
}

fn get(state: &State, words: &[String]) -> Reply {
    let options = match Options::read(words, "Hpo:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let Some((wanted, names)) = options.rest.split_first() else {
        return Reply::fails(2, "missing property argument");
    };
    let columns: Vec<&str> = options.value('o').unwrap_or("name,property,value,source").split(',').collect();
    let mut reply = Reply::default();
    for name in names {
        let Some(pool) = state.pools.get(name) else {
            reply.complain(format!("Cannot get properties of {name}: no such pool available."));
            continue;
        };
        for key in wanted.split(',') {
            let local = pool.properties.contains_key(key);
            let cell = |column: &&str| match *column {
                "name" => name.clone(),
                "property" => key.to_owned(),
                "value" => property(state, name, key),
                _ => (if local { "local" } else { "-" }).to_owned(),
            };
            reply.stdout.push_str(&(columns.iter().map(cell).collect::<Vec<_>>().join("\t") + "\n"));
        }
    }
    reply
}

fn set(state: &mut State, words: &[String]) -> Reply {
    let [pair, name] = words else { return Reply::fails(2, "missing property=value argument") };
    let Some((key, value)) = pair.split_once('=') else {
        return Reply::fails(2, "missing value in property=value argument");
    };
    match state.pools.get_mut(name) {
        Some(pool) => {
            pool.properties.insert(key.to_owned(), value.to_owned());
            Reply::default()
        }
        None => Reply::fails(1, format!("cannot open '{name}': no such pool")),
    }
}

fn status(state: &State, words: &[String]) -> Reply {
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let names: Vec<&String> = if names.is_empty() { state.pools.keys().collect() } else { names };
    let mut reply = Reply::default();
    for name in names {
        let Some(pool) = state.pools.get(name) else {
            reply.complain(format!("cannot open '{name}': no such pool"));
            continue;
        };
        let trouble = match pool.health {
            "DEGRADED" => {
                "status: One or more devices has been taken offline by the administrator.\n\tSufficient replicas \
                 exist for the pool to continue functioning in a\n\tdegraded state.\naction: Online the device using \
                 'zpool online' or replace the device with\n\t'zpool replace'.\n"
            }
            "SUSPENDED" => {
                "status: One or more devices are faulted in response to IO failures.\naction: Make sure the affected \
                 devices are connected, then run 'zpool clear'.\n   see: \
                 https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-JQ\n"
            }
            _ => "",
        };
        let width = pool.devices.iter().map(|device| device.len() + 2).chain([name.len()]).max().unwrap_or(0);
        let mut text = format!("  pool: {name}\n state: {}\n{trouble}config:\n\n", pool.health);
        if let Some(when) = pool.scrubbed.and_then(|when| jiff::Timestamp::from_second(when).ok()) {
            let when = when.strftime("%a %b %e %H:%M:%S %Y");
            let scan = format!("  scan: scrub repaired 0B in 00:00:00 with 0 errors on {when}\n");
            text = text.replacen("config:\n", &format!("{scan}config:\n"), 1);
        }
        text.push_str(&format!("\t{:<width$}  STATE     READ WRITE CKSUM\n", "NAME"));
        text.push_str(&format!("\t{name:<width$}  {:<8}     0     0     0\n", pool.health));
        for device in &pool.devices {
            // Devices are shown by the last part of their paths, files by the whole.
            let short = device
                .strip_prefix("/dev/")
                .map_or(device.as_str(), |path| path.rsplit('/').next().unwrap_or(path));
            let device = format!("  {short}");
            text.push_str(&format!("\t{device:<width$}  {:<8}     0     0     0\n", pool.health));
        }
        text.push_str("\nerrors: No known data errors\n");
        reply.stdout.push_str(&text);
    }
    reply
}

fn destroy(state: &mut State, words: &[String]) -> Reply {
    let Some(name) = words.iter().find(|word| !word.starts_with('-')) else {
        return Reply::fails(2, "missing pool argument");
    };
    if state.pools.remove(name).is_none() {
        return Reply::fails(1, format!("cannot open '{name}': no such pool"));
    }
    // A destroyed pool leaves its labels.
    let label = name.clone();
    for disk in state.disks.iter_mut() {
        if matches!(&disk.content, Content::Pool { name, .. } if *name == label) {
            disk.content = Content::Other { fstype: "zfs_member".to_owned(), label: label.clone() };
        }
    }
    for dataset in state.tree_of(name) {
        state.datasets.remove(&dataset);
    }
    Reply::default()
}

/// `zpool labelclear [-f] DEVICE`
fn labelclear(state: &mut State, words: &[String]) -> Reply {
    let Some(device) = words.iter().find(|word| !word.starts_with('-')) else {
        return Reply::fails(2, "missing vdev name");
    };
    let disk = state
        .device(device)
        .and_then(|name| state.disk_mut(name.trim_end_matches(|c: char| c.is_ascii_digit())));
    match disk {
        Some(disk) => match &disk.content {
            Content::Pool { name, .. } => {
                Reply::fails(1, format!("{device} is a member (ACTIVE) of pool \"{name}\""))
            }
            Content::Other { fstype, .. } if fstype == "zfs_member" => {
                disk.content = Content::Blank;
                Reply::default()
            }
            _ => Reply::fails(1, format!("failed to clear label for {device}")),
        },
        None => {
            Reply::fails(1, format!("failed to find device {device}, try specifying absolute path instead"))
        }
    }
}
