//! What the machine says of its disks and file systems: `lsblk`, `blkid`, `wipefs`, `df`, `findmnt`, `mountpoint`.

use serde_json::{Map, Value, json};

use super::{Io, Shell};
use crate::sim::appliance::model::State;
use crate::sim::appliance::model::disk::{Content, Disk};
use crate::sim::appliance::model::paths::tidy;
use crate::sim::appliance::zfs::human;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    Some(match program {
        "lsblk" => lsblk(&shell.machine.state(), words, io),
        "blkid" | "wipefs" => {
            let state = shell.machine.state();
            let mut found = false;
            for path in words.iter().filter(|word| word.starts_with('/')) {
                let device = state.device(path).unwrap_or_default();
                let Some(row) = rows(&state).into_iter().find(|row| row["name"] == device.as_str()) else {
                    continue;
                };
                let Some(fstype) = row["fstype"].as_str() else { continue };
                found = true;
                let label = row["label"].as_str().unwrap_or_default();
                io.say(format!("{path}: LABEL=\"{label}\" TYPE=\"{fstype}\"\n"));
            }
            if found || program == "wipefs" { 0 } else { 2 }
        }
        "df" => df(shell, words, io),
        "findmnt" => findmnt(shell, words, io),
        "mountpoint" => {
            let path = words.last().cloned().unwrap_or_default();
            let is_one = path == "/" || shell.machine.state().is_mount_point(&path);
            if !words.iter().any(|word| word == "-q") {
                io.say(format!("{path} is {}a mountpoint\n", if is_one { "" } else { "not " }));
            }
            i32::from(!is_one)
        }
        _ => return None,
    })
}

/// Every column that is known of every disk and partition, each disk before its partitions.
fn rows(state: &State) -> Vec<Value> {
    state.disks.iter().flat_map(|disk| std::iter::once(of_disk(disk)).chain(of_partitions(disk))).collect()
}

fn of_disk(disk: &Disk) -> Value {
    let (fstype, label) = match &disk.content {
        Content::Other { fstype, label } => (json!(fstype), json!(label)),
        _ => (Value::Null, Value::Null),
    };
    let table = if disk.partitions().is_empty() { Value::Null } else { json!("gpt") };
    json!({
        "name": disk.name, "kname": disk.name, "path": format!("/dev/{}", disk.name), "maj:min": "8:0", "rm": false,
        "size": disk.size, "ro": false, "type": "disk", "mountpoint": null, "mountpoints": [null], "fstype": fstype,
        "label": label, "uuid": null, "pttype": table, "parttype": null, "partlabel": null, "pkname": null,
        "serial": if disk.serial.is_empty() { Value::Null } else { json!(disk.serial) }, "wwn": disk.wwn(),
        "model": "Virtual disk", "vendor": "VMware  ", "tran": null, "hctl": "0:0:0:0", "rota": false,
        "log-sec": 512, "phy-sec": 512,
    })
}

fn of_partitions(disk: &Disk) -> Vec<Value> {
    const RESERVED: u64 = 8 << 20;
    let part = |number: &u32| {
        let (fstype, label, kind, size, point) = match (&disk.content, number) {
            (Content::System, _) => (
                json!("ext4"),
                Value::Null,
                "0fc63daf-8483-4772-8e79-3d69d8477de4",
                disk.size - (1 << 20),
                json!("/"),
            ),
            (Content::Pool { name, .. }, 1) => {
                let size = disk.size.saturating_sub(RESERVED + (2 << 20));
                (json!("zfs_member"), json!(name), "6a898cc3-1dd2-11b2-99a6-080020736631", size, Value::Null)
            }
            _ => (Value::Null, Value::Null, "6a945a3b-1dd2-11b2-99a6-080020736631", RESERVED, Value::Null),
        };
        let name = format!("{}{number}", disk.name);
        let mut row = of_disk(disk);
        let own = json!({
            "name": name, "kname": name, "path": format!("/dev/{name}"), "size": size, "type": "part",
            "mountpoint": point, "mountpoints": [point], "fstype": fstype, "label": label, "pkname": disk.name,
            "parttype": kind, "serial": null, "model": null, "vendor": null,
            "uuid": match &disk.content { Content::Pool { guid, .. } if *number == 1 => json!(guid.to_string()), _ => Value::Null },
        });
        if let (Value::Object(row), Value::Object(own)) = (&mut row, own) {
            row.extend(own);
        }
        row
    };
    disk.partitions().iter().map(part).collect()
}

