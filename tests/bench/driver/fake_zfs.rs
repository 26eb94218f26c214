//! A small `zfs` for one host: enough for `zerfaux replicate`, honest about partly received streams.
//!
//! It stands in where real OpenZFS is not at hand or too slow to measure; what real OpenZFS says is tested in the lab.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::carry::nanoseconds;
use crate::zfs_model::{BLOCK, Bookmark, Head, Model, Partial, Payload, Snapshot};
use crate::zfs_model::{new_guid, next_size, now, read_token, with};

const END: &[u8; 8] = b"THE END\n";
/// Taken by options that have a value.
const WITH_VALUE: [&str; 7] = ["-o", "-x", "-d", "-t", "-s", "-i", "-I"];

/// `zfs HOME TOOL WORDS…`: gives the exit status.
pub fn main(args: &[String]) -> i32 {
    let [home, tool, words @ ..] = args else { return 2 };
    let home = PathBuf::from(home);
    log(&home, &format!("{tool} {}", words.join(" ")));
    let Some((verb, rest)) = words.split_first() else { return 2 };
    let done = match (tool.as_str(), verb.as_str()) {
        (_, "version") => {
            println!("zfs-2.3.2\nzfs-kmod-2.3.2");
            Ok(())
        }
        ("zfs", "send") => send(&home, rest),
        ("zfs", "receive") => receive(&home, rest),
        ("zfs", verb) => with(&home, |model| short(&home, model, verb, &Words::read(rest, verb))),
        _ => Err(format!("this {tool} has no '{verb}'")),
    };
    match done {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("{why}");
            1
        }
    }
}

/// One line for each command and each first byte, with the time in nanoseconds.
fn log(home: &Path, what: &str) {
    let mut file = File::options().create(true).append(true).open(home.join("log")).unwrap();
    file.write_all(format!("{} {what}\n", nanoseconds()).as_bytes()).unwrap();
}

/// Options apart from names.
#[derive(Debug, Default)]
struct Words {
    flags: Vec<String>,
    values: Vec<(String, String)>,
    names: Vec<String>,
}

impl Words {
    fn read(words: &[String], verb: &str) -> Self {
        let mut read = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            // `send -t TOKEN` has a token there, not a type; `receive -s` no source.
            let valued = WITH_VALUE.contains(&word.as_str()) && !(verb == "receive" && word == "-s");
            if valued {
                read.values.push((word.clone(), words.next().cloned().unwrap_or_default()));
            } else if word.starts_with('-') {
                read.flags.push(word.clone());
            } else {
                read.names.push(word.clone());
            }
        }
        read
    }

    fn value(&self, flag: &str) -> Option<&str> {
        self.values.iter().find(|(found, _)| found == flag).map(|(_, value)| value.as_str())
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|found| found == flag)
    }

    /// `-o name=value`
    fn properties(&self) -> BTreeMap<String, String> {
        let pairs = self.values.iter().filter(|(flag, _)| flag == "-o");
        pairs
            .filter_map(|(_, text)| text.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }
}

fn missing(name: &str) -> String {
    format!("cannot open '{name}': dataset does not exist")
}

