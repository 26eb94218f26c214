//! Mark what arrived as ours, hold the new common base on both sides, and only then let go of the old.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::ends::Ends;
use super::protect::{bookmark_of, common_names, is_bookmarked};
use super::run::{Run, View, full_name, hold_tag};
use super::snapshot::{mark, prefix};
use super::transfer::Sent;
use crate::domain::dataset::{Bookmark, Owner, PROPERTY_ROLE, Role};
use crate::domain::job::Failure;
use crate::domain::names::{SnapTag, SnapshotName};
use crate::engine::{Step, StepContext, UndoKind};
use crate::zfs::{HoldTag, Property, Zfs};

pub(super) struct Settle(pub(super) Arc<Ends>);

/// So many bookmarks of the group stay at the source, the newest: should somebody destroy the newest
/// snapshots of a replica, an older one is still a base.
pub(super) const CURSORS: usize = 3;

#[async_trait]
impl Step for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn percent(&self) -> (u8, u8) {
        (93, 97)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let run = self.0.open(cx).await?;
        let seen = self.0.take(cx);
        // Where nothing was sent, `protect` has just held the very same base.
        let is_held = seen.is_some() && cx.need::<Sent>("transfer")?.streams == 0;
        let mut view = match seen {
            Some(view) => view,
            None => run.look().await?,
        };
        claim(&run, &mut view).await?;
        let (mut base, mut bookmarks) = ((Vec::new(), Vec::new()), Vec::new());
        for pair in &view.pairs {
            if let Some((here, there)) = common_names(pair)? {
                if !is_bookmarked(pair, &here) {
                    bookmarks.push((here.clone(), bookmark_of(&here)?));
                }
                base.0.push(here);
                base.1.push(there);
            }
        }
        run.source.bookmark_all(&bookmarks).await?;
        bookmarks.iter().for_each(|(name, _)| view.bookmarked(name));
        let tag = hold_tag(&view.group)?;
        if !is_held {
            let (here, there) =
                tokio::join!(run.source.hold(&tag, &base.0), run.destination.hold(&tag, &base.1));
            here?;
            there?;
        }
        // From here on the new base is safe on both sides.
        let here = view.pairs.iter().map(|pair| &pair.source);
        let there = view.pairs.iter().filter_map(|pair| pair.destination.as_ref());
        let (here, there) = tokio::join!(
            let_go(&run.source, &tag, here, &base.0),
            let_go(&run.destination, &tag, there, &base.1)
        );
        let (here, there) = (here?, there?);
        forget_cursors(&run, &mut view).await?;
        view.released(&here, &there);
        self.0.leave(cx, view);
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("the common base stays held on both sides: the next run builds on it")
    }
}

/// The replica carries the group and its role; snapshots that are the group's at the source are so at the
/// destination too. A stream brings no properties, so this is where a received snapshot becomes ours.
async fn claim(run: &Run, view: &mut View) -> Result<(), Failure> {
    let group = view.group.to_string();
    let ours = Owner::Zerfaux(group.clone());
    let mut names: Vec<SnapshotName> = Vec::new();
    for pair in &mut view.pairs {
        let Some(there) = &mut pair.destination else { continue };
        if there.group.as_deref() != Some(&group) || there.role != Some(Role::Replica) {
            let role = Property::new(PROPERTY_ROLE, Role::Replica.as_str())
                .map_err(|error| Failure::permanent(format!("The role's mark is not valid: {error}.")))?;
            run.destination.set(&there.name, &[mark(&view.group)?, role]).await?;
            (there.group, there.role) = (Some(group.clone()), Some(Role::Replica));
        }
        for snapshot in &mut there.snapshots {
            let is_ours = pair.source.snapshot_by_guid(snapshot.guid).is_some_and(|here| here.owner == ours);
            if snapshot.owner == Owner::Foreign && is_ours {
                names.push(full_name(&there.name, &snapshot.tag)?);
                snapshot.owner = ours.clone();
            }
        }
    }
    run.destination.mark_snapshots(&group, &names).await?;
    Ok(())
}

/// Releases the group's hold on everything but the base. What was released.
pub(super) async fn let_go<'a>(
    zfs: &Zfs,
    tag: &HoldTag,
    datasets: impl Iterator<Item = &'a crate::domain::dataset::Dataset>,
    base: &[SnapshotName],
) -> Result<Vec<SnapshotName>, Failure> {
    let mut names = Vec::new();
    for dataset in datasets {
        for snapshot in dataset.snapshots.iter().filter(|snapshot| snapshot.holds > 0) {
            let name = full_name(&dataset.name, &snapshot.tag)?;
            if !base.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.is_empty() {
        return Ok(names);
    }
    let holds = zfs.holds(&names).await?;
    let ours: Vec<SnapshotName> =
        holds.into_iter().filter(|hold| hold.tag == tag.as_str()).map(|hold| hold.snapshot).collect();
    zfs.release(tag, &ours).await?;
    Ok(ours)
}

/// Destroys the group's bookmarks at the source but for the newest few.
async fn forget_cursors(run: &Run, view: &mut View) -> Result<(), Failure> {
    let prefix = prefix(&view.group);
    let mut forgotten = Vec::new();
    for pair in &mut view.pairs {
        let source = &mut pair.source;
        let ours = |bookmark: &&Bookmark| bookmark.tag.as_str().starts_with(&prefix);
        let old: Vec<SnapTag> = source
            .bookmarks
            .iter()
            .filter(ours)
            .rev()
            .skip(CURSORS)
            .map(|bookmark| bookmark.tag.clone())
            .collect();
        for tag in &old {
            forgotten.push(bookmark_of(&full_name(&source.name, tag)?)?);
        }
        source.bookmarks.retain(|bookmark| !old.contains(&bookmark.tag));
    }
    run.source.destroy_bookmarks(&forgotten).await?;
    Ok(())
}
