//! What `zfs get` shows of a dataset, snapshot or bookmark.

use super::{Dataset, Source, State, Target, Value, parent};
use crate::sim::appliance::token;

/// Properties that can be set, with their defaults and values; an empty list of values allows any text.
const SETTABLE: &[(&str, &str, &[&str], bool)] = &[
    // name, default, values, inherited
    ("readonly", "off", &["on", "off"], true),
    ("canmount", "on", &["on", "off", "noauto"], false),
    ("atime", "on", &["on", "off"], true),
    ("sharenfs", "off", &[], true),
    ("sharesmb", "off", &[], true),
    ("compression", "on", &[], true),
    ("recordsize", "131072", &[], true),
    ("sync", "standard", &["standard", "always", "disabled"], true),
    ("logbias", "latency", &["latency", "throughput"], true),
    ("quota", "0", &[], false),
    ("refquota", "0", &[], false),
    ("reservation", "0", &[], false),
    ("refreservation", "0", &[], false),
    ("snapdir", "hidden", &["hidden", "visible"], true),
    ("xattr", "sa", &["on", "off", "sa", "dir"], true),
    ("acltype", "off", &[], true),
    ("checksum", "on", &[], true),
    ("copies", "1", &["1", "2", "3"], true),
    ("primarycache", "all", &["all", "none", "metadata"], true),
    ("mountpoint", "", &[], true),
    ("volsize", "", &[], false),
    ("keylocation", "none", &[], false),
];
/// Those that a volume does not have, and those that only a volume has.
const OF_FILESYSTEMS: &[&str] = &[
    "canmount",
    "atime",
    "sharenfs",
    "sharesmb",
    "recordsize",
    "mountpoint",
    "quota",
    "refquota",
    "snapdir",
    "xattr",
    "acltype",
    "mounted",
];

/// Everything `zfs get all` lists, in its order, before the user properties.
pub(crate) const ALL: &[&str] = &[
    "type",
    "creation",
    "used",
    "available",
    "referenced",
    "compressratio",
    "mounted",
    "origin",
    "quota",
    "reservation",
    "volsize",
    "recordsize",
    "mountpoint",
    "sharenfs",
    "checksum",
    "compression",
    "atime",
    "readonly",
    "snapdir",
    "canmount",
    "xattr",
    "copies",
    "refquota",
    "refreservation",
    "guid",
    "primarycache",
    "createtxg",
    "logbias",
    "sync",
    "written",
    "encryption",
    "keylocation",
    "keystatus",
    "encryptionroot",
    "userrefs",
    "clones",
    "receive_resume_token",
];

/// Whether a property can be set on this kind of dataset.
pub(crate) fn applies(property: &str, volume: bool) -> bool {
    if volume { !OF_FILESYSTEMS.contains(&property) } else { property != "volsize" }
}

/// Checks a value that is to be set; the error is what follows `cannot set property for 'x': `.
pub(crate) fn check(property: &str, value: &str) -> Result<(), String> {
    if property.contains(':') {
        return Ok(());
    }
    if property == "sharenfs" && !crate::sim::appliance::tools::is_valid_share(value) {
        return Err("'sharenfs' cannot be set to invalid options".to_owned());
    }
    match SETTABLE.iter().find(|(name, ..)| *name == property) {
        Some((_, _, values, _)) if values.is_empty() || values.contains(&value) => Ok(()),
        Some((_, _, values, _)) => Err(format!("'{property}' must be one of '{}'", values.join(" | "))),
        None if ALL.contains(&property) => Err(format!("'{property}' is readonly")),
        None => Err(format!("invalid property '{property}'")),
    }
}

/// `10M` or `4096` in bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].chars().next().map(|c| c.to_ascii_uppercase()) {
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        Some('T') => 40,
        _ => 0,
    };
    digits.parse::<u64>().ok()?.checked_shl(shift)
}

type Shown = (String, String);

fn plain(text: impl ToString) -> Option<Shown> {
    Some((text.to_string(), "-".to_owned()))
}

