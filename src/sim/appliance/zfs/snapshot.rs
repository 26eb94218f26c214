//! `zfs snapshot`, `bookmark`, `hold`, `release`, `holds`.

use std::collections::BTreeSet;

use super::super::model::dataset::Bookmark;
use super::super::model::properties::check;
use super::super::model::{Properties, Source, State, Target, now};
use super::create::value;
use super::{Options, Reply, usage};

pub(super) const USAGE: &str = "\tsnapshot [-r] [-o property=value] ... <filesystem|volume>@<snap> ...\n";

pub(super) fn run(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "ro:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let mut wanted: Vec<(String, String)> = Vec::new();
    for name in &options.rest {
        let Target::Snapshot(dataset, tag) = Target::parse(name) else {
            return Reply::fails(
                2,
                format!("cannot create snapshot '{name}': missing '@' delimiter in snapshot name"),
            );
        };
        if !state.datasets.contains_key(dataset) {
            let told = format!("cannot open '{dataset}': dataset does not exist\n{}", usage(USAGE));
            return Reply::fails(2, told);
        }
        let below = if options.has('r') { state.tree_of(dataset) } else { vec![dataset.to_owned()] };
        wanted.extend(below.into_iter().map(|dataset| (dataset, tag.to_owned())));
    }
    let several = wanted.len() > 1;
    let refuse = |told: String| {
        let more = if several { "\nno snapshots were created" } else { "" };
        Reply::fails(1, format!("{told}{more}"))
    };
    let datasets: BTreeSet<&String> = wanted.iter().map(|(dataset, _)| dataset).collect();
    if datasets.len() < wanted.len() {
        return refuse("cannot create snapshots : multiple snapshots of same fs not allowed".to_owned());
    }
    let mut properties = Properties::new();
    for (property, text) in options.pairs('o') {
        if let Err(why) = check(&property, &text) {
            return refuse(format!("cannot create snapshots : {why}"));
        }
        properties.insert(property, value(&text, Source::Local));
    }
    for (dataset, tag) in &wanted {
        if state.has(&format!("{dataset}@{tag}")) {
            return refuse(format!("cannot create snapshot '{dataset}@{tag}': dataset already exists"));
        }
        if state.available(dataset) < 32 << 10 {
            return refuse("cannot create snapshots : out of space".to_owned());
        }
    }
    let txg = state.next_txg();
    for (dataset, tag) in &wanted {
        state.snapshot_in(dataset, tag, txg, properties.clone());
    }
    Reply::default()
}

pub(super) fn bookmark(state: &mut State, words: &[String]) -> Reply {
    let [source, name] = words else { return Reply::fails(2, "missing source argument") };
    let Target::Bookmark(dataset, tag) = Target::parse(name) else {
        return Reply::fails(1, format!("cannot create bookmark '{name}': bookmark name must contain a '#'"));
    };
    let dataset = if dataset.is_empty() { Target::parse(source).dataset() } else { dataset };
    let made = match Target::parse(source) {
        Target::Snapshot(of, from) => state.datasets.get(of).and_then(|found| {
            let snapshot = found.snapshot(from)?;
            Some(Bookmark {
                guid: snapshot.guid,
                createtxg: snapshot.createtxg,
                creation: snapshot.creation,
                referenced: State::referenced(found, &snapshot.tree),
                ivset: snapshot.ivset,
            })
        }),
        Target::Bookmark(of, from) => {
            state.datasets.get(of).and_then(|found| found.bookmarks.get(from)).cloned()
        }
        Target::Dataset(_) => None,
    };
    let Some(made) = made else {
        let lines = "\tbookmark <snapshot|bookmark> <newbookmark>\n";
        return Reply::fails(2, format!("cannot open '{source}': dataset does not exist\n{}", usage(lines)));
    };
    let (dataset, tag) = (dataset.to_owned(), tag.to_owned());
    state.next_txg();
    match state.datasets.get_mut(&dataset) {
        Some(found) if found.bookmarks.contains_key(&tag) => {
            Reply::fails(1, format!("cannot create bookmark '{name}': bookmark exists"))
        }
        Some(found) => {
            found.bookmarks.insert(tag, made);
            Reply::default()
        }
        None => Reply::fails(1, format!("cannot create bookmark '{name}': dataset does not exist")),
    }
}

