//! Datasets as a whole: properties, parents, clones, names, mounts, keys, partial receives.

use secrecy::{ExposeSecret, SecretSlice};

use crate::domain::dataset::Guid;
use crate::domain::names::{DatasetName, SnapshotName};

use super::complaint::Complaint;
use super::error::ZfsError;
use super::parse::columns;
use super::property::{Property, PropertyName};
use super::{Zfs, verbs};

impl Zfs {
    /// Makes sure that everything above `name` exists, down from the pool: what is missing becomes a
    /// file system without a mount point. `name` itself is not made.
    ///
    /// # Errors
    /// If the pool does not exist, or one of them cannot be made.
    pub async fn create_parents(&self, name: &DatasetName) -> Result<(), ZfsError> {
        let above = name.ancestors();
        if above.is_empty() {
            return Ok(());
        }
        let existing = self.existing(&above).await?;
        for parent in above.iter().filter(|parent| !existing.contains(parent)) {
            let exists = |complaint: &Complaint| *complaint == Complaint::AlreadyExists;
            self.run_unless(&verbs::create_parent(parent), exists).await?;
        }
        Ok(())
    }

    /// Sets properties of a dataset.
    ///
    /// # Errors
    /// If it does not exist, or a value is not accepted.
    pub async fn set(&self, name: &DatasetName, properties: &[Property]) -> Result<(), ZfsError> {
        if properties.is_empty() {
            return Ok(());
        }
        self.run(&verbs::set(name, properties)).await.map(|_| ())
    }

    /// Takes a local property away, so that what is inherited or the default counts again.
    ///
    /// # Errors
    /// If the dataset does not exist.
    pub async fn inherit(&self, name: &DatasetName, property: &PropertyName) -> Result<(), ZfsError> {
        self.run(&verbs::inherit(name, property)).await.map(|_| ())
    }

    /// The value of a property where it is set on the dataset itself; none where it is inherited,
    /// received or the default.
    ///
    /// # Errors
    /// If the dataset does not exist.
    pub async fn get_local(
        &self,
        name: &DatasetName,
        property: &PropertyName,
    ) -> Result<Option<String>, ZfsError> {
        let found = self.get(name, property).await?;
        Ok(found.and_then(|(value, source)| (source == "local").then_some(value)))
    }

    /// The value of a property and its source as `zfs get` prints them; none for `-`.
    ///
    /// # Errors
    /// If there is no such dataset or property.
    pub async fn get(
        &self,
        name: &DatasetName,
        property: &PropertyName,
    ) -> Result<Option<(String, String)>, ZfsError> {
        let command = verbs::get(name, std::slice::from_ref(property));
        let text = self.run(&command).await?;
        let line = text.lines().next().unwrap_or_default();
        let [_, value, source] = columns(line).map_err(|bad| self.unreadable(&command, bad))?;
        Ok((value != "-").then(|| (value.to_owned(), source.to_owned())))
    }

    /// Clones a snapshot, with these properties from the first moment. A clone of that snapshot under
    /// that name is taken for it; its properties are then set again.
    ///
    /// # Errors
    /// If the snapshot does not exist, or something else has that name.
    pub async fn clone_snapshot(
        &self,
        snapshot: &SnapshotName,
        name: &DatasetName,
        properties: &[Property],
    ) -> Result<(), ZfsError> {
        let command = verbs::clone(snapshot, name, properties);
        let exists = |complaint: &Complaint| *complaint == Complaint::AlreadyExists;
        if self.run_unless(&command, exists).await? {
            return Ok(());
        }
        let origin = self.get(name, &PropertyName::fixed("origin")).await?;
        if origin.is_none_or(|(value, _)| value != snapshot.to_string()) {
            return Err(self.guarded(&command, format!("{name} exists and is not a clone of {snapshot}")));
        }
        self.set(name, properties).await
    }

    /// Makes a clone the owner of the history up to its origin. What is not a clone is taken for one
    /// that was promoted before.
    ///
    /// # Errors
    /// If it does not exist, or a snapshot of its own has the name of one that it would take over.
    pub async fn promote(&self, name: &DatasetName) -> Result<(), ZfsError> {
        let done = |complaint: &Complaint| *complaint == Complaint::NotAClone;
        self.run_unless(&verbs::promote(name), done).await.map(|_| ())
    }

