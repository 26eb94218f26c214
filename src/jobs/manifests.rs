//! Manifests and terms where they lie with ZFS: read from snapshots and datasets, made ready to be set.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::domain::job::Failure;
use crate::domain::manifest::{Manifest, PROPERTY_MANIFEST};
use crate::domain::names::{DatasetName, SnapshotName};
use crate::domain::packed::{PackError, Properties, piece_names, unpack};
use crate::domain::terms::{PROPERTY_TERMS, Terms};
use crate::zfs::{Property, PropertyName, Zfs};

/// Snapshots whose manifests are read in one command: what it gives stays far below what one may give.
const AT_ONCE: usize = 16;

/// What was found of one.
pub type Found<T> = Result<T, PackError>;

/// The manifests that these snapshots carry; one that carries none is absent. Two commands, or none for no snapshots.
///
/// # Errors
/// If the host does not answer.
pub async fn read_manifests(
    zfs: &Zfs,
    snapshots: &[SnapshotName],
) -> Result<BTreeMap<SnapshotName, Found<Manifest>>, Failure> {
    let mut all = BTreeMap::new();
    for some in snapshots.chunks(AT_ONCE) {
        let found = packed(zfs, some, PROPERTY_MANIFEST).await?;
        for name in some {
            let Some(properties) = found.get(&name.to_string()) else { continue };
            if let Some(manifest) = Manifest::of_properties(properties).transpose() {
                all.insert(name.clone(), manifest);
            }
        }
    }
    Ok(all)
}

/// The terms that these datasets carry; one that carries none is absent.
///
/// # Errors
/// If the host does not answer.
pub async fn read_terms(
    zfs: &Zfs,
    datasets: &[DatasetName],
) -> Result<BTreeMap<DatasetName, Found<Terms>>, Failure> {
    let mut all = BTreeMap::new();
    for some in datasets.chunks(AT_ONCE) {
        let found = packed(zfs, some, PROPERTY_TERMS).await?;
        for name in some {
            let Some(properties) = found.get(&name.to_string()) else { continue };
            if let Some(terms) = unpack(PROPERTY_TERMS, properties).transpose() {
                all.insert(name.clone(), terms);
            }
        }
    }
    Ok(all)
}

/// What describes the pieces of a packed value, and then the pieces.
async fn packed<T: fmt::Display>(
    zfs: &Zfs,
    names: &[T],
    property: &str,
) -> Result<HashMap<String, BTreeMap<String, String>>, Failure> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let mut found = zfs.local_properties(names, &[property_name(property)?]).await?;
    let described = |properties: &BTreeMap<String, String>| piece_names(property, properties.get(property)?);
    let pieces: BTreeSet<String> = found.values().filter_map(described).flatten().collect();
    if pieces.is_empty() {
        return Ok(found);
    }
    let pieces = pieces.iter().map(|piece| property_name(piece)).collect::<Result<Vec<_>, _>>()?;
    let carriers: Vec<&T> = names.iter().filter(|name| found.contains_key(&name.to_string())).collect();
    for (name, properties) in zfs.local_properties(&carriers, &pieces).await? {
        found.entry(name).or_default().extend(properties);
    }
    Ok(found)
}

fn property_name(text: &str) -> Result<PropertyName, Failure> {
    text.parse().map_err(|error| Failure::permanent(format!("A property cannot be read: {error}.")))
}

/// Properties as `zfs` takes them.
///
/// # Errors
/// If one is not valid, which what `packed` made always is.
pub fn as_properties(packed: &Properties) -> Result<Vec<Property>, Failure> {
    let made = packed.iter().map(|(name, value)| Property::new(name, value));
    made.collect::<Result<_, _>>()
        .map_err(|error| Failure::permanent(format!("A property cannot be set: {error}.")))
}
