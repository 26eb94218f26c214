//! The list of parts on the page about this installation is the lock file's: what is linked in is named there with
//! the version that is linked in.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;

const LOCK: &str = include_str!("../Cargo.lock");
const MANIFEST: &str = include_str!("../Cargo.toml");
const PARTS: &str = include_str!("../src/web/parts.tsv");

/// Name and version of everything in the lock file.
fn locked() -> BTreeSet<(String, String)> {
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(rest.trim_end_matches('"').to_owned())
    };
    LOCK.split("[[package]]")
        .filter_map(|package| {
            let name = package.lines().find_map(|line| value(line, "name"))?;
            let version = package.lines().find_map(|line| value(line, "version"))?;
            Some((name, version))
        })
        .collect()
}

#[test]
fn every_part_that_is_shown_is_linked_in_with_that_version() {
    let locked = locked();
    assert!(locked.len() > 100, "the lock file was read");
    let mut shown = 0;
    for line in PARTS.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(columns.len(), 3, "name, version, licence: {line}");
        let part = (columns[0].to_owned(), columns[1].to_owned());
        assert!(
            locked.contains(&part),
            "{} {} is not in Cargo.lock: renew src/web/parts.tsv",
            part.0,
            part.1
        );
        shown += 1;
    }
    assert!(shown > 100, "{shown} parts");
}

#[test]
fn every_direct_dependency_is_among_the_parts_that_are_shown() {
    let shown: BTreeSet<&str> = PARTS.lines().filter_map(|line| line.split('\t').next()).collect();
    let section = MANIFEST.split("\n[dependencies]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let names = section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let mut found = 0;
    for (name, _) in names.filter(|(name, _)| !name.starts_with([' ', '"', ']', '}'])) {
        let name = name.trim();
        assert!(shown.contains(name), "{name} is not shown: renew src/web/parts.tsv");
        found += 1;
    }
    assert!(found > 20, "{found} dependencies");
}
