//! What snapshots and datasets say of themselves, so that a replica means something without our database: the manifests of
//! checkpoints, and on both datasets the group's terms and its epoch.

use std::collections::BTreeMap;

use super::run::{Run, View, full_name};
use crate::domain::dataset::{Guid, Owner, PROPERTY_ROLE, Role, Snapshot};
use crate::domain::epoch::{Epoch, PROPERTY_EPOCH};
use crate::domain::job::Failure;
use crate::domain::manifest::Manifest;
use crate::domain::names::SnapshotName;
use crate::domain::terms::{PROPERTY_TERMS, SideTerms, Terms};
use crate::engine::StepContext;
use crate::jobs::failure::not_kept;
use crate::jobs::manifests::{as_properties, read_manifests};
use crate::jobs::vcenters::Vcenters;
use crate::zfs::Property;

/// What a manifest says as properties; empty, and told, if it is too large.
pub(super) fn properties_of(cx: &StepContext, manifest: &Manifest) -> Result<Vec<Property>, Failure> {
    match manifest.properties() {
        Ok(packed) => as_properties(&packed),
        Err(error) => {
            cx.warn(format!(
                "The manifest of this checkpoint is not kept beside it: {error}. Divide the group into smaller ones."
            ));
            Ok(Vec::new())
        }
    }
}

/// The manifests of snapshots that have arrived and do not say yet whose they are, by their names at the destination.
pub(super) async fn arrived(
    cx: &StepContext,
    run: &Run,
    view: &View,
    new: impl Fn(&Snapshot) -> bool,
) -> Result<Vec<(SnapshotName, Guid, Manifest)>, Failure> {
    let mut names = BTreeMap::new();
    for pair in &view.pairs {
        let Some(there) = &pair.destination else { continue };
        for snapshot in there.snapshots.iter().filter(|snapshot| new(snapshot)) {
            let Some(here) = pair.source.snapshot_by_guid(snapshot.guid) else { continue };
            if here.owner == Owner::Zerfaux(view.group.to_string()) {
                let from = full_name(&pair.source.name, &here.tag)?;
                names.insert(from, (full_name(&there.name, &snapshot.tag)?, snapshot.guid));
            }
        }
    }
    let wanted: Vec<SnapshotName> = names.keys().cloned().collect();
    let mut all = Vec::new();
    for (from, manifest) in read_manifests(&run.source, &wanted).await? {
        let Some((to, guid)) = names.remove(&from) else { continue };
        match manifest {
            Ok(manifest) => all.push((to, guid, manifest)),
            Err(error) => cx.warn(format!("The manifest of {from} is not carried over: {error}.")),
        }
    }
    Ok(all)
}

/// What both datasets are to say of the group, where they do not say it yet.
pub(super) struct Described {
    pub(super) source: Vec<Property>,
    pub(super) replica: Vec<Property>,
}

/// Finds out what is missing on both sides. None for what is no group's run.
pub(super) async fn described(
    cx: &StepContext,
    vcenters: &Vcenters,
    view: &View,
) -> Result<Option<Described>, Failure> {
    let store = vcenters.store();
    let Some(group) = store.protection_group(view.group).await.map_err(not_kept)? else { return Ok(None) };
    let (Some(counter), Some(pair)) =
        (store.group_epoch(view.group).await.map_err(not_kept)?, view.pairs.first())
    else {
        return Ok(None);
    };
    let epoch = Epoch { counter, live: pair.source.guid }.to_string();
    let vms = store.protected_vms(Some(group.id)).await.map_err(not_kept)?;
    let source =
        side(vcenters, (group.source.vcenter, group.source.target), group.source.dataset.clone()).await?;
    let dr = side(vcenters, (group.dr.vcenter, group.dr.target), group.dr.dataset.clone()).await?;
    let terms = match Terms::of(&group, &vms, source, dr).properties() {
        Ok(packed) => packed,
        Err(error) => {
            cx.warn(format!("The group's settings are not kept beside its data: {error}."));
            Vec::new()
        }
    };
    let digest = terms.last().map(|(_, value)| value.clone());
    let of = |dataset: &crate::domain::dataset::Dataset| -> Result<Vec<Property>, Failure> {
        let mut wanted = Vec::new();
        if dataset.epoch.as_deref() != Some(&*epoch) {
            wanted.push((PROPERTY_EPOCH.to_owned(), epoch.clone()));
        }
        if digest.is_some() && dataset.terms != digest {
            wanted.extend(terms.iter().cloned());
        }
        as_properties(&wanted)
    };
    let mut source = of(&pair.source)?;
    if pair.source.group.as_deref() != Some(&*view.group.to_string()) {
        source.push(super::snapshot::mark(&view.group)?);
    }
    if pair.source.role != Some(Role::Live) {
        source.extend(as_properties(&vec![(PROPERTY_ROLE.to_owned(), Role::Live.as_str().to_owned())])?);
    }
    let replica = pair.destination.as_ref().map(of).transpose()?.unwrap_or_default();
    Ok(Some(Described { source, replica }))
}

async fn side(
    vcenters: &Vcenters,
    (vcenter, target): (crate::domain::ids::VcenterId, crate::domain::ids::TargetId),
    dataset: crate::domain::names::DatasetName,
) -> Result<SideTerms, Failure> {
    let vcenter = vcenters.store().vcenter(vcenter).await.map_err(not_kept)?;
    let target = vcenters.store().target(target).await.map_err(not_kept)?;
    Ok(SideTerms {
        dataset,
        vcenter_uuid: vcenter.as_ref().and_then(|one| one.about.as_ref()?.instance_uuid.clone()),
        vcenter: vcenter.map(|one| one.name).unwrap_or_default(),
        appliance: target.map(|one| one.name).unwrap_or_default(),
    })
}

/// What a description amounts to in the view, once it is set.
pub(super) fn says(view: &mut View, described: &Described) {
    let Some(pair) = view.pairs.first_mut() else { return };
    let group = view.group.to_string();
    pair.source.group = Some(group);
    pair.source.role = Some(Role::Live);
    let sides =
        [(Some(&mut pair.source), &described.source), (pair.destination.as_mut(), &described.replica)];
    for (dataset, properties) in sides {
        let Some(dataset) = dataset else { continue };
        for property in properties {
            match property.name().as_str() {
                PROPERTY_EPOCH => dataset.epoch = Some(property.value().to_owned()),
                PROPERTY_TERMS => dataset.terms = Some(property.value().to_owned()),
                _ => {}
            }
        }
    }
}
