//! The key of an encrypted replica: tried when a person enters it, loaded before a clone of the replica is opened, unloaded
//! after the last of them is gone. It travels on standard input and is never on a command line (zfs-load-key(8)).

use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::exported::property;
use super::failure::not_kept;
use super::target_browse::{in_time, open};
use super::targets::Targets;
use crate::domain::dataset::{Dataset, Encryption};
use crate::domain::group_key::material;
use crate::domain::ids::{GroupId, TargetId};
use crate::domain::job::{Failure, Level};
use crate::domain::names::DatasetName;
use crate::domain::protection_group::ProtectionGroup;
use crate::engine::StepContext;
use crate::zfs::verbs::Depth;
use crate::zfs::{Complaint, Property, PropertyName, Zfs};

/// By what a clone says that Zerfaux opened its replica, and closes it again when the clone is gone.
const OPENED: &str = "zerfaux:opened";

/// What came of trying a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It is the key of this encryption root.
    Right(DatasetName),
    /// It is not the key of this encryption root.
    Wrong(DatasetName),
    /// The dataset is there, and not encrypted.
    NotEncrypted(DatasetName),
    /// Nothing could be tried, and why.
    NotTried(String),
}

/// Tries a key on a group's replica, or on its source as long as there is no replica: a raw stream takes the wrapped key
/// along, so that both open with the same one. Nothing is loaded.
pub async fn try_key(targets: &Targets, group: &ProtectionGroup, key: &SecretString) -> Tried {
    let sides = [(group.dr.target, &group.dr.dataset), (group.source.target, &group.source.dataset)];
    let mut why = String::from("neither appliance has the dataset yet");
    for (target, name) in sides {
        match try_on(targets, target, name, key).await {
            Ok(Some(tried)) => return tried,
            Ok(None) => {}
            Err(failure) => why = failure.message,
        }
    }
    Tried::NotTried(why)
}

/// None: there is no such dataset.
async fn try_on(
    targets: &Targets,
    target: TargetId,
    name: &DatasetName,
    key: &SecretString,
) -> Result<Option<Tried>, Failure> {
    in_time(async {
        let zfs = open(targets, target).await?;
        let listing = zfs.survey(std::slice::from_ref(name), Depth::One).await?;
        let Some(found) = listing.datasets.into_iter().find(|one| one.name == *name) else { return Ok(None) };
        let Encryption::On { root, .. } = found.encryption else {
            return Ok(Some(Tried::NotEncrypted(found.name)));
        };
        let Ok(key) = key_material(&zfs, &root, key).await? else { return Ok(Some(Tried::Wrong(root))) };
        Ok(Some(if zfs.is_key(&root, &key).await? { Tried::Right(root) } else { Tried::Wrong(root) }))
    })
    .await
}

/// What is handed to `zfs load-key`, or that the text does not fit the format of that root.
async fn key_material(
    zfs: &Zfs,
    root: &DatasetName,
    key: &SecretString,
) -> Result<Result<SecretSlice<u8>, Failure>, Failure> {
    let format: PropertyName = "keyformat".parse().map_err(|error| Failure::permanent(format!("{error}")))?;
    let format = zfs.get(root, &format).await?.map_or_else(String::new, |(value, _)| value);
    Ok(material(key.expose_secret(), &format)
        .map(SecretSlice::from)
        .map_err(|error| Failure::permanent(format!("The key kept for {root} does not fit: {error}"))))
}

/// The encryption root that has to be opened before a clone of the replica can be: none if the replica is not encrypted, or
/// Zerfaux keeps no key and somebody else has loaded it.
///
/// # Errors
/// If it is locked, and Zerfaux keeps no key.
pub(super) async fn root_to_open(
    targets: &Targets,
    group: GroupId,
    replica: &Dataset,
) -> Result<Option<DatasetName>, Failure> {
    let Encryption::On { root, key_loaded } = &replica.encryption else { return Ok(None) };
    if targets.store().group_key(group).await.map_err(not_kept)?.is_some() {
        return Ok(Some(root.clone()));
    }
    if *key_loaded {
        return Ok(None);
    }
    Err(Failure::permanent(format!(
        "{} is encrypted, the key of {root} is not loaded, and Zerfaux keeps no key for this group: a clone of it cannot be \
         opened.",
        replica.name
    ))
    .advise("Enter the key on the settings page of the group, or load it on the appliance (zfs load-key), then retry."))
}

/// The mark of a clone whose replica Zerfaux opened.
pub(super) fn opened(root: &DatasetName) -> Result<Property, Failure> {
    property(OPENED, root.as_str())
}

/// Opens a replica with the key of its group; done if it is open.
pub(super) async fn open_root(
    cx: &StepContext,
    (targets, zfs): (&Targets, &Zfs),
    group: GroupId,
    root: &DatasetName,
) -> Result<(), Failure> {
    let kept = targets.store().group_key(group).await.map_err(not_kept)?.ok_or_else(|| {
        Failure::permanent(format!("The key of {root} was forgotten meanwhile."))
            .advise("Enter it on the settings page of the group, then retry.")
    })?;
    let text = targets.hosts().dataset_key(kept.secret).await?;
    let key = key_material(zfs, root, &text).await??;
    zfs.load_key(root, &key).await.map_err(|error| match error.complaint() {
        Some(Complaint::KeyWrong) => Failure::permanent(format!(
            "The key that Zerfaux keeps is not the one of {root}."
        ))
        .advise("Was it changed (zfs change-key)? Enter the new one on the settings page of the group."),
        _ => Failure::from(error),
    })?;
    cx.console(Level::Info, format!("Loaded the key of {root}."));
    Ok(())
}

/// The encryption root that is to be closed once this clone is gone, as it says itself.
pub(super) async fn opened_by(zfs: &Zfs, clone: &DatasetName) -> Result<Option<DatasetName>, Failure> {
    let property: PropertyName = OPENED.parse().map_err(|error| Failure::permanent(format!("{error}")))?;
    Ok(zfs.get_local(clone, &property).await?.and_then(|root| root.parse().ok()))
}

/// Closes a replica again, unless something of it is open still: what closes that closes the replica.
pub(super) async fn close_root(cx: &StepContext, zfs: &Zfs, root: &DatasetName) -> Result<(), Failure> {
    match zfs.unload_key(root).await {
        Ok(()) => cx.info(format!("Unloaded the key of {root}.")),
        Err(error) if error.complaint() == Some(&Complaint::Busy) => {
            cx.info(format!("The key of {root} stays loaded: something under it is mounted."));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Closes a replica that was opened for a clone which was then never made: nothing says so but the step that was begun. Done by
/// the rule of [`opened`]: what Zerfaux keeps the key of, it opens and closes.
pub(super) async fn close_unused(
    cx: &StepContext,
    (targets, zfs): (&Targets, &Zfs),
    group: GroupId,
    replica: &DatasetName,
) -> Result<(), Failure> {
    if targets.store().group_key(group).await.map_err(not_kept)?.is_none() {
        return Ok(());
    }
    let all = zfs.datasets(std::slice::from_ref(replica), false).await?;
    let found = all.into_iter().find(|one| one.name == *replica);
    match found.map(|one| one.encryption) {
        Some(Encryption::On { root, key_loaded: true }) => close_root(cx, zfs, &root).await,
        _ => Ok(()),
    }
}
