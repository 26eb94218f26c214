//! Several changes on one host in one remote command, each of which may be repeated.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::dataset::{Owner, PROPERTY_GROUP, Snapshot};
use crate::domain::names::{BookmarkName, DatasetName, SnapshotName};

use super::batch::Part;
use super::classify::missing_tag_on;
use super::command::Command;
use super::complaint::Complaint;
use super::error::ZfsError;
use super::property::{HoldTag, Property};
use super::{Answer, Zfs, pieces, verbs};

/// So many bookmarks are made one after the other; more of them several at a time.
const FEW: usize = 16;

/// One change. What was done before counts as done, as with the functions of the same names.
#[derive(Debug, Clone)]
pub enum Deed<'a> {
    /// [`Zfs::hold`]
    Hold(&'a HoldTag, &'a [SnapshotName]),
    /// [`Zfs::release`]
    Release(&'a HoldTag, &'a [SnapshotName]),
    /// [`Zfs::bookmark_all`]
    Bookmark(&'a [(SnapshotName, BookmarkName)]),
    /// [`Zfs::destroy_bookmarks`]
    DestroyBookmarks(&'a [BookmarkName]),
    /// [`Zfs::mark_snapshots`], for the group of this id.
    Mark(&'a str, &'a [SnapshotName]),
    /// [`Zfs::set`]
    Set(&'a DatasetName, &'a [Property]),
    /// [`Zfs::set`], of a snapshot. Of many properties the last ones are set last.
    SetOn(&'a SnapshotName, &'a [Property]),
}

/// New snapshots with what secures them and what they are to build on.
#[derive(Debug, Clone)]
pub struct Checkpoint<'a> {
    /// Whose they are.
    pub group: &'a str,
    /// The snapshots, each of another dataset.
    pub snapshots: &'a [SnapshotName],
    /// What holds them.
    pub hold: &'a HoldTag,
    /// What is held with them.
    pub base: &'a [SnapshotName],
    /// What is bookmarked, they among it.
    pub bookmarks: &'a [(SnapshotName, BookmarkName)],
    /// What else the snapshots say of themselves from the first moment: [`fit_with_a_snapshot`].
    pub properties: &'a [Property],
}

/// So many bytes of properties one command sets: it becomes one word of a remote command, which holds 128 KiB.
const TOGETHER: usize = 32 * 1024;

/// Whether these can be set by the very command that takes a snapshot. Others are set right after it.
pub fn fit_with_a_snapshot(properties: &[Property]) -> bool {
    length(properties) <= TOGETHER
}

fn length(properties: &[Property]) -> usize {
    properties.iter().map(|property| property.to_string().len() + 4).sum()
}

/// In their order, as many at a time as one command sets.
fn portions(properties: &[Property]) -> Vec<&[Property]> {
    let (mut all, mut rest) = (Vec::new(), properties);
    while !rest.is_empty() {
        let fitting = (1..=rest.len()).take_while(|count| length(&rest[..*count]) <= TOGETHER).last();
        let (these, others) = rest.split_at(fitting.unwrap_or(1));
        all.push(these);
        rest = others;
    }
    all
}

/// What makes a failure of a command as good as success.
#[derive(Debug, Clone)]
enum Already {
    Never,
    Held,
    NotHeld,
    Bookmarked(SnapshotName, BookmarkName),
    Gone,
}