/// Everything but streams.
fn short(home: &Path, model: &mut Model, verb: &str, words: &Words) -> Result<(), String> {
    let names = &words.names;
    match verb {
        "list" => show(model, words, names, |model, name| {
            let columns = words.value("-o").unwrap_or("name").split(',');
            let row: Vec<String> = columns.map(|column| property(model, name, column).0).collect();
            println!("{}", row.join("\t"));
        }),
        "get" => {
            let (wanted, names) = names.split_first().ok_or("no property")?;
            show(model, words, names, |model, name| {
                for wanted in wanted.split(',') {
                    let (value, source) = property(model, name, wanted);
                    if words.value("-s") == Some("local") && source != "local" {
                        continue;
                    }
                    let columns = words.value("-o").unwrap_or("name,property,value,source").split(',');
                    let row: Vec<&str> = columns
                        .map(|column| match column {
                            "name" => name,
                            "property" => wanted,
                            "value" => &value,
                            _ => source,
                        })
                        .collect();
                    println!("{}", row.join("\t"));
                }
            })
        }
        "snapshot" => {
            for name in names {
                let (dataset, tag) = name.split_once('@').ok_or("no snapshot name")?;
                if model.snapshot(name).is_some() {
                    return Err(format!("cannot create snapshot '{name}': dataset already exists"));
                }
                model.txg += 1;
                let (txg, size) = (model.txg, next_size(home));
                let into = model.datasets.get_mut(dataset).ok_or_else(|| missing(dataset))?;
                let (properties, holds) = (words.properties(), BTreeMap::new());
                let tag = tag.to_owned();
                into.snapshots.push(Snapshot {
                    tag,
                    guid: new_guid(),
                    txg,
                    creation: now(),
                    size,
                    properties,
                    holds,
                });
            }
            Ok(())
        }
        "hold" | "release" | "holds" => holds(model, verb, names),
        "bookmark" => {
            let [from, to] = &names[..] else { return Err("two names are needed".into()) };
            let of = model.snapshot(from).ok_or_else(|| missing(from))?.clone();
            let (dataset, tag) = to.split_once('#').ok_or("no bookmark name")?;
            let marks = &mut model.datasets.get_mut(dataset).ok_or_else(|| missing(dataset))?.bookmarks;
            if marks.iter().any(|mark| mark.tag == tag) {
                return Err(format!("cannot create bookmark '{to}': bookmark exists"));
            }
            marks.push(Bookmark { tag: tag.to_owned(), guid: of.guid, txg: of.txg, creation: of.creation });
            Ok(())
        }
        "destroy" => names.iter().try_for_each(|name| destroy(model, name)),
        "create" => {
            for name in names {
                model.add(name).properties = words.properties();
            }
            Ok(())
        }
        "set" => {
            let (pairs, names): (Vec<&String>, Vec<&String>) =
                names.iter().partition(|name| name.contains('='));
            for name in names {
                let properties = match name.contains('@') {
                    true => &mut model.snapshot(name).ok_or_else(|| missing(name))?.properties,
                    false => {
                        &mut model.datasets.get_mut(name.as_str()).ok_or_else(|| missing(name))?.properties
                    }
                };
                properties.extend(
                    pairs.iter().filter_map(|p| p.split_once('=')).map(|(k, v)| (k.into(), v.into())),
                );
            }
            Ok(())
        }
        other => Err(format!("unrecognized command '{other}'")),
    }
}

