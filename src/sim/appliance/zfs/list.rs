//! `zfs list`.

use super::super::model::{State, Target};
use super::{Options, Reply, human};

/// Which kinds of things are shown.
pub(super) struct Kinds(Vec<String>);

impl Kinds {
    pub(super) fn parse(text: &str) -> Self {
        let kinds = text.split(',').map(|kind| match kind {
            "fs" | "filesystem" => "filesystem",
            "vol" | "volume" => "volume",
            "snap" | "snapshot" => "snapshot",
            other => other,
        });
        Self(kinds.map(str::to_owned).collect())
    }

    fn has(&self, kind: &str) -> bool {
        self.0.iter().any(|known| known == kind || known == "all")
    }
}

/// How deep and what: the things below the operands, as `list` and `get` walk them, and complaints on names that
/// are not there.
pub(super) fn walk(
    state: &State,
    options: &Options,
    kinds: Option<&Kinds>,
    operands: &[String],
    reply: &mut Reply,
) -> Vec<String> {
    let depth = match options.value('d') {
        Some(text) => text.parse().unwrap_or(usize::MAX),
        None if options.has('r') => usize::MAX,
        None => 0,
    };
    let mut names = Vec::new();
    if operands.is_empty() {
        for pool in state.pools.keys() {
            below(state, pool, usize::MAX, kinds, &mut names);
        }
    }
    for operand in operands {
        let name = operand.trim_start_matches('/');
        let hidden = name.strip_suffix("/%recv").is_some_and(|name| {
            state
                .datasets
                .get(name)
                .is_some_and(|dataset| dataset.partial.as_ref().is_some_and(|partial| partial.base.is_some()))
        });
        if hidden {
            names.push(name.to_owned());
        } else if !state.has(name) {
            reply.complain(format!("cannot open '{operand}': dataset does not exist"));
        } else if let Target::Dataset(_) = Target::parse(name) {
            // Without a depth, `-t snapshot` of a dataset means its own snapshots.
            let parts_wanted = kinds.is_some_and(|kinds| !kinds.has("filesystem") && !kinds.has("volume"));
            let depth = if depth == 0 && parts_wanted && options.value('d').is_none() { 1 } else { depth };
            below(state, name, depth, kinds, &mut names);
        } else {
            names.push(name.to_owned());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn below(state: &State, name: &str, depth: usize, kinds: Option<&Kinds>, names: &mut Vec<String>) {
    let Some(dataset) = state.datasets.get(name) else { return };
    let wanted = |kind: &str| kinds.is_none_or(|kinds| kinds.has(kind));
    if wanted(if dataset.is_volume() { "volume" } else { "filesystem" }) {
        names.push(name.to_owned());
    }
    if depth == 0 {
        return;
    }
    if wanted("snapshot") {
        names.extend(dataset.snapshots.iter().map(|snapshot| format!("{name}@{}", snapshot.tag)));
    }
    if wanted("bookmark") {
        let mut marks: Vec<_> = dataset.bookmarks.iter().collect();
        marks.sort_by_key(|(_, bookmark)| bookmark.createtxg);
        names.extend(marks.iter().map(|(tag, _)| format!("{name}#{tag}")));
    }
    for child in state.children(name) {
        below(state, &child, depth.saturating_sub(1), kinds, names);
    }
}

/// A property as a column: in full figures with `-p`, otherwise as people read it.
pub(super) fn shown(state: &State, name: &str, property: &str, exact: bool) -> (String, String) {
    let dash = || ("-".to_owned(), "-".to_owned());
    if let Some(real) = name.strip_suffix("/%recv") {
        return match property {
            "name" => (name.to_owned(), "-".to_owned()),
            _ => state.property(Target::Dataset(real), property).unwrap_or_else(dash),
        };
    }
    if property == "name" {
        return (name.to_owned(), "-".to_owned());
    }
    let property = match property {
        "avail" => "available",
        "refer" => "referenced",
        other => other,
    };
    let Some((value, source)) = state.property(Target::parse(name), property) else { return dash() };
    let sized = matches!(
        property,
        "used"
            | "available"
            | "referenced"
            | "written"
            | "quota"
            | "refquota"
            | "reservation"
            | "volsize"
            | "recordsize"
    ) || property.starts_with("written@");
    let value = match value.parse::<u64>() {
        Ok(0) if !exact && property.ends_with("quota") => "none".to_owned(),
        Ok(number) if !exact && sized => human(number),
        Ok(number) if !exact && property == "creation" => jiff::Timestamp::from_second(number.cast_signed())
            .map_or(value, |time| time.strftime("%a %b %e %H:%M %Y").to_string()),
        _ => value,
    };
    (value, source)
}

pub(super) fn run(state: &State, words: &[String]) -> Reply {
    let options = match Options::read(words, "Hprd:o:t:s:S:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let columns: Vec<&str> =
        options.value('o').unwrap_or("name,used,available,referenced,mountpoint").split(',').collect();
    let only_parts = options.rest.iter().any(|name| name.contains(['@', '#']));
    let default = if only_parts { "all" } else { "filesystem,volume" };
    let kinds = Kinds::parse(options.value('t').unwrap_or(default));
    let mut reply = Reply::default();
    let mut names = walk(state, &options, Some(&kinds), &options.rest, &mut reply);
    if let Some(key) = options.value('s').or_else(|| options.value('S')) {
        let number = |name: &String| shown(state, name, key, true).0;
        names.sort_by_key(|name| (number(name).len(), number(name)));
        if options.has('S') {
            names.reverse();
        }
    }
    let rows: Vec<Vec<String>> = names
        .iter()
        .map(|name| columns.iter().map(|column| shown(state, name, column, options.has('p')).0).collect())
        .collect();
    let titles = columns.iter().map(|column| title(column)).collect();
    reply.stdout = table(rows, titles, options.has('H'));
    reply
}

fn title(column: &str) -> String {
    match column {
        "available" => "AVAIL".to_owned(),
        "referenced" => "REFER".to_owned(),
        other => other.to_uppercase(),
    }
}

/// Rows with tabs, or with a heading and columns that stand below each other.
pub(super) fn table(rows: Vec<Vec<String>>, titles: Vec<String>, scripted: bool) -> String {
    if scripted {
        return rows.iter().map(|row| row.join("\t") + "\n").collect();
    }
    if rows.is_empty() {
        return String::new();
    }
    let all: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    let width =
        |column: usize| all.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(index, cell)| format!("{cell:<width$}", width = width(index)))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}