impl Zfs {
    /// Does these in their order, in one remote command where they fit. Gives the snapshots that a
    /// [`Deed::Release`] named and that had no such hold.
    ///
    /// # Errors
    /// For the first one that cannot be done; those after it may have been done all the same.
    pub async fn carry_out(&self, deeds: &[Deed<'_>]) -> Result<BTreeSet<SnapshotName>, ZfsError> {
        let mut not_held = BTreeSet::new();
        let mut waiting = Vec::new();
        for deed in deeds {
            match deed {
                // Many small ones wait for one transaction group together, and go by themselves.
                Deed::Bookmark(wanted) if wanted.len() > FEW => {
                    self.finish(std::mem::take(&mut waiting), &mut not_held).await?;
                    self.bookmark_all(wanted).await?;
                }
                Deed::DestroyBookmarks(bookmarks) if bookmarks.len() > FEW => {
                    self.finish(std::mem::take(&mut waiting), &mut not_held).await?;
                    self.destroy_bookmarks(bookmarks).await?;
                }
                deed => waiting.extend(self.commands(deed)?),
            }
        }
        self.finish(waiting, &mut not_held).await?;
        Ok(not_held)
    }

    /// Takes the snapshots in one transaction group, marks them as the group's, holds them and what they build on,
    /// bookmarks them, and says what is known of them: in one remote command where they are few. As
    /// [`Zfs::ensure_snapshots`], [`Zfs::hold`], [`Zfs::bookmark_all`] and [`Zfs::fresh_snapshots`] one after the other.
    ///
    /// # Errors
    /// As these.
    pub async fn take(&self, what: &Checkpoint<'_>) -> Result<BTreeMap<SnapshotName, Snapshot>, ZfsError> {
        let Some((first, others)) = what.snapshots.split_first() else { return Ok(BTreeMap::new()) };
        let owner = Owner::Zerfaux(what.group.to_owned());
        let held: Vec<SnapshotName> = what.snapshots.iter().chain(what.base).cloned().collect();
        let secure = [Deed::Hold(what.hold, &held), Deed::Bookmark(what.bookmarks)];
        if what.bookmarks.len() > FEW || pieces(&held).len() > 1 {
            self.ensure_snapshots(what.group, what.snapshots, what.properties).await?;
            self.carry_out(&secure).await?;
            return self.fresh_snapshots(what.snapshots, &owner).await;
        }
        let bare = verbs::snapshot(first, others, &[]);
        let mark = self.mark(&bare, what.group)?;
        let marks: Vec<Property> = std::iter::once(mark).chain(what.properties.iter().cloned()).collect();
        let take = verbs::snapshot(first, others, &marks);
        let list = verbs::list_snapshots(what.snapshots);
        let mut commands = Vec::new();
        for deed in &secure {
            commands.extend(self.commands(deed)?);
        }
        let parts: Vec<Part> = std::iter::once(Part::must(take.clone()))
            .chain(commands.iter().map(|(command, _)| Part::may(command.clone())))
            .chain([Part::may(list.clone())])
            .collect();
        let answers = self.ask_all(&parts).await?;
        let Some((taken, secured)) = answers.split_first() else { return Ok(BTreeMap::new()) };
        if !taken.succeeded() {
            let error = self.refused(&take, taken.exit.clone(), &taken.stderr);
            if error.complaint() != Some(&Complaint::AlreadyExists) {
                return Err(error);
            }
            // An earlier attempt took them, or they are somebody else's.
            self.ensure_snapshots(what.group, what.snapshots, what.properties).await?;
            self.carry_out(&secure).await?;
            return self.fresh_snapshots(what.snapshots, &owner).await;
        }
        for ((command, already), answer) in commands.iter().zip(secured) {
            self.accept(command, already, answer).await?;
        }
        match secured.get(commands.len()) {
            Some(answer) => self.read_fresh(&list, &self.read_table(&list, answer)?, &owner),
            None => self.fresh_snapshots(what.snapshots, &owner).await,
        }
    }

    fn mark(&self, command: &Command, group: &str) -> Result<Property, ZfsError> {
        Property::new(PROPERTY_GROUP, group).map_err(|error| self.guarded(command, error.to_string()))
    }

    fn commands(&self, deed: &Deed<'_>) -> Result<Vec<(Command, Already)>, ZfsError> {
        type Make<'a> = &'a dyn Fn(&SnapshotName, &[SnapshotName]) -> Result<Command, ZfsError>;
        let split = |names: &[SnapshotName], make: Make<'_>| -> Result<Vec<Command>, ZfsError> {
            let halves = pieces(names).into_iter().filter_map(<[SnapshotName]>::split_first);
            halves.map(|(first, others)| make(first, others)).collect()
        };
        let with = |already: Already, commands: Vec<Command>| {
            commands.into_iter().map(|command| (command, already.clone())).collect()
        };
        Ok(match deed {
            Deed::Hold(tag, names) => {
                with(Already::Held, split(names, &|first, others| Ok(verbs::hold(tag, first, others)))?)
            }
            Deed::Release(tag, names) => {
                with(Already::NotHeld, split(names, &|first, others| Ok(verbs::release(tag, first, others)))?)
            }
            Deed::Mark(group, names) => with(
                Already::Never,
                split(names, &|first, others| {
                    let mark = self.mark(&verbs::set_on_snapshots(first, others, &[]), group)?;
                    Ok(verbs::set_on_snapshots(first, others, &[mark]))
                })?,
            ),
            Deed::Bookmark(wanted) => wanted
                .iter()
                .map(|(from, to)| (verbs::bookmark(from, to), Already::Bookmarked(from.clone(), to.clone())))
                .collect(),
            Deed::DestroyBookmarks(bookmarks) => {
                bookmarks.iter().map(|bookmark| (verbs::destroy_bookmark(bookmark), Already::Gone)).collect()
            }
            Deed::Set(_, []) => Vec::new(),
            Deed::Set(dataset, properties) => vec![(verbs::set(dataset, properties), Already::Never)],
            Deed::SetOn(snapshot, properties) => portions(properties)
                .into_iter()
                .map(|these| (verbs::set_on_snapshots(snapshot, &[], these), Already::Never))
                .collect(),
        })
    }

    async fn finish(
        &self,
        commands: Vec<(Command, Already)>,
        not_held: &mut BTreeSet<SnapshotName>,
    ) -> Result<(), ZfsError> {
        let parts: Vec<Part> = commands.iter().map(|(command, _)| Part::may(command.clone())).collect();
        let answers = self.ask_all(&parts).await?;
        for ((command, already), answer) in commands.iter().zip(&answers) {
            if matches!(already, Already::NotHeld) {
                not_held.extend(missing_tag_on(&answer.stderr).iter().filter_map(|name| name.parse().ok()));
            }
            self.accept(command, already, answer).await?;
        }
        Ok(())
    }

    /// Whether the command did it, or it was done before.
    async fn accept(&self, command: &Command, already: &Already, answer: &Answer) -> Result<(), ZfsError> {
        let done = self.judge(command, answer, |complaint| match already {
            Already::Never => false,
            Already::Held => *complaint == Complaint::HoldExists,
            Already::NotHeld => matches!(complaint, Complaint::HoldMissing | Complaint::DatasetMissing(_)),
            Already::Bookmarked(..) => *complaint == Complaint::AlreadyExists,
            Already::Gone => matches!(complaint, Complaint::DatasetMissing(_)),
        })?;
        match already {
            Already::Bookmarked(snapshot, bookmark) if !done => {
                self.is_bookmark_of(snapshot, bookmark, command).await
            }
            _ => Ok(()),
        }
    }
}
