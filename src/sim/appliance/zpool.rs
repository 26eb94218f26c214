//! `zpool`: version, list, get, set, status, create, destroy, scrub, clear and what goes with them.

use super::model::State;
use super::model::properties::bytes;
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
    let reply = match verb.as_str() {
        "version" | "--version" => Reply { stdout: VERSION.to_owned(), ..Reply::default() },
        "list" => list(&state, words),
        "get" => get(&state, words),
        "set" => set(&mut state, words),
        "status" => status(&state, words),
        "create" => create(&mut state, words),
        "destroy" => destroy(&mut state, words),
        "scrub" | "trim" | "sync" => each(&state, words),
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
        text.push_str(&format!("\t{:<width$}  STATE     READ WRITE CKSUM\n", "NAME"));
        text.push_str(&format!("\t{name:<width$}  {:<8}     0     0     0\n", pool.health));
        for device in &pool.devices {
            let device = format!("  {device}");
            text.push_str(&format!("\t{device:<width$}  {:<8}     0     0     0\n", pool.health));
        }
        text.push_str("\nerrors: No known data errors\n");
        reply.stdout.push_str(&text);
    }
    reply
}

fn create(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "fndo:O:m:R:t:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let Some((name, devices)) = options.rest.split_first() else {
        return Reply::fails(2, "missing pool name argument");
    };
    if devices.is_empty() {
        return Reply::fails(2, "invalid vdev specification: at least one toplevel vdev must be specified");
    }
    if state.pools.contains_key(name) {
        return Reply::fails(1, format!("cannot create '{name}': pool already exists"));
    }
    let size =
        options.pairs('o').iter().find(|(key, _)| key == "sim:size").and_then(|(_, value)| bytes(value));
    state.add_pool(name, size.unwrap_or(super::POOL_SIZE), &devices[0]);
    if let Some(pool) = state.pools.get_mut(name) {
        pool.devices = devices.to_vec();
        pool.properties.extend(options.pairs('o').into_iter().filter(|(key, _)| key != "sim:size"));
    }
    let mut set: Vec<String> = options.values('O').map(str::to_owned).collect();
    set.extend(options.value('m').map(|point| format!("mountpoint={point}")));
    if let Some(root) = state.datasets.get_mut(name) {
        for (key, value) in set.iter().filter_map(|pair| pair.split_once('=')) {
            let value = super::model::Value { text: value.to_owned(), source: super::model::Source::Local };
            root.properties.insert(key.to_owned(), value);
        }
    }
    Reply::default()
}

fn destroy(state: &mut State, words: &[String]) -> Reply {
    let Some(name) = words.iter().find(|word| !word.starts_with('-')) else {
        return Reply::fails(2, "missing pool argument");
    };
    if state.pools.remove(name).is_none() {
        return Reply::fails(1, format!("cannot open '{name}': no such pool"));
    }
    for dataset in state.tree_of(name) {
        state.datasets.remove(&dataset);
    }
    Reply::default()
}
