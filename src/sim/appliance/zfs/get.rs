//! `zfs get`, `set`, `inherit`.

use super::super::model::properties::{ALL, applies, check};
use super::super::model::{Source, State, Target, Value};
use super::list::{Kinds, shown, table, walk};
use super::{Options, Reply};

pub(super) fn run(state: &State, words: &[String]) -> Reply {
    let options = match Options::read(words, "Hprd:o:t:s:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let Some((wanted, operands)) = options.rest.split_first() else {
        return Reply::fails(2, "missing property argument");
    };
    let columns: Vec<&str> = options.value('o').unwrap_or("name,property,value,source").split(',').collect();
    let sources: Option<Vec<&str>> = options.value('s').map(|text| text.split(',').collect());
    let kinds = options.value('t').map(Kinds::parse);
    let mut reply = Reply::default();
    let mut rows = Vec::new();
    for name in walk(state, &options, kinds.as_ref(), operands, &mut reply) {
        let mut properties: Vec<String> = Vec::new();
        for property in wanted.split(',') {
            if property == "all" {
                let target = Target::parse(&name);
                properties.extend(
                    ALL.iter()
                        .filter(|known| state.property(target, known).is_some())
                        .map(|known| (*known).to_owned()),
                );
                properties.extend(state.user_properties(target));
            } else {
                properties.push(property.to_owned());
            }
        }
        for property in properties {
            let (value, source) = shown(state, &name, &property, options.has('p'));
            let kind = source.split(' ').next().unwrap_or_default();
            let kind = if kind == "-" { "none" } else { kind };
            if sources.as_ref().is_some_and(|sources| !sources.contains(&kind)) {
                continue;
            }
            let cell = |column: &&str| match *column {
                "name" => name.clone(),
                "property" => property.clone(),
                "value" => value.clone(),
                "source" => source.clone(),
                _ => "-".to_owned(),
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    let titles = columns.iter().map(|column| column.to_uppercase()).collect();
    reply.stdout = table(rows, titles, options.has('H'));
    reply
}

pub(super) fn set(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "u") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let pairs: Vec<(String, String)> = options
        .rest
        .iter()
        .map_while(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let names = &options.rest[pairs.len()..];
    let mut reply = Reply::default();
    for name in names {
        if !state.has(name) {
            reply.complain(format!("cannot open '{name}': dataset does not exist"));
            continue;
        }
        for (property, value) in &pairs {
            if let Err(why) = put(state, Target::parse(name), property, value, Source::Local) {
                reply.complain(format!("cannot set property for '{name}': {why}"));
                reply.exit = 255;
            }
        }
    }
    reply
}

/// Sets one property; the error is what follows `cannot set property for 'x': `.
pub(super) fn put(
    state: &mut State,
    target: Target<'_>,
    property: &str,
    value: &str,
    source: Source,
) -> Result<(), String> {
    check(property, value)?;
    let Some(dataset) = state.datasets.get_mut(target.dataset()) else { return Ok(()) };
    let value = Value { text: canonical(property, value), source };
    match target {
        Target::Snapshot(_, tag) => {
            if !property.contains(':') {
                return Err("this property can not be modified for snapshots".to_owned());
            }
            if let Some(snapshot) = dataset.snapshot_mut(tag) {
                snapshot.properties.insert(property.to_owned(), value);
            }
        }
        Target::Dataset(_) => {
            if !property.contains(':') && !applies(property, dataset.is_volume()) {
                return Err(format!("'{property}' does not apply to datasets of this type"));
            }
            if property == "volsize" {
                dataset.volsize = super::super::model::properties::bytes(&value.text);
                return Ok(());
            }
            if property == "mountpoint" && matches!(value.text.as_str(), "none" | "legacy") {
                dataset.mounted = false;
            }
            dataset.properties.insert(property.to_owned(), value);
        }
        Target::Bookmark(..) => return Err("operation not applicable to datasets of this type".to_owned()),
    }
    Ok(())
}

/// Sizes are kept in bytes.
fn canonical(property: &str, value: &str) -> String {
    let sized = ["quota", "refquota", "reservation", "refreservation", "recordsize", "volsize"];
    if !sized.contains(&property) {
        return value.to_owned();
    }
    match value {
        "none" => "0".to_owned(),
        _ => super::super::model::properties::bytes(value)
            .map_or_else(|| value.to_owned(), |bytes| bytes.to_string()),
    }
}

pub(super) fn inherit(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "rS") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let Some((property, names)) = options.rest.split_first() else {
        return Reply::fails(2, "missing property argument");
    };
    let mut reply = Reply::default();
    for name in names {
        if !state.has(name) {
            reply.complain(format!("cannot open '{name}': dataset does not exist"));
            continue;
        }
        let target = Target::parse(name);
        let Some(dataset) = state.datasets.get_mut(target.dataset()) else { continue };
        match target {
            Target::Snapshot(_, tag) => {
                if let Some(snapshot) = dataset.snapshot_mut(tag) {
                    snapshot.properties.remove(property);
                }
            }
            _ => {
                dataset.properties.remove(property);
            }
        }
    }
    reply
}
