//! Hold what is about to be sent and what it builds on, and bookmark it, so that neither retention nor
//! anybody's cleaning can break the chain while the stream is under way.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ends::Ends;
use super::look::Looked;
use super::run::{Pair, View, full_name, hold_tag};
use super::settle::CURSORS;
use super::snapshot::prefix;
use crate::domain::dataset::Owner;
use crate::domain::job::Failure;
use crate::domain::names::{BookmarkName, SnapshotName};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::zfs::Deed;

pub(super) struct Protect(pub(super) Arc<Ends>);

/// What this run puts on, and thus what its undo may take off.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Intent {
    /// Held at the source.
    source: Vec<SnapshotName>,
    /// Held at the destination.
    destination: Vec<SnapshotName>,
    /// Bookmarked at the source, under the snapshot's own name.
    bookmarks: Vec<SnapshotName>,
    /// What earlier runs put on at the source that never arrived, and nobody needs any more. Without this, a
    /// destination that stays full or away for a week would leave a hold and a bookmark for each attempt.
    #[serde(default)]
    stale: Stale,
}

/// Left by runs that failed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Stale {
    /// Held in vain.
    holds: Vec<SnapshotName>,
    /// Bookmarked in vain, by the snapshot's name.
    bookmarks: Vec<SnapshotName>,
}

impl Stale {
    fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.bookmarks.is_empty()
    }
}

#[async_trait]
impl Step for Protect {
    fn name(&self) -> &'static str {
        "protect"
    }

    fn percent(&self) -> (u8, u8) {
        (12, 16)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let run = self.0.open(cx).await?;
        let view = self.0.view(cx, &run).await?;
        let wanted = wanted(&view)?;
        self.0.leave(cx, view);
        recorded(wanted)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let intent = read(intent)?;
        let run = self.0.open(cx).await?;
        let tag = hold_tag(&cx.need::<Looked>("look")?.group)?;
        let mut seen = self.0.take(cx);
        let held = seen.as_ref().map(|view| view.held.clone()).unwrap_or_default();
        let (here, there) =
            (without(&intent.source, &held.source), without(&intent.destination, &held.destination));
        let bookmarks = with_bookmarks(&intent.bookmarks)?;
        let stale = intent.stale.bookmarks.iter().map(bookmark_of).collect::<Result<Vec<_>, _>>()?;
        let deeds = [
            Deed::Hold(&tag, &here),
            Deed::Bookmark(&bookmarks),
            Deed::Release(&tag, &intent.stale.holds),
            Deed::DestroyBookmarks(&stale),
        ];
        let (here, there) = tokio::join!(run.source.carry_out(&deeds), run.destination.hold(&tag, &there));
        here?;
        there?;
        // What was released in vain may have been held by somebody else as well; then it is looked at anew.
        if let Some(mut view) = seen.take().filter(|_| intent.stale.is_empty()) {
            intent.bookmarks.iter().for_each(|name| view.bookmarked(name));
            view.held.source.extend(intent.source);
            view.held.destination.extend(intent.destination);
            self.0.leave(cx, view);
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// Takes off what this run put on, but for what the next run needs: the common base, and what is half
    /// sent.
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let intent = read(intent)?;
        let run = self.0.open(cx).await?;
        let view = run.look().await?;
        let tag = hold_tag(&view.group)?;
        let needed = needed(&view)?;
        let free = |names: &[SnapshotName]| -> Vec<SnapshotName> {
            names.iter().filter(|name| !needed.contains(name)).cloned().collect()
        };
        let (source, destination) = (free(&intent.source), free(&intent.destination));
        run.source.release(&tag, &source).await?;
        run.destination.release(&tag, &destination).await?;
        let bookmarks = free(&intent.bookmarks).iter().map(bookmark_of).collect::<Result<Vec<_>, _>>()?;
        run.source.destroy_bookmarks(&bookmarks).await?;
        Ok(())
    }
}

/// Those that are not among the others.
pub(super) fn without(names: &[SnapshotName], held: &BTreeSet<SnapshotName>) -> Vec<SnapshotName> {
    names.iter().filter(|name| !held.contains(name)).cloned().collect()
}

/// Each with the name of its bookmark.
pub(super) fn with_bookmarks(names: &[SnapshotName]) -> Result<Vec<(SnapshotName, BookmarkName)>, Failure> {
    names.iter().map(|name| Ok((name.clone(), bookmark_of(name)?))).collect()
}

fn read(intent: &Value) -> Result<Intent, Failure> {
    Intent::deserialize(intent).map_err(|error| {
        Failure::permanent(format!("The recorded list of holds could not be read: {error}."))
    })
}