    /// Gives the dataset with this GUID another name, without unmounting it. If it is gone from `from`
    /// and is at `to`, that is what was asked for.
    ///
    /// # Errors
    /// If it is at neither, another dataset is at `from`, or something else has the new name.
    pub async fn rename(&self, from: &DatasetName, to: &DatasetName, guid: Guid) -> Result<(), ZfsError> {
        let command = verbs::rename(from, to);
        match self.guid_of(from).await? {
            Some(found) if found == guid => match self.run(&command).await {
                // A volume is never mounted, and `-u` is refused for it.
                Err(error) if error.complaint() == Some(&Complaint::WrongKind) => {
                    self.run(&verbs::rename_volume(from, to)).await.map(|_| ())
                }
                outcome => outcome.map(|_| ()),
            },
            Some(_) => Err(self.guarded(&command, format!("another dataset has the name {from} now"))),
            None if self.guid_of(to).await? == Some(guid) => Ok(()),
            // Let zfs say it in its own words.
            None => self.run(&command).await.map(|_| ()),
        }
    }

    async fn guid_of(&self, name: &DatasetName) -> Result<Option<Guid>, ZfsError> {
        match self.get(name, &PropertyName::fixed("guid")).await {
            Ok(found) => Ok(found.and_then(|(value, _)| value.parse().ok()).map(Guid)),
            Err(error) if matches!(error.complaint(), Some(Complaint::DatasetMissing(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Destroys the dataset with this GUID, which has to be empty: `zfs` refuses one that has children or
    /// snapshots. One that is gone is passed over.
    ///
    /// # Errors
    /// If another dataset has its name, or it is not empty.
    pub async fn destroy_empty(&self, name: &DatasetName, guid: Guid) -> Result<(), ZfsError> {
        let command = verbs::destroy_dataset(name);
        match self.guid_of(name).await? {
            None => Ok(()),
            Some(found) if found == guid => self.run(&command).await.map(|_| ()),
            Some(_) => Err(self.guarded(&command, format!("another dataset has the name {name} now"))),
        }
    }

    /// Throws a partial receive away. Where there is none, nothing is done.
    ///
    /// A dataset that a first, interrupted receive has made is gone with it.
    ///
    /// # Errors
    /// If it is in use, or may not be thrown away.
    pub async fn abort_receive(&self, name: &DatasetName) -> Result<(), ZfsError> {
        let nothing = |complaint: &Complaint| {
            matches!(complaint, Complaint::NothingToAbort | Complaint::DatasetMissing(_))
        };
        self.run_unless(&verbs::abort_receive(name), nothing).await.map(|_| ())
    }

    /// Mounts a file system.
    ///
    /// # Errors
    /// If it cannot be mounted, for example because its key is not loaded.
    pub async fn mount(&self, name: &DatasetName) -> Result<(), ZfsError> {
        let done = |complaint: &Complaint| *complaint == Complaint::AlreadyMounted;
        self.run_unless(&verbs::mount(name), done).await.map(|_| ())
    }

    /// Unmounts a file system, never by force.
    ///
    /// # Errors
    /// If it is in use.
    pub async fn unmount(&self, name: &DatasetName) -> Result<(), ZfsError> {
        let done = |complaint: &Complaint| *complaint == Complaint::NotMounted;
        self.run_unless(&verbs::unmount(name), done).await.map(|_| ())
    }

    /// Loads the key of an encryption root; it travels on standard input.
    ///
    /// # Errors
    /// If it is the wrong key, or the dataset has none of its own.
    pub async fn load_key(&self, root: &DatasetName, key: &SecretSlice<u8>) -> Result<(), ZfsError> {
        let command = verbs::load_key(root);
        let answer = self.ask_with(&command, Some(key.expose_secret())).await?;
        if answer.succeeded() {
            return Ok(());
        }
        let error = self.refused(&command, answer.exit, &answer.stderr);
        if error.complaint() == Some(&Complaint::KeyLoaded) { Ok(()) } else { Err(error) }
    }

    /// Whether this is the key of an encryption root; nothing is loaded. The key travels on standard input.
    ///
    /// # Errors
    /// If it could not be tried, or the dataset has no key of its own.
    pub async fn is_key(&self, root: &DatasetName, key: &SecretSlice<u8>) -> Result<bool, ZfsError> {
        let command = verbs::check_key(root);
        let answer = self.ask_with(&command, Some(key.expose_secret())).await?;
        if answer.succeeded() {
            return Ok(true);
        }
        let error = self.refused(&command, answer.exit, &answer.stderr);
        if error.complaint() == Some(&Complaint::KeyWrong) { Ok(false) } else { Err(error) }
    }

    /// Unloads the key of an encryption root.
    ///
    /// # Errors
    /// If something under that key is mounted.
    pub async fn unload_key(&self, root: &DatasetName) -> Result<(), ZfsError> {
        let done = |complaint: &Complaint| *complaint == Complaint::KeyNotLoaded;
        self.run_unless(&verbs::unload_key(root), done).await.map(|_| ())
    }
}