impl State {
    /// A property's value in full figures and its source as `zfs get` names it; none where it does not apply.
    pub(crate) fn property(&self, target: Target<'_>, property: &str) -> Option<Shown> {
        let name = target.dataset();
        let dataset = self.datasets.get(name)?;
        match target {
            Target::Bookmark(_, tag) => {
                let bookmark = dataset.bookmarks.get(tag)?;
                match property {
                    "type" => plain("bookmark"),
                    "guid" => plain(bookmark.guid),
                    "createtxg" => plain(bookmark.createtxg),
                    "creation" => plain(bookmark.creation),
                    "referenced" => plain(bookmark.referenced),
                    _ => None,
                }
            }
            Target::Snapshot(_, tag) => self.of_snapshot(name, dataset, tag, property),
            Target::Dataset(_) => self.of_dataset(name, dataset, property),
        }
    }

    fn of_snapshot(&self, name: &str, dataset: &Dataset, tag: &str, property: &str) -> Option<Shown> {
        let snapshot = dataset.snapshot(tag)?;
        let clones = || Some(self.clones(snapshot.id).join(",")).filter(|text| !text.is_empty());
        match property {
            "type" => plain("snapshot"),
            "guid" => plain(snapshot.guid),
            "createtxg" => plain(snapshot.createtxg),
            "creation" => plain(snapshot.creation),
            "userrefs" => plain(snapshot.holds.len()),
            "used" => plain(Self::snapshot_used(dataset, snapshot)),
            "referenced" => plain(Self::referenced(dataset, &snapshot.tree)),
            "written" => {
                let before = dataset.snapshots.iter().rfind(|other| other.createtxg < snapshot.createtxg);
                let same = before.is_some_and(|other| std::sync::Arc::ptr_eq(&other.tree, &snapshot.tree));
                let since = before.map_or(0, |other| other.createtxg);
                plain(if same { 0 } else { Self::written(&snapshot.tree, since, true) })
            }
            "clones" => plain(clones()?),
            "volsize" => plain(dataset.volsize?),
            "encryption" | "encryptionroot" | "keystatus" => self.of_dataset(name, dataset, property),
            _ if property.contains(':') => match snapshot.properties.get(property) {
                Some(value) => Some((value.text.clone(), source(value))),
                None => self
                    .inherited(name, property, false)
                    .map(|(text, from)| (text, format!("inherited from {from}"))),
            },
            _ => None,
        }
    }

    fn of_dataset(&self, name: &str, dataset: &Dataset, property: &str) -> Option<Shown> {
        let encryption = dataset.encryption.as_ref();
        match property {
            "type" => plain(if dataset.is_volume() { "volume" } else { "filesystem" }),
            "guid" => plain(dataset.guid),
            "createtxg" => plain(dataset.createtxg),
            "creation" => plain(dataset.creation),
            "used" => plain(self.used(name)),
            "available" => plain(self.available(name)),
            "referenced" => plain(Self::referenced(
                dataset,
                dataset
                    .partial
                    .as_ref()
                    .filter(|partial| partial.base.is_none())
                    .map_or(&dataset.head, |partial| &partial.tree),
            )),
            "logicalused" => plain(self.used(name)),
            "logicalreferenced" => plain(Self::referenced(dataset, &dataset.head)),
            "compressratio" | "refcompressratio" => plain("1.00"),
            "written" => {
                let last = dataset.snapshots.last().map(|snapshot| snapshot.createtxg);
                let origin =
                    dataset.origin.and_then(|id| self.snapshot_by_id(id)).map(|(_, origin)| origin.createtxg);
                let since = last.or(origin).unwrap_or(0);
                let changed =
                    last.is_none() && origin.is_none() || dataset.changed_since(since) && last.is_some();
                plain(Self::written(&dataset.head, since, changed))
            }
            "origin" => plain(
                dataset
                    .origin
                    .and_then(|id| self.snapshot_by_id(id))
                    .map(|(name, origin)| format!("{name}@{}", origin.tag))?,
            ),
            "encryption" => plain(if encryption.is_some() { "aes-256-gcm" } else { "off" }),
            "keyformat" => plain(encryption.map(|_| "passphrase")?),
            "encryptionroot" => plain(&encryption?.root),
            "keystatus" => plain(if encryption?.loaded.is_some() { "available" } else { "unavailable" }),
            "mounted" if !dataset.is_volume() => plain(if dataset.mounted { "yes" } else { "no" }),
            "volsize" => plain(dataset.volsize?),
            "volblocksize" => dataset.volsize.and_then(|_| plain(dataset.head.block_size)),
            "receive_resume_token" => {
                plain(token::of(dataset.partial.as_ref().filter(|_| !dataset.receiving)?))
            }
            "mountpoint" if !dataset.is_volume() => Some(self.mountpoint(name)),
            _ => {
                if let Some(tag) = property.strip_prefix("written@") {
                    let base = dataset.snapshot(tag)?;
                    return plain(Self::written(
                        &dataset.head,
                        base.createtxg,
                        dataset.changed_since(base.createtxg),
                    ));
                }
                if !applies(property, dataset.is_volume()) {
                    return None;
                }
                self.settable(name, dataset, property)
            }
        }
    }