/// The snapshots that operands name, with `-r` those of that tag below too.
fn named(state: &State, names: &[String], below: bool) -> Vec<String> {
    let mut all = Vec::new();
    for name in names {
        match Target::parse(name) {
            Target::Snapshot(dataset, tag) if below && state.datasets.contains_key(dataset) => {
                let tree = state.tree_of(dataset).into_iter().map(|dataset| format!("{dataset}@{tag}"));
                all.extend(tree.filter(|name| state.has(name)));
            }
            _ => all.push(name.clone()),
        }
    }
    all
}

/// `[-r] TAG SNAPSHOT…`: the tag, and every snapshot that is meant.
fn tag_and_names(state: &State, words: &[String]) -> Result<(String, Vec<String>), Reply> {
    let options = Options::read(words, "r").map_err(|error| Reply::fails(2, error))?;
    let (tag, names) = options.rest.split_first().ok_or_else(|| Reply::fails(2, "missing tag argument"))?;
    Ok((tag.clone(), named(state, names, options.has('r'))))
}

pub(super) fn hold(state: &mut State, words: &[String]) -> Reply {
    let (hold, names) = match tag_and_names(state, words) {
        Ok(given) => given,
        Err(reply) => return reply,
    };
    let mut reply = Reply::default();
    for name in names {
        let Target::Snapshot(dataset, tag) = Target::parse(&name) else {
            reply.complain(format!("'{name}' is not a snapshot"));
            continue;
        };
        let found = state.datasets.get_mut(dataset).and_then(|dataset| dataset.snapshot_mut(tag));
        match found {
            None => reply.complain(format!("cannot hold snapshot '{name}': dataset does not exist")),
            Some(snapshot) if snapshot.holds.contains_key(&hold) => {
                reply.complain(format!("cannot hold snapshot '{name}': tag already exists on this dataset"));
            }
            Some(snapshot) => {
                snapshot.holds.insert(hold.clone(), now());
            }
        }
    }
    reply
}

pub(super) fn release(state: &mut State, words: &[String]) -> Reply {
    let (hold, names) = match tag_and_names(state, words) {
        Ok(given) => given,
        Err(reply) => return reply,
    };
    let mut reply = Reply::default();
    for name in names {
        let found = match Target::parse(&name) {
            Target::Snapshot(dataset, tag) => {
                state.datasets.get_mut(dataset).and_then(|found| found.snapshot_mut(tag))
            }
            _ => None,
        };
        let told = match found.map(|snapshot| snapshot.holds.remove(&hold)) {
            None => "dataset does not exist",
            Some(Some(_)) => continue,
            Some(None) => "no such tag on this dataset",
        };
        reply.complain(format!("cannot release hold from snapshot '{name}': {told}"));
    }
    reply
}

pub(super) fn holds(state: &State, words: &[String]) -> Reply {
    let options = match Options::read(words, "rHp") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let mut reply = Reply::default();
    let (mut rows, mut found_any) = (Vec::new(), false);
    for name in named(state, &options.rest, options.has('r')) {
        let found = match Target::parse(&name) {
            Target::Snapshot(dataset, tag) => {
                state.datasets.get(dataset).and_then(|found| found.snapshot(tag))
            }
            _ => None,
        };
        let Some(snapshot) = found else {
            reply.complain(format!("cannot open '{name}': dataset does not exist"));
            continue;
        };
        found_any = true;
        for (hold, since) in &snapshot.holds {
            let time = if options.has('p') {
                since.to_string()
            } else {
                jiff::Timestamp::from_second(*since)
                    .map_or_else(|_| since.to_string(), |time| time.strftime("%a %b %e %H:%M %Y").to_string())
            };
            rows.push(vec![name.clone(), hold.clone(), time]);
        }
    }
    if !found_any && reply.exit != 0 {
        reply.complain("no datasets available");
    }
    let titles = ["NAME", "TAG", "TIMESTAMP"].map(str::to_owned).to_vec();
    reply.stdout = super::list::table(rows, titles, options.has('H'));
    reply
}