/// `lsblk [-J] [-b] [-d] [-n] [-r] [-P] [-p] [-o COLUMNS] [DEVICE…]`
fn lsblk(state: &State, words: &[String], io: &Io) -> i32 {
    let mut columns: Vec<String> =
        ["name", "maj:min", "rm", "size", "ro", "type", "mountpoints"].map(str::to_owned).into();
    let (mut flags, mut devices, mut words) = (String::new(), Vec::new(), words.iter());
    while let Some(word) = words.next() {
        let (long, attached) =
            word.split_once('=').map_or((word.as_str(), None), |(long, value)| (long, Some(value)));
        let wanted = match long {
            "-o" | "--output" => attached.map(str::to_owned).or_else(|| words.next().cloned()),
            "--json" => {
                flags.push('J');
                None
            }
            "--bytes" => {
                flags.push('b');
                None
            }
            "--nodeps" => {
                flags.push('d');
                None
            }
            "--noheadings" => {
                flags.push('n');
                None
            }
            "--paths" => {
                flags.push('p');
                None
            }
            "--pairs" => {
                flags.push('P');
                None
            }
            _ if word.starts_with('-') => {
                // -Jbo NAME,SIZE
                let letters = word.trim_start_matches('-');
                let (before, value) =
                    letters.split_once('o').map_or((letters, None), |(before, value)| (before, Some(value)));
                flags.push_str(before);
                value.and_then(
                    |value| if value.is_empty() { words.next().cloned() } else { Some(value.to_owned()) },
                )
            }
            _ => {
                devices.push(word.clone());
                None
            }
        };
        if let Some(wanted) = wanted {
            columns = wanted.to_ascii_lowercase().split(',').map(str::to_owned).collect();
        }
    }
    let has = |letter: char| flags.contains(letter);
    for column in &columns {
        if of_disk(&state.disks[0]).get(column).is_none() {
            io.complain(format_args!("lsblk: unknown column: {}", column.to_ascii_uppercase()));
            return 1;
        }
    }
    let mut status = 0;
    let mut chosen: Vec<&Disk> = state.disks.iter().collect();
    if !devices.is_empty() {
        chosen.clear();
        for path in &devices {
            match state.device(path).and_then(|name| state.disk(&name)) {
                Some(disk) => chosen.push(disk),
                None => {
                    io.complain(format_args!("lsblk: {path}: not a block device"));
                    status = 32;
                }
            }
        }
    }
    let pick = |row: &Value| {
        let mut own = Map::new();
        for column in &columns {
            let mut value = row[column].clone();
            if column == "name" && has('p') {
                value = row["path"].clone();
            }
            if let Some(size) = value.as_u64().filter(|_| column == "size" && !has('b')) {
                value = json!(human(size));
            }
            own.insert(column.clone(), value);
        }
        own
    };
    if has('J') {
        let tree = chosen.iter().map(|disk| {
            let mut row = pick(&of_disk(disk));
            let parts: Vec<Value> =
                of_partitions(disk).iter().map(|part| Value::Object(pick(part))).collect();
            if !parts.is_empty() && !has('d') {
                row.insert("children".to_owned(), Value::Array(parts));
            }
            Value::Object(row)
        });
        let tree = json!({ "blockdevices": tree.collect::<Vec<_>>() });
        io.say(indented(&tree));
        return status;
    }
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(set) => u8::from(*set).to_string(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\\x0a"),
        other => other.to_string(),
    };
    let mut out = String::new();
    if !has('n') && !has('P') {
        out = columns.join(" ").to_ascii_uppercase() + "\n";
    }
    for disk in chosen {
        let parts = of_partitions(disk);
        let parts = if has('d') { Vec::new() } else { parts };
        for row in std::iter::once(of_disk(disk)).chain(parts) {
            let own = pick(&row);
            let cell = |column: &String| match has('P') {
                true => format!("{}=\"{}\"", column.to_ascii_uppercase(), text(&own[column])),
                false => text(&own[column]),
            };
            out.push_str(&(columns.iter().map(cell).collect::<Vec<_>>().join(" ") + "\n"));
        }
    }
    io.say(out);
    status
}

/// JSON with the three spaces that util-linux indents by.
fn indented(value: &Value) -> String {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"   ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, format);
    // A value of JSON always becomes text.
    let _ = serde::Serialize::serialize(value, &mut writer);
    String::from_utf8_lossy(&bytes).into_owned() + "\n"
}

/// A file system: where it comes from, its type, its size and what is free of it, where it is mounted.
struct Mounted {
    source: String,
    kind: &'static str,
    size: u64,
    used: u64,
    point: String,
}

fn mounted(state: &State) -> Vec<Mounted> {
    let used = state.own.size() + (2 << 30);
    let root =
        Mounted { source: "/dev/sda1".to_owned(), kind: "ext4", size: 16 << 30, used, point: "/".to_owned() };
    let datasets = state.mounts().into_iter().map(|(name, point)| {
        let found = state.datasets.get(&name);
        let used = found.map_or(0, |dataset| State::referenced(dataset, &dataset.head));
        Mounted { size: used + state.available(&name), used, source: name, kind: "zfs", point }
    });
    std::iter::once(root).chain(datasets).collect()
}

/// The file systems that paths lie in.
fn of_paths(shell: &Shell, paths: &[&String], io: &Io, program: &str) -> (Vec<Mounted>, i32) {
    let state = shell.machine.state();
    let mut all = mounted(&state);
    if paths.is_empty() {
        return (all, 0);
    }
    let (mut chosen, mut status) = (Vec::new(), 0);
    for path in paths {
        let at = tidy(&shell.absolute(path));
        if state.look(&at).is_none() {
            io.complain(format_args!("{program}: {path}: No such file or directory"));
            status = 1;
            continue;
        }
        let above = |one: &Mounted| crate::sim::appliance::model::paths::inside(&at, &one.point).is_some();
        let best = (0..all.len()).filter(|at| above(&all[*at])).max_by_key(|at| all[*at].point.len());
        chosen.extend(best.map(|best| all.remove(best)));
        all = mounted(&state);
    }
    (chosen, status)
}