/// The bookmark of a snapshot bears the snapshot's name.
pub(super) fn bookmark_of(name: &SnapshotName) -> Result<BookmarkName, Failure> {
    name.dataset()
        .bookmark(name.tag())
        .map_err(|error| Failure::permanent(format!("A bookmark of {name} cannot be named: {error}.")))
}

/// The newest snapshot of each source and the newest common one on both sides.
fn wanted(view: &View) -> Result<Intent, Failure> {
    let mut intent = Intent::default();
    for pair in &view.pairs {
        let newest =
            pair.source.newest().map(|newest| full_name(&pair.source.name, &newest.tag)).transpose()?;
        let common = common_names(pair)?;
        let base = common.as_ref().map(|(here, _)| here.clone());
        for name in newest.into_iter().chain(base) {
            if intent.source.contains(&name) {
                continue;
            }
            if !is_bookmarked(pair, &name) {
                intent.bookmarks.push(name.clone());
            }
            intent.source.push(name);
        }
        intent.destination.extend(common.map(|(_, there)| there));
    }
    let kept: BTreeSet<SnapshotName> =
        needed(view)?.into_iter().chain(intent.source.iter().cloned()).collect();
    for pair in &view.pairs {
        find_stale(view, pair, &kept, &mut intent.stale)?;
    }
    Ok(intent)
}

/// The group's snapshots that are held although they never arrived and are not to be sent next, and the group's
/// bookmarks that remember nothing the destination has. The newest few bookmarks stay in any case.
fn find_stale(
    view: &View,
    pair: &Pair,
    kept: &BTreeSet<SnapshotName>,
    stale: &mut Stale,
) -> Result<(), Failure> {
    let source = &pair.source;
    let ours = Owner::Zerfaux(view.group.to_string());
    for snapshot in source.snapshots.iter().filter(|snapshot| snapshot.holds > 0 && snapshot.owner == ours) {
        let name = full_name(&source.name, &snapshot.tag)?;
        if !kept.contains(&name) {
            stale.holds.push(name);
        }
    }
    let arriving = pair.destination.as_ref().and_then(|there| there.partial.as_ref()?.contents.as_ref());
    let prefix = prefix(&view.group);
    let marks = source.bookmarks.iter().filter(|bookmark| bookmark.tag.as_str().starts_with(&prefix));
    for bookmark in marks.rev().skip(CURSORS) {
        let arrived =
            pair.destination.as_ref().is_some_and(|there| there.snapshot_by_guid(bookmark.guid).is_some());
        let under_way = arriving.is_some_and(|contents| {
            contents.to_guid == bookmark.guid || contents.from_guid == Some(bookmark.guid)
        });
        let name = full_name(&source.name, &bookmark.tag)?;
        if !arrived && !under_way && !kept.contains(&name) {
            stale.bookmarks.push(name);
        }
    }
    Ok(())
}

/// Whether the bookmark of that name is there and remembers that very snapshot.
pub(super) fn is_bookmarked(pair: &Pair, name: &SnapshotName) -> bool {
    let snapshot = pair.source.snapshot_by_tag(name.tag());
    pair.source.bookmarks.iter().any(|bookmark| {
        bookmark.tag == *name.tag() && snapshot.is_some_and(|snapshot| snapshot.guid == bookmark.guid)
    })
}

/// The newest common snapshot under its name at the source and at the destination.
pub(super) fn common_names(pair: &Pair) -> Result<Option<(SnapshotName, SnapshotName)>, Failure> {
    let Some(there) = &pair.destination else { return Ok(None) };
    let Some(guid) = pair.common() else { return Ok(None) };
    match (pair.source.snapshot_by_guid(guid), there.snapshot_by_guid(guid)) {
        (Some(a), Some(b)) => {
            Ok(Some((full_name(&pair.source.name, &a.tag)?, full_name(&there.name, &b.tag)?)))
        }
        _ => Ok(None),
    }
}

/// What must stay held after an undo.
fn needed(view: &View) -> Result<BTreeSet<SnapshotName>, Failure> {
    let mut needed = BTreeSet::new();
    for pair in &view.pairs {
        if let Some((here, there)) = common_names(pair)? {
            needed.extend([here, there]);
        }
        let partial = pair.destination.as_ref().and_then(|there| there.partial.as_ref());
        let arriving = partial.and_then(|partial| partial.contents.as_ref());
        if let Some(snapshot) = arriving.and_then(|contents| pair.source.snapshot_by_guid(contents.to_guid)) {
            needed.insert(full_name(&pair.source.name, &snapshot.tag)?);
        }
    }
    Ok(needed)
}
