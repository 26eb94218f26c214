//! Mark what arrived as ours, hold the new common base on both sides, and only then let go of the old.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::describe::{self, Described};
use super::ends::Ends;
use super::protect::{bookmark_of, common_names, is_bookmarked, with_bookmarks, without};
use super::run::{Held, Pair, Run, View, full_name, hold_tag};
use super::snapshot::{mark, prefix};
use crate::domain::dataset::{Bookmark, Dataset, Owner, PROPERTY_ROLE, Role, Snapshot};
use crate::domain::job::Failure;
use crate::domain::names::{BookmarkName, SnapTag, SnapshotName};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;
use crate::zfs::{Deed, HoldTag, Property};

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
        let mut view = self.0.view(cx, &run).await?;
        let (mut base, mut bookmarks) = ((Vec::new(), Vec::new()), Vec::new());
        for pair in &view.pairs {
            if let Some((here, there)) = common_names(pair)? {
                if !is_bookmarked(pair, &here) {
                    bookmarks.push(here.clone());
                }
                base.0.push(here);
                base.1.push(there);
            }
        }
        let tag = hold_tag(&view.group)?;
        // What the steps before have just held is held.
        let unheld = (without(&base.0, &view.held.source), without(&base.1, &view.held.destination));
        let marks = with_bookmarks(&bookmarks)?;
        let told = self.told(cx, &run, &view).await?;
        let mut secure = vec![Deed::Bookmark(&marks), Deed::Hold(&tag, &unheld.0)];
        let root = &run.input.source.dataset;
        secure.extend(told.described.iter().map(|described| Deed::Set(root, &described.source)));
        let (here, there) =
            tokio::join!(run.source.carry_out(&secure), claim(&run, &view, (&tag, &unheld.1), &told));
        here?;
        there?;
        if let Some(described) = &told.described {
            describe::says(&mut view, described);
        }
        bookmarks.iter().for_each(|name| view.bookmarked(name));
        claimed(&mut view);
        // From here on the new base is safe on both sides.
        let here = others_held(view.pairs.iter().map(|pair| &pair.source), &base.0)?;
        let there = others_held(view.pairs.iter().filter_map(|pair| pair.destination.as_ref()), &base.1)?;
        let cursors = forget_cursors(&mut view)?;
        let let_go = [Deed::Release(&tag, &here), Deed::DestroyBookmarks(&cursors)];
        let released = [Deed::Release(&tag, &there)];
        let (kept_here, kept_there) =
            tokio::join!(run.source.carry_out(&let_go), run.destination.carry_out(&released));
        view.released(&without(&here, &kept_here?), &without(&there, &kept_there?));
        view.held = Held { source: base.0.into_iter().collect(), destination: base.1.into_iter().collect() };
        self.0.leave(cx, view);
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("the common base stays held on both sides: the next run builds on it")
    }
}

/// What is to be said at the destination, and of the group on both sides.
#[derive(Default)]
struct Told {
    manifests: Vec<(SnapshotName, Vec<Property>)>,
    described: Option<Described>,
}

impl Settle {
    /// Brings the manifests of what arrived over, and keeps them here: all of them before a snapshot at the destination says
    /// that it is ours.
    async fn told(&self, cx: &StepContext, run: &Run, view: &View) -> Result<Told, Failure> {
        let Some((vcenters, _)) = self.0.vcenters_of(&run.input) else { return Ok(Told::default()) };
        let mut manifests = Vec::new();
        let new = |snapshot: &Snapshot| snapshot.owner == Owner::Foreign;
        for (name, guid, manifest) in describe::arrived(cx, run, view, new).await? {
            vcenters.store().put_manifest(guid, &manifest).await.map_err(not_kept)?;
            manifests.push((name, describe::properties_of(cx, &manifest)?));
        }
        let described = describe::described(cx, vcenters, view).await?;
        Ok(Told { manifests, described })
    }
}

/// The replica carries the group and its role; snapshots that are the group's at the source are so at the
/// destination too. A stream brings no properties, so this is where a received snapshot becomes ours. The new base is
/// held with it.
async fn claim(
    run: &Run,
    view: &View,
    (tag, base): (&HoldTag, &[SnapshotName]),
    told: &Told,
) -> Result<(), Failure> {
    let group = view.group.to_string();
    let role = Property::new(PROPERTY_ROLE, Role::Replica.as_str())
        .map_err(|error| Failure::permanent(format!("The role's mark is not valid: {error}.")))?;
    let properties = [mark(&view.group)?, role];
    let (mut replicas, mut names) = (Vec::new(), Vec::new());
    for pair in &view.pairs {
        let Some(there) = &pair.destination else { continue };
        if there.group.as_deref() != Some(&group) || there.role != Some(Role::Replica) {
            replicas.push(&there.name);
        }
        for snapshot in there.snapshots.iter().filter(|snapshot| is_new(view, pair, snapshot)) {
            names.push(full_name(&there.name, &snapshot.tag)?);
        }
    }
    let mut deeds: Vec<Deed<'_>> = replicas.iter().map(|name| Deed::Set(name, &properties)).collect();
    let root = &run.input.destination.dataset;
    deeds.extend(told.described.iter().map(|described| Deed::Set(root, &described.replica)));
    deeds.extend(told.manifests.iter().map(|(name, properties)| Deed::SetOn(name, properties)));
    deeds.push(Deed::Mark(&group, &names));
    deeds.push(Deed::Hold(tag, base));
    run.destination.carry_out(&deeds).await?;
    Ok(())
}

/// Whether a snapshot at the destination is the group's and does not say so yet.
fn is_new(view: &View, pair: &Pair, snapshot: &Snapshot) -> bool {
    let ours = Owner::Zerfaux(view.group.to_string());
    let is_ours = pair.source.snapshot_by_guid(snapshot.guid).is_some_and(|here| here.owner == ours);
    snapshot.owner == Owner::Foreign && is_ours
}

/// What [`claim`] makes of the view.
fn claimed(view: &mut View) {
    let group = view.group.to_string();
    let ours = Owner::Zerfaux(group.clone());
    for pair in &mut view.pairs {
        let Some(there) = &mut pair.destination else { continue };
        (there.group, there.role) = (Some(group.clone()), Some(Role::Replica));
        for snapshot in &mut there.snapshots {
            let here = pair.source.snapshot_by_guid(snapshot.guid);
            if snapshot.owner == Owner::Foreign && here.is_some_and(|here| here.owner == ours) {
                snapshot.owner = ours.clone();
            }
        }
    }
}

/// What is held, by whomever, and is not the base.
pub(super) fn others_held<'a>(
    datasets: impl Iterator<Item = &'a Dataset>,
    base: &[SnapshotName],
) -> Result<Vec<SnapshotName>, Failure> {
    let base: BTreeSet<&SnapshotName> = base.iter().collect();
    let mut names = Vec::new();
    for dataset in datasets {
        for snapshot in dataset.snapshots.iter().filter(|snapshot| snapshot.holds > 0) {
            let name = full_name(&dataset.name, &snapshot.tag)?;
            if !base.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// Takes the group's bookmarks at the source but for the newest few out of the view, and names them.
fn forget_cursors(view: &mut View) -> Result<Vec<BookmarkName>, Failure> {
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
    Ok(forgotten)
}