/// `df [-B1|-k] [-P] [-T] [--output=…] [PATH…]`
fn df(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let paths: Vec<&String> = words.iter().filter(|word| !word.starts_with('-') && *word != "1").collect();
    let (rows, status) = of_paths(shell, &paths, io, "df");
    let bytes = words.iter().any(|word| word == "-B1" || word == "--block-size=1");
    let unit = if bytes { 1 } else { 1024 };
    let wanted = words.iter().find_map(|word| word.strip_prefix("--output="));
    let head = format!(
        "Filesystem {} Used Available Use% Mounted on\n",
        if bytes { "1B-blocks" } else { "1024-blocks" }
    );
    let columns: Option<Vec<&str>> = wanted.map(|wanted| wanted.split(',').collect());
    let titles = |column: &&str| match *column {
        "size" => {
            if bytes {
                "1B-blocks"
            } else {
                "1K-blocks"
            }
        }
        "avail" => "Avail",
        "used" => "Used",
        "pcent" => "Use%",
        "target" => "Mounted on",
        "fstype" => "Type",
        _ => "Filesystem",
    };
    let mut text = columns
        .as_ref()
        .map_or(head, |columns| columns.iter().map(titles).collect::<Vec<_>>().join(" ") + "\n");
    for row in &rows {
        let (size, used) = (row.size / unit, row.used / unit);
        let free = size.saturating_sub(used);
        let percent = format!("{}%", (row.used * 100).div_ceil(row.size.max(1)));
        let cell = |column: &&str| match *column {
            "size" => size.to_string(),
            "avail" => free.to_string(),
            "used" => used.to_string(),
            "pcent" => percent.clone(),
            "target" => row.point.clone(),
            "fstype" => row.kind.to_owned(),
            _ => row.source.clone(),
        };
        text.push_str(&match &columns {
            Some(columns) => columns.iter().map(cell).collect::<Vec<_>>().join(" ") + "\n",
            None => format!("{} {size} {used} {free} {percent} {}\n", row.source, row.point),
        });
    }
    io.say(text);
    status
}

/// `findmnt [-J] [-n] [-o COLUMNS] [-T PATH | -M POINT | PATH]`
fn findmnt(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let after = |flags: &[&str]| {
        let at = words.iter().position(|word| flags.contains(&word.as_str()))?;
        words.get(at + 1)
    };
    let flag = |letter: char| words.iter().any(|word| word.starts_with('-') && word.contains(letter));
    let output = words.iter().find(|word| word.starts_with('-') && word.ends_with('o')).and_then(|flag| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1)
    });
    let columns = output.map_or("target,source,fstype,options", String::as_str).to_ascii_lowercase();
    let columns: Vec<&str> = columns.split(',').collect();
    let (inside, exact) = (after(&["-T", "--target"]), after(&["-M", "--mountpoint"]));
    let type_of = after(&["-t", "--types"]);
    let bare = words.iter().find(|word| word.starts_with('/'));
    let state = shell.machine.state();
    let all = mounted(&state);
    let rows: Vec<&Mounted> = match (inside, exact.or(bare)) {
        (Some(path), _) => {
            let at = tidy(&shell.absolute(path));
            let above =
                |one: &&Mounted| crate::sim::appliance::model::paths::inside(&at, &one.point).is_some();
            all.iter().filter(above).max_by_key(|one| one.point.len()).into_iter().collect()
        }
        (None, Some(point)) => all.iter().filter(|one| one.point == tidy(point)).collect(),
        (None, None) => all.iter().collect(),
    };
    let rows: Vec<&Mounted> =
        rows.into_iter().filter(|row| type_of.is_none_or(|kind| kind == row.kind)).collect();
    let cell = |row: &Mounted, column: &str| match column {
        "source" => row.source.clone(),
        "fstype" => row.kind.to_owned(),
        "options" => "rw,relatime,xattr,noacl".to_owned(),
        "avail" => row.size.saturating_sub(row.used).to_string(),
        "size" => row.size.to_string(),
        "used" => row.used.to_string(),
        _ => row.point.clone(),
    };
    drop(state);
    if rows.is_empty() {
        return 1;
    }
    if flag('J') {
        let row = |row: &&Mounted| {
            let own = columns.iter().map(|column| ((*column).to_owned(), json!(cell(row, column))));
            Value::Object(own.collect())
        };
        io.say(indented(&json!({ "filesystems": rows.iter().map(row).collect::<Vec<_>>() })));
        return 0;
    }
    let mut text = if flag('n') { String::new() } else { columns.join(" ").to_ascii_uppercase() + "\n" };
    for row in rows {
        text.push_str(&(columns.iter().map(|column| cell(row, column)).collect::<Vec<_>>().join(" ") + "\n"));
    }
    io.say(text);
    0
}
