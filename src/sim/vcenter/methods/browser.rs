//! The datastore browser.

use std::time::Duration;

use super::disks::{delta_of, extent_of};
use super::{Answer, Ctx};
use crate::sim::files::FileEntry;
use crate::sim::vcenter::soap::{Data, Fault, Value, data};
use crate::sim::vcenter::world::{DatastorePath, Plan, World, described};

pub(super) fn search(c: &mut Ctx<'_>, method: &str) -> Answer {
    let owner = c.sight().owner(&c.this).ok_or_else(|| Fault::gone(&c.this))?;
    let datacenter = c.world.datacenter_of(&owner);
    let at = c.world.datastore_path(&c.text("datastorePath")?, datacenter.as_ref())?;
    let spec = c.args.data("searchSpec").cloned().unwrap_or_else(|| data("HostDatastoreBrowserSearchSpec"));
    let check = match at.path.is_empty() || c.world.exists(&at)? {
        true => Ok(()),
        false => Err(Fault::file_not_found(&at.to_string())),
    };
    let deep = method == "SearchDatastoreSubFolders_Task";
    let (name, description) = match deep {
        true => ("SearchDatastoreSubFolders_Task", "host.DatastoreBrowser.searchSubFolders"),
        false => ("SearchDatastore_Task", "host.DatastoreBrowser.search"),
    };
    let plan = Plan {
        method: name,
        description,
        entity: owner.clone(),
        lasts: Duration::from_millis(500),
        cancelable: true,
        locks: None,
        check,
        work: Box::new(move |world| {
            let mut found = Vec::new();
            look(world, &owner, &at, &spec, deep, &mut found)?;
            let first = found.first().cloned();
            Ok(match deep {
                true => Some(Value::typed("HostDatastoreBrowserSearchResults", found)),
                false => first.map(Value::Data),
            })
        }),
    };
    c.start(plan)
}

/// `*` and `?` in a file name; letters are compared without their case if so wanted.
fn fits(pattern: &str, name: &str) -> bool {
    fn inner(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=name.len()).any(|skip| inner(rest, &name[skip..])),
            (Some(('?', rest)), Some((_, name))) => inner(rest, name),
            (Some((letter, rest)), Some((other, name))) => letter == other && inner(rest, name),
            _ => false,
        }
    }
    // A pattern with many stars would take for ever; no client sends one.
    let pattern: Vec<char> = pattern.chars().take(80).collect();
    pattern.iter().filter(|letter| **letter == '*').count() <= 4
        && inner(&pattern, &name.chars().collect::<Vec<_>>())
}

fn look(
    world: &World,
    owner: &crate::sim::vcenter::soap::Moref,
    at: &DatastorePath,
    spec: &Data,
    deep: bool,
    found: &mut Vec<Data>,
) -> Result<(), Fault> {
    let entries = world.list(at)?;
    let patterns: Vec<_> = spec.list("matchPattern").iter().filter_map(Value::text).collect();
    let queries: Vec<_> = spec.list("query").iter().filter_map(Value::data).collect();
    let insensitive = spec.flag("searchCaseInsensitive").unwrap_or(true);
    let named = |name: &str| {
        let low = name.to_ascii_lowercase();
        patterns.is_empty()
            || patterns.iter().any(|pattern| match insensitive {
                true => fits(&pattern.to_ascii_lowercase(), &low),
                false => fits(pattern, name),
            })
    };
    let is_disk = |name: &str| {
        entries.iter().any(|other| {
            other.name().ends_with(".vmdk") && {
                let base = at.at(other.path.clone());
                [extent_of(&base), delta_of(&base)]
                    .iter()
                    .any(|extent| extent.path.ends_with(&format!("/{name}")) || extent.path == name)
            }
        })
    };
    let mut files = Vec::new();
    for entry in &entries {
        // The browser shows a disk as one file, not its descriptor and its extent.
        if is_disk(entry.name()) || !named(entry.name()) {
            continue;
        }
        let info = describe(world, at, entry);
        let wanted = queries.is_empty() || queries.iter().any(|query| asks_for(query.ty, info.ty));
        if wanted {
            files.push(info);
        }
    }
    let path = if at.path.is_empty() { at.to_string() } else { format!("{at}/") };
    found.push(
        data("HostDatastoreBrowserSearchResults")
            .with("datastore", owner)
            .with("folderPath", path)
            .with("file", files),
    );
    if deep {
        for directory in entries.iter().filter(|entry| entry.directory) {
            look(world, owner, &at.at(directory.path.clone()), spec, deep, found)?;
        }
    }
    Ok(())
}

fn asks_for(query: &str, info: &str) -> bool {
    query == "FileQuery" || query.strip_suffix("Query") == info.strip_suffix("Info")
}

fn describe(world: &World, at: &DatastorePath, entry: &FileEntry) -> Data {
    let name = entry.name();
    let ty = match name.rsplit_once('.').map(|(_, ending)| ending) {
        _ if entry.directory => "FolderFileInfo",
        Some("vmdk") => "VmDiskFileInfo",
        Some("vmx") => "VmConfigFileInfo",
        Some("log") => "VmLogFileInfo",
        Some("nvram") => "VmNvramFileInfo",
        Some("iso") => "IsoImageFileInfo",
        _ => "FileInfo",
    };
    let mut size = entry.size;
    let mut info =
        data(ty).with("path", name.to_owned()).with("modification", entry.modified).with("owner", "root");
    if ty == "VmDiskFileInfo" {
        let path = at.at(entry.path.clone());
        for extent in [extent_of(&path), delta_of(&path)] {
            size += world.look(&extent).ok().flatten().map_or(0, |extent| extent.size);
        }
        let content = world.read(&path).unwrap_or_default();
        if let Some(disk) = described(&String::from_utf8_lossy(&content)) {
            info.set("diskType", "VirtualDiskFlatVer2BackingInfo");
            info.set("capacityKb", disk.capacity / 1024);
            info.set("thin", true);
        }
    }
    info.with("fileSize", size)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        assert!(fits("*.vmdk", "web01.vmdk") && fits("web??.vmx", "web01.vmx") && fits("*", ""));
        assert!(!fits("*.vmdk", "web01.vmx") && !fits("web?", "web01"));
    }
}