    fn settable(&self, name: &str, dataset: &Dataset, property: &str) -> Option<Shown> {
        let known = SETTABLE.iter().find(|(known, ..)| *known == property);
        if known.is_none() && !property.contains(':') {
            return None;
        }
        if let Some(value) = dataset.properties.get(property) {
            return Some((value.text.clone(), source(value)));
        }
        if known.is_none_or(|(.., inherited)| *inherited)
            && let Some((text, from)) = self.inherited(name, property, true)
        {
            return Some((text, format!("inherited from {from}")));
        }
        known.map(|(_, default, ..)| ((*default).to_owned(), "default".to_owned()))
    }

    /// The nearest value above, and where it is set. `strictly`: not on `name` itself.
    fn inherited(&self, name: &str, property: &str, strictly: bool) -> Option<(String, String)> {
        let mut at = if strictly { parent(name) } else { Some(name) };
        while let Some(dataset) = at {
            if let Some(value) = self.datasets.get(dataset).and_then(|found| found.properties.get(property)) {
                return Some((value.text.clone(), dataset.to_owned()));
            }
            at = parent(dataset);
        }
        None
    }

    fn mountpoint(&self, name: &str) -> Shown {
        let own = self.datasets.get(name).and_then(|dataset| dataset.properties.get("mountpoint"));
        if let Some(value) = own {
            return (value.text.clone(), source(value));
        }
        match self.inherited(name, "mountpoint", true) {
            Some((text, from)) if text.starts_with('/') => {
                let rest = name.strip_prefix(&from).unwrap_or_default();
                (format!("{}{rest}", text.trim_end_matches('/')), format!("inherited from {from}"))
            }
            Some((text, from)) => (text, format!("inherited from {from}")),
            None => (format!("/{name}"), "default".to_owned()),
        }
    }

    /// User properties that count on a target, by name.
    pub(crate) fn user_properties(&self, target: Target<'_>) -> Vec<String> {
        let mut found = std::collections::BTreeSet::new();
        let of = |properties: &super::Properties| -> Vec<String> {
            properties.keys().filter(|name| name.contains(':')).cloned().collect()
        };
        if let Target::Snapshot(dataset, tag) = target
            && let Some(snapshot) = self.datasets.get(dataset).and_then(|dataset| dataset.snapshot(tag))
        {
            found.extend(of(&snapshot.properties));
        }
        let mut at = Some(target.dataset());
        while let Some(name) = at {
            found.extend(self.datasets.get(name).map(|dataset| of(&dataset.properties)).unwrap_or_default());
            at = parent(name);
        }
        found.into_iter().collect()
    }
}

fn source(value: &Value) -> String {
    match value.source {
        Source::Local => "local".to_owned(),
        Source::Received => "received".to_owned(),
    }
}
