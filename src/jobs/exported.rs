//! Datasets that a job makes and exports. Each says in a property which job made it, so that a job which is resumed finds its
//! own, and taking back destroys nothing that was there before.

use crate::domain::dataset::Dataset;
use crate::domain::ids::JobId;
use crate::domain::job::{Failure, Level};
use crate::domain::names::DatasetName;
use crate::domain::networks::Networks;
use crate::engine::StepContext;
use crate::zfs::{Property, PropertyName, Zfs, export_fault, share_for};

/// The property by which a dataset says which job made it.
const MADE_BY: &str = "zerfaux:datastore";

/// A property, or why it cannot be.
pub(super) fn property(name: &str, value: &str) -> Result<Property, Failure> {
    Property::new(name, value).map_err(|error| Failure::permanent(format!("{error}.")))
}

/// By what a dataset says that this job made it.
pub(super) fn mark(cx: &StepContext) -> Result<Property, Failure> {
    mark_of(cx.job().id)
}

/// By what a dataset says that that job made it.
pub(super) fn mark_of(maker: JobId) -> Result<Property, Failure> {
    property(MADE_BY, &maker.to_string())
}

/// The dataset if it is there, and whether this job made it.
pub(super) async fn seen(
    cx: &StepContext,
    zfs: &Zfs,
    name: &DatasetName,
) -> Result<Option<(Dataset, bool)>, Failure> {
    seen_by(zfs, name, cx.job().id).await
}

/// The dataset if it is there, and whether that job made it.
pub(super) async fn seen_by(
    zfs: &Zfs,
    name: &DatasetName,
    maker: JobId,
) -> Result<Option<(Dataset, bool)>, Failure> {
    if !zfs.existing(std::slice::from_ref(name)).await?.contains(name) {
        return Ok(None);
    }
    let property: PropertyName = MADE_BY.parse().map_err(|error| Failure::permanent(format!("{error}")))?;
    let ours = zfs.get_local(name, &property).await?.as_deref() == Some(maker.to_string().as_str());
    let found = zfs.datasets(std::slice::from_ref(name), false).await?;
    Ok(found.into_iter().find(|dataset| dataset.name == *name).map(|dataset| (dataset, ours)))
}

/// Exports a dataset to these clients, and looks whether the NFS server does.
pub(super) async fn share(
    cx: &StepContext,
    zfs: &Zfs,
    (dataset, path): (&DatasetName, &str),
    clients: &Networks,
) -> Result<(), Failure> {
    zfs.start_nfs_server().await?;
    zfs.set(dataset, &[share_for(clients)]).await?;
    if let Some(fault) = export_fault(&zfs.exports().await?, path, clients) {
        return Err(Failure::transient(format!("The NFS share does not work: {fault}."))
            .advise("Look at the NFS server's log on the appliance (journalctl -u nfs-server)."));
    }
    cx.console(Level::Success, format!("{path} is exported to {clients}."));
    Ok(())
}

/// Exports it no more, if this job made it, and looks that it is so.
pub(super) async fn unshare(cx: &StepContext, zfs: &Zfs, what: (&DatasetName, &str)) -> Result<(), Failure> {
    unshare_by(cx, zfs, cx.job().id, what).await
}

/// Exports it no more, if that job made it, and looks that it is so.
pub(super) async fn unshare_by(
    cx: &StepContext,
    zfs: &Zfs,
    maker: JobId,
    (dataset, path): (&DatasetName, &str),
) -> Result<(), Failure> {
    if !matches!(seen_by(zfs, dataset, maker).await?, Some((_, true))) {
        return Ok(());
    }
    zfs.set(dataset, &[property("sharenfs", "off")?]).await?;
    match zfs.exports().await {
        Ok(exports) if exports.iter().any(|export| export.path == path) => Err(Failure::transient(format!(
            "{path} is still exported."
        ))
        .advise("Look at what the NFS server exports on the appliance (exportfs -v), then clean up again.")),
        Ok(_) => Ok(()),
        // Where there is no NFS server, nothing is exported; and a dataset that is destroyed next never is.
        Err(error) => {
            cx.warn(format!("What the appliance exports could not be looked at: {error}."));
            Ok(())
        }
    }
}
