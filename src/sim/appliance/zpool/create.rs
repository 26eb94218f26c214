//! `zpool create`: only of devices that are there and on which nothing is.

use super::super::model::disk::Content;
use super::super::model::properties::bytes;
use super::super::model::{Source, State, Value};
use super::super::zfs::{Options, Reply};

/// Words between the devices that say how they belong together.
const KINDS: &[&str] = &["mirror", "raidz", "raidz1", "raidz2", "raidz3", "log", "cache", "spare", "special"];

pub(super) fn run(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "fndo:O:m:R:t:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let Some((name, rest)) = options.rest.split_first() else {
        return Reply::fails(2, "missing pool name argument");
    };
    let devices: Vec<String> = rest.iter().filter(|word| !KINDS.contains(&word.as_str())).cloned().collect();
    if devices.is_empty() {
        return Reply::fails(2, "invalid vdev specification: at least one toplevel vdev must be specified");
    }
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
    if !letters || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || KINDS.contains(&name.as_str()) {
        return Reply::fails(1, format!("cannot create '{name}': invalid pool name"));
    }
    let mut disks = Vec::new();
    for device in &devices {
        match find(state, device, options.has('f')) {
            Ok(found) => disks.extend(found),
            Err(why) => return Reply::fails(1, why),
        }
    }
    if state.pools.contains_key(name) {
        return Reply::fails(1, format!("cannot create '{name}': pool already exists"));
    }
    let sizes = disks.iter().filter_map(|disk| Some(state.disk(disk)?.size));
    let mirrored = rest.iter().any(|word| word == "mirror");
    let size = if mirrored { sizes.min() } else { Some(sizes.sum()).filter(|size| *size > 0) };
    let told =
        options.pairs('o').iter().find(|(key, _)| key == "sim:size").and_then(|(_, value)| bytes(value));
    if options.has('n') {
        return Reply {
            stdout: format!("would create '{name}' with the following layout:\n\n\t{name}\n"),
            ..Reply::default()
        };
    }
    state.add_pool(name, told.or(size).unwrap_or(super::super::POOL_SIZE), &devices[0]);
    let mut guid = 0;
    if let Some(pool) = state.pools.get_mut(name) {
        guid = pool.guid;
        pool.devices = devices;
        pool.properties.extend(options.pairs('o').into_iter().filter(|(key, _)| key != "sim:size"));
    }
    for disk in &disks {
        if let Some(disk) = state.disk_mut(disk) {
            disk.content = Content::Pool { name: name.clone(), guid };
        }
    }
    let mut set: Vec<String> = options.values('O').map(str::to_owned).collect();
    set.extend(options.value('m').map(|point| format!("mountpoint={point}")));
    if let Some(root) = state.datasets.get_mut(name) {
        for (key, value) in set.iter().filter_map(|pair| pair.split_once('=')) {
            let value = Value { text: value.to_owned(), source: Source::Local };
            root.properties.insert(key.to_owned(), value);
        }
        let point = root.properties.get("mountpoint").is_none_or(|value| value.text.starts_with('/'));
        let wanted = root.properties.get("canmount").is_none_or(|value| value.text == "on");
        root.mounted = point && wanted;
    }
    Reply::default()
}

/// The disk behind a device, if it may be used; none for a file. The error is what is said.
fn find(state: &State, device: &str, force: bool) -> Result<Option<String>, String> {
    let path = match device.strip_prefix('/') {
        Some(_) => device.to_owned(),
        None => ["/dev/", "/dev/disk/by-id/"]
            .iter()
            .map(|above| format!("{above}{device}"))
            .find(|path| state.device(path).is_some())
            .ok_or_else(|| {
                format!("cannot open '{device}': no such device in /dev\nmust be a full path or shorthand device name")
            })?,
    };
    if !path.starts_with("/dev/") {
        // A file serves as well.
        return Ok(None);
    }
    let found = state.device(&path).ok_or_else(|| format!("cannot resolve path '{device}'"))?;
    let name = found.trim_end_matches(|c: char| c.is_ascii_digit());
    let disk = state.disk(name).ok_or_else(|| format!("cannot resolve path '{device}'"))?;
    let refused = |repair: bool, why: String| {
        let head = if repair {
            "the following errors must be manually repaired"
        } else {
            "use '-f' to override the following errors"
        };
        Err(format!("invalid vdev specification\n{head}:\n{why}"))
    };
    match &disk.content {
        Content::Blank => Ok(Some(name.to_owned())),
        Content::System => refused(true, format!("{path}1 is in use and contains a ext4 filesystem.")),
        // The whole disk is held by the kernel, whose pool it is; only its partition tells which.
        Content::Pool { .. } if found == name => {
            Err(format!("{path} is in use and contains a unknown filesystem."))
        }
        Content::Pool { name, .. } => refused(force, format!("{path} is part of active pool '{name}'")),
        Content::Other { .. } if force => Ok(Some(name.to_owned())),
        Content::Other { fstype, label } if fstype == "zfs_member" => {
            refused(false, format!("{path} is part of potentially active pool '{label}'"))
        }
        Content::Other { fstype, .. } => {
            refused(false, format!("{path} contains a filesystem of type '{fstype}'"))
        }
    }
}