fn holds(model: &mut Model, verb: &str, names: &[String]) -> Result<(), String> {
    if verb == "holds" {
        for name in names {
            for (tag, since) in &model.snapshot(name).ok_or_else(|| missing(name))?.holds {
                println!("{name}\t{tag}\t{since}");
            }
        }
        return Ok(());
    }
    let (tag, names) = names.split_first().ok_or("no tag")?;
    let mut complaints = Vec::new();
    for name in names {
        let holds = &mut model.snapshot(name).ok_or_else(|| missing(name))?.holds;
        let bad = match verb {
            "hold" => holds
                .insert(tag.clone(), now())
                .map(|_| "hold snapshot '{}': tag already exists on this dataset"),
            _ => holds
                .remove(tag)
                .is_none()
                .then_some("release hold from snapshot '{}': no such tag on this dataset"),
        };
        complaints.extend(bad.map(|bad| format!("cannot {}", bad.replace("{}", name))));
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

fn destroy(model: &mut Model, name: &str) -> Result<(), String> {
    if let Some((dataset, tag)) = name.split_once('#') {
        let dataset = model.datasets.get_mut(dataset).ok_or_else(|| missing(dataset))?;
        dataset.bookmarks.retain(|mark| mark.tag != tag);
        return Ok(());
    }
    let Some((dataset, tag)) = name.split_once('@') else {
        return Err("datasets are not destroyed here".into());
    };
    let snapshot =
        model.snapshot(name).ok_or("could not find any snapshots to destroy; check snapshot names.")?;
    if !snapshot.holds.is_empty() {
        return Err(format!("cannot destroy snapshot {name}: dataset is busy"));
    }
    model.datasets.get_mut(dataset).unwrap().snapshots.retain(|snapshot| snapshot.tag != tag);
    Ok(())
}

/// Calls `line` for each object that `names`, `-r`, `-d` and `-t` mean.
fn show(
    model: &Model,
    words: &Words,
    names: &[String],
    mut line: impl FnMut(&Model, &str),
) -> Result<(), String> {
    let kinds = words.value("-t").unwrap_or("filesystem,volume,snapshot,bookmark");
    let mut complaints = Vec::new();
    for name in names {
        let (dataset, part) = name.split_at(name.find(['@', '#']).unwrap_or(name.len()));
        let Some(found) = model.datasets.get(dataset) else {
            complaints.push(missing(name));
            continue;
        };
        if !part.is_empty() {
            let there = match part.split_at(1) {
                ("@", tag) => found.snapshots.iter().any(|snapshot| snapshot.tag == tag),
                (_, tag) => found.bookmarks.iter().any(|mark| mark.tag == tag),
            };
            if there {
                line(model, name)
            } else {
                complaints.push(missing(name))
            }
            continue;
        }
        let depth = match words.value("-d") {
            Some(depth) => depth.parse().unwrap_or(0),
            None if words.flags.iter().any(|flag| flag.contains('r')) => usize::MAX,
            None => 0,
        };
        let below = |other: &str| {
            let rest = other.strip_prefix(dataset)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.matches('/').count())
        };
        for (other, found) in &model.datasets {
            let Some(level) = below(other).filter(|level| *level <= depth) else { continue };
            line(model, other);
            if level >= depth {
                continue;
            }
            let snapshots = found.snapshots.iter().filter(|_| kinds.contains("snapshot"));
            snapshots.for_each(|snapshot| line(model, &format!("{other}@{}", snapshot.tag)));
            let marks = found.bookmarks.iter().filter(|_| kinds.contains("bookmark"));
            marks.for_each(|mark| line(model, &format!("{other}#{}", mark.tag)));
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

/// A property's value and where it comes from.
fn property(model: &Model, full: &str, wanted: &str) -> (String, &'static str) {
    let (name, part) = full.split_at(full.find(['@', '#']).unwrap_or(full.len()));
    let dataset = &model.datasets[name];
    let tag = part.get(1..).unwrap_or_default();
    let snapshot = dataset.snapshots.iter().find(|snapshot| part.starts_with('@') && snapshot.tag == tag);
    let mark = dataset.bookmarks.iter().find(|mark| part.starts_with('#') && mark.tag == tag);
    let local = if part.is_empty() {
        dataset.properties.get(wanted)
    } else {
        snapshot.and_then(|s| s.properties.get(wanted))
    };
    if let Some(value) = local {
        return (value.clone(), "local");
    }
    let (guid, txg, creation) = match (snapshot, mark) {
        (Some(s), _) => (s.guid, s.txg, s.creation),
        (_, Some(m)) => (m.guid, m.txg, m.creation),
        _ => (dataset.guid, dataset.txg, dataset.creation),
    };
    let kind = match part.chars().next() {
        Some('@') => "snapshot",
        Some(_) => "bookmark",
        None => "filesystem",
    };
    let value = match wanted {
        "name" => full.to_owned(),
        "type" => kind.to_owned(),
        "guid" => guid.to_string(),
        "createtxg" => txg.to_string(),
        "creation" => creation.to_string(),
        "userrefs" => snapshot.map_or("-".into(), |snapshot| snapshot.holds.len().to_string()),
        "available" if part.is_empty() => (1u64 << 40).to_string(),
        "written" | "referenced" if snapshot.is_some() => snapshot.map_or(0, |s| s.size).to_string(),
        "used" | "referenced" | "written" => "0".to_owned(),
        "mounted" if part.is_empty() => "no".to_owned(),
        "readonly" if part.is_empty() => "off".to_owned(),
        "receive_resume_token" if part.is_empty() => {
            dataset.partial.as_ref().map_or("-".to_owned(), Partial::token)
        }
        other if other.starts_with("written@") => "0".to_owned(),
        _ => "-".to_owned(),
    };
    let source = if value == "-" { "-" } else { "default" };
    (value, source)
}

/// The streams that these words mean, one for each snapshot.
fn heads(home: &Path, words: &[String]) -> Result<Vec<Head>, String> {
    if let Some(at) = words.iter().position(|word| word.starts_with('-') && word.ends_with('t')) {
        let head = words.get(at + 1).and_then(|token| read_token(token));
        let head = head.ok_or("cannot resume send: resume token is corrupt")?;
        // What a token says can be read anywhere, also where its snapshot is not.
        if words.iter().any(|word| word.starts_with("-n")) {
            return Ok(vec![head]);
        }
        return with(home, |model| match model.snapshot(&head.to_name) {
            Some(snapshot) if snapshot.guid == head.snapshot.guid => Ok(vec![head]),
            _ => Err(format!(
                "cannot resume send: '{}' used in the initial send no longer exists",
                head.to_name
            )),
        });
    }
    let words = Words::read(words, "send");
    let name = words.names.last().ok_or("no snapshot")?.clone();
    with(home, |model| {
        let to = model.snapshot(&name).ok_or_else(|| missing(&name))?.clone();
        let (dataset_name, _) = name.split_once('@').unwrap();
        let dataset = &model.datasets[dataset_name];
        let base = |word: &str| {
            let tag = &word[1..];
            let snapshot = dataset.snapshots.iter().find(|s| word.starts_with('@') && s.tag == tag);
            let mark = dataset.bookmarks.iter().find(|m| word.starts_with('#') && m.tag == tag);
            snapshot.map(|s| (s.guid, s.txg)).or(mark.map(|m| (m.guid, m.txg)))
        };
        let head = |snapshot: &Snapshot, from: Option<u64>| Head {
            snapshot: Snapshot { properties: BTreeMap::new(), holds: BTreeMap::new(), ..snapshot.clone() },
            to_name: format!("{dataset_name}@{}", snapshot.tag),
            from,
            offset: 0,
        };
        if let Some(word) = words.value("-i") {
            let (guid, _) = base(word).ok_or_else(|| missing(word))?;
            return Ok(vec![head(&to, Some(guid))]);
        }
        let Some(word) = words.value("-I") else { return Ok(vec![head(&to, None)]) };
        let (mut from, after) = base(word).ok_or_else(|| missing(word))?;
        let between = dataset.snapshots.iter().filter(|s| s.txg > after && s.txg <= to.txg);
        Ok(between.map(|s| head(s, Some(std::mem::replace(&mut from, s.guid)))).collect())
    })
}

fn send(home: &Path, words: &[String]) -> Result<(), String> {
    let heads = heads(home, words)?;
    let dry = words.iter().find(|word| word.starts_with("-n"));
    let size: u64 = heads.iter().map(|head| head.snapshot.size - head.offset).sum();
    match dry.map(String::as_str) {
        Some("-nvt") => {
            let head = &heads[0];
            println!("resume token contents:\nnvlist version: 0\n\tobject = 0x1\n\toffset = 0x0");
            println!(
                "\tbytes = {:#x}\n\ttoguid = {:#x}\n\ttoname = {}",
                head.offset, head.snapshot.guid, head.to_name
            );
            if let Some(from) = head.from {
                println!("\tfromguid = {from:#x}");
            }
            return Ok(());
        }
        Some(_) => {
            println!("size\t{size}");
            return Ok(());
        }
        None => {}
    }
    let progress = words.iter().any(|word| word.starts_with("-v") || word.ends_with("vP") || word == "-P");
    let mut out = std::io::stdout().lock();
    let broken = |error: std::io::Error| format!("cannot send: {error}");
    let (mut sent, mut told) = (0u64, std::time::Instant::now());
    let rate: Option<f64> = fs::read_to_string(home.join("rate")).ok().and_then(|text| text.parse().ok());
    let began = std::time::Instant::now();
    if progress {
        eprintln!("size\t{size}");
    }
    for head in heads {
        let mut line = serde_json::to_vec(&head).unwrap();
        line.push(b'\n');
        out.write_all(&line).map_err(broken)?;
        let mut payload = Payload::of(&head.snapshot, head.offset);
        while let Some(block) = payload.next() {
            out.write_all(block).map_err(broken)?;
            sent += block.len() as u64;
            if let Some(rate) = rate {
                let due = std::time::Duration::from_secs_f64(sent as f64 / rate);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            if progress && told.elapsed().as_secs() >= 1 {
                told = std::time::Instant::now();
                eprintln!("00:00:00\t{sent}\t{}", head.to_name);
            }
        }
        out.write_all(END).map_err(broken)?;
    }
    out.flush().map_err(broken)
}

fn receive(home: &Path, words: &[String]) -> Result<(), String> {
    let words = Words::read(words, "receive");
    let into = words.names.last().ok_or("no name")?.clone();
    if words.has("-A") {
        return with(home, |model| {
            let found = model.datasets.get_mut(&into);
            let Some(partial) = found.and_then(|found| found.partial.take()) else {
                return Err(format!("'{into}' does not have any resumable receive state to abort"));
            };
            let _ = fs::remove_file(partial.file);
            // A dataset that never got a whole snapshot goes with what was to be its first.
            model.datasets.retain(|name, found| *name != into || !found.snapshots.is_empty());
            Ok(())
        });
    }
    let mut input = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let mut first = true;
    loop {
        let mut line = Vec::new();
        let _ = input.read_until(b'\n', &mut line);
        if line.is_empty() {
            // After a whole snapshot this is the end; before any, it is a stream that never came.
            return if first { Err("cannot receive: failed to read from stream".into()) } else { Ok(()) };
        }
        if first {
            log(home, &format!("first byte into {into} by {}", std::process::id()));
        }
        first = false;
        let head: Head =
            serde_json::from_slice(&line).map_err(|_| "cannot receive: invalid stream (bad magic number)")?;
        one(home, &into, head, words.properties(), &mut input)?;
    }
}

/// Receives one snapshot, or keeps what came of it.
fn one(
    home: &Path,
    into: &str,
    head: Head,
    properties: BTreeMap<String, String>,
    input: &mut impl Read,
) -> Result<(), String> {
    let partial = with(home, |model| begin(home, model, into, &head))?;
    let mut file = File::options().create(true).append(true).open(&partial.file).unwrap();
    if file.try_lock().is_err() {
        return Err(format!("cannot receive resume stream: destination '{into}' is busy"));
    }
    // Only now nobody else writes to it: is it still where this stream goes on?
    let there = file.metadata().unwrap().len();
    if there / BLOCK * BLOCK != head.offset {
        return Err(
            "cannot receive resume stream: kernel modules must be upgraded to receive this stream.".into()
        );
    }
    file.set_len(head.offset).unwrap();
    let mut left = head.snapshot.size - head.offset;
    let mut block = vec![0; BLOCK as usize];
    let discard = home.join("discard").exists();
    while left > 0 {
        let want = left.min(BLOCK) as usize;
        if input.read_exact(&mut block[..want]).is_err() {
            return Err(cut(&partial));
        }
        if !discard {
            file.write_all(&block[..want]).unwrap();
        }
        left -= want as u64;
    }
    let mut end = [0; END.len()];
    if input.read_exact(&mut end).is_err() || &end != END {
        return Err(cut(&partial));
    }
    with(home, |model| {
        model.txg += 1;
        let txg = model.txg;
        let dataset = model.datasets.get_mut(into).ok_or_else(|| missing(into))?;
        dataset.partial = None;
        dataset.properties.extend(properties);
        dataset.snapshots.push(Snapshot { txg, ..head.snapshot.clone() });
        fs::rename(&partial.file, received(home, head.snapshot.guid)).unwrap();
        Ok(())
    })
}

/// Where the bytes of a snapshot that arrived lie.
pub fn received(home: &Path, guid: u64) -> PathBuf {
    home.join(format!("received-{guid:x}"))
}

/// Where the bytes of a snapshot that is arriving lie.
pub fn arriving(home: &Path, guid: u64) -> PathBuf {
    home.join(format!("arriving-{guid:x}"))
}

fn begin(home: &Path, model: &mut Model, into: &str, head: &Head) -> Result<Partial, String> {
    let resuming = head.offset > 0;
    if !model.datasets.contains_key(into) {
        if head.from.is_some() {
            return Err(format!("cannot receive incremental stream: destination '{into}' does not exist"));
        }
        model.add(into);
    }
    let dataset = model.datasets.get_mut(into).unwrap();
    match (&dataset.partial, resuming) {
        (Some(partial), _)
            if partial.head.snapshot.guid == head.snapshot.guid && (resuming || partial.bytes() == 0) =>
        {
            return Ok(partial.clone());
        }
        (Some(_), _) => {
            return Err(format!(
                "cannot receive new filesystem stream: destination {into} contains partially-complete state from \"zfs receive -s\"."
            ));
        }
        (None, true) => {
            return Err(
                "cannot receive resume stream: kernel modules must be upgraded to receive this stream."
                    .into(),
            );
        }
        (None, false) => {}
    }
    let newest = dataset.snapshots.last().map(|snapshot| snapshot.guid);
    if newest != head.from {
        return Err(
            "cannot receive incremental stream: most recent snapshot does not match incremental source"
                .into(),
        );
    }
    let partial = Partial { head: head.clone(), file: arriving(home, head.snapshot.guid) };
    dataset.partial = Some(partial.clone());
    Ok(partial)
}

fn cut(partial: &Partial) -> String {
    format!(
        "cannot receive: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.\nA resuming stream can be generated on the sending system by running:\n    zfs send -t {}",
        partial.token()
    )
}
