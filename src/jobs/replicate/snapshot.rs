//! Take one snapshot of the whole tree, in one transaction group, under a name decided beforehand.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ends::Ends;
use super::guests::{Gathered, Guests, gather};
use super::look::Looked;
use super::protect::{bookmark_of, common_names, is_bookmarked, with_bookmarks};
use super::run::{Run, View, full_name, hold_tag};
use super::{ReplicateInput, describe, quiesce};
use crate::domain::checkpoint::CheckpointKind;
use crate::domain::dataset::{Owner, PROPERTY_GROUP};
use crate::domain::ids::GroupId;
use crate::domain::job::{Failure, Level};
use crate::domain::names::{SnapTag, SnapshotName};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::manifests::read_manifests;
use crate::jobs::vcenters::Vcenters;
use crate::zfs::{Checkpoint, Deed, Property, fit_with_a_snapshot};

pub(super) struct TakeSnapshot(pub(super) Arc<Ends>);

/// What the step leaves.
#[derive(Debug, Serialize, Deserialize)]
struct Taken {
    tag: SnapTag,
    /// What the guests knew of it; none for datasets without guests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<CheckpointKind>,
}

/// The names, decided once: `zx-<group>-<utc>-<seq>`, unique within the installation whatever the clock
/// does, because the sequence number only grows.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Intent {
    tag: Option<SnapTag>,
    names: Vec<SnapshotName>,
}

#[async_trait]
impl Step for TakeSnapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }

    fn percent(&self) -> (u8, u8) {
        (8, 12)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: ReplicateInput = cx.input()?;
        if !input.snapshot {
            return recorded(Intent { tag: None, names: Vec::new() });
        }
        let looked: Looked = cx.need("look")?;
        let tag = tag(&looked, cx.now())?;
        let names = looked.sources.iter().map(|name| full_name(name, &tag)).collect::<Result<_, _>>()?;
        recorded(Intent { tag: Some(tag), names })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let Intent { tag: Some(tag), names } = read(intent)? else {
            cx.info("No snapshot is taken: what is there is sent.");
            return Ok(Value::Null);
        };
        let run = self.0.open(cx).await?;
        let kind = match self.0.vcenters_of(&run.input) {
            Some((vcenters, guests)) => {
                match gather(cx, vcenters, &cx.need::<Looked>("look")?, &guests).await? {
                    Some(gathered) => Some(self.with_guests(cx, &run, &names, gathered).await?),
                    None => None,
                }
            }
            None => None,
        };
        if kind.is_none() {
            self.take(cx, &run, &names, &[]).await?;
        }
        cx.console(Level::Success, format!("Snapshot @{tag} of {}.", count(names.len())));
        recorded(Taken { tag, kind })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// Takes the snapshots away again, but for those that have arrived or are arriving: what the next run
    /// builds on or resumes is never taken away.
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let Some(tag) = read(intent)?.tag else { return Ok(()) };
        let run = self.0.open(cx).await?;
        if let Some((vcenters, guests)) = self.0.vcenters_of(&run.input).filter(|(_, guests)| guests.quiesce)
            && let Some(gathered) = gather(cx, vcenters, &cx.need::<Looked>("look")?, &guests).await?
        {
            quiesce::let_go(cx, vcenters, &gathered, &guests).await;
        }
        let view = run.look().await?;
        for pair in &view.pairs {
            let Some(snapshot) = pair.source.snapshot_by_tag(&tag) else { continue };
            let arrived = pair.destination.as_ref().is_some_and(|there| {
                let arriving = there.partial.as_ref().and_then(|partial| partial.contents.as_ref());
                there.snapshot_by_guid(snapshot.guid).is_some()
                    || arriving.is_some_and(|contents| contents.to_guid == snapshot.guid)
            });
            let ours = snapshot.owner == Owner::Zerfaux(view.group.to_string());
            if arrived || !ours {
                cx.info(format!("{}@{tag} stays: the destination builds on it.", pair.source.name));
                continue;
            }
            // They were held and bookmarked as they were taken.
            let names = [full_name(&pair.source.name, &tag)?];
            let hold = hold_tag(&view.group)?;
            let bookmarks = [bookmark_of(&names[0])?];
            let deeds = [Deed::DestroyBookmarks(&bookmarks), Deed::Release(&hold, &names)];
            run.source.carry_out(&deeds).await?;
            run.source.destroy_snapshots(&pair.source.name, &view.group.to_string(), &[snapshot]).await?;
        }
        Ok(())
    }
}

impl TakeSnapshot {
    async fn take(
        &self,
        cx: &StepContext,
        run: &Run,
        names: &[SnapshotName],
        properties: &[Property],
    ) -> Result<(), Failure> {
        let group = cx.need::<Looked>("look")?.group;
        match self.0.take(cx) {
            Some(mut view) => {
                take_and_secure(run, &mut view, names, properties).await?;
                self.0.leave(cx, view);
            }
            None => {
                run.source.ensure_snapshots(&group.to_string(), names, properties).await?;
            }
        }
        Ok(())
    }

    /// Takes the snapshot with a manifest, its guests at rest if that is wished. They are let go in any case.
    async fn with_guests(
        &self,
        cx: &StepContext,
        run: &Run,
        names: &[SnapshotName],
        mut gathered: Gathered,
    ) -> Result<CheckpointKind, Failure> {
        let Some((vcenters, guests)) = self.0.vcenters_of(&run.input) else {
            return Ok(gathered.manifest.kind);
        };
        let outcome = self.described(cx, run, names, &mut gathered, (vcenters, &guests)).await;
        if guests.quiesce {
            quiesce::let_go(cx, vcenters, &gathered, &guests).await;
        }
        outcome
    }

    async fn described(
        &self,
        cx: &StepContext,
        run: &Run,
        names: &[SnapshotName],
        gathered: &mut Gathered,
        (vcenters, guests): (&Vcenters, &Guests),
    ) -> Result<CheckpointKind, Failure> {
        let Some(root) = names.first() else { return Ok(CheckpointKind::CrashConsistent) };
        let owner = Owner::Zerfaux(gathered.manifest.group.to_string());
        let was_taken = guests.quiesce
            && !run.source.fresh_snapshots(std::slice::from_ref(root), &owner).await?.is_empty();
        match (guests.quiesce, was_taken) {
            (true, false) => quiesce::bring_to_rest(cx, vcenters, gathered, guests).await?,
            // An earlier attempt took it, and was cut off before it said so.
            (true, true) => quiesce::see_at_rest(cx, gathered).await,
            (false, _) => {}
        }
        let properties = describe::properties_of(cx, &gathered.manifest)?;
        // A set of several snapshots has one manifest, and what the command sets, it sets on all of them.
        let at_once = names.len() == 1 && fit_with_a_snapshot(&properties);
        self.take(cx, run, names, if at_once { &properties } else { &[] }).await?;
        // What it says itself counts: an earlier attempt may have taken it.
        if !was_taken && at_once {
            return Ok(gathered.manifest.kind);
        }
        match read_manifests(&run.source, std::slice::from_ref(root)).await?.remove(root) {
            Some(Ok(manifest)) => Ok(manifest.kind),
            _ => {
                run.source.carry_out(&[Deed::SetOn(root, &properties)]).await?;
                Ok(gathered.manifest.kind)
            }
        }
    }
}

/// Takes the snapshots and secures them and what they are to build on, in one remote command; what the destination has of
/// that is held beside it. So the step after this has nothing left to do, unless somebody came between.
async fn take_and_secure(
    run: &Run,
    view: &mut View,
    names: &[SnapshotName],
    properties: &[Property],
) -> Result<(), Failure> {
    let hold = hold_tag(&view.group)?;
    let (mut base, mut there, mut marked) = (Vec::new(), Vec::new(), names.to_vec());
    for pair in &view.pairs {
        if let Some((here, at_destination)) = common_names(pair)? {
            if !is_bookmarked(pair, &here) {
                marked.push(here.clone());
            }
            base.push(here);
            there.push(at_destination);
        }
    }
    let group = view.group.to_string();
    let bookmarks = with_bookmarks(&marked)?;
    let (snapshots, hold) = (names, &hold);
    let checkpoint =
        Checkpoint { group: &group, snapshots, hold, base: &base, bookmarks: &bookmarks, properties };
    let (taken, held) = tokio::join!(run.source.take(&checkpoint), run.destination.hold(hold, &there));
    for (name, snapshot) in taken? {
        view.taken(name.dataset(), snapshot);
    }
    held?;
    marked.iter().for_each(|name| view.bookmarked(name));
    view.held.source.extend(names.iter().cloned().chain(base));
    view.held.destination.extend(there);
    Ok(())
}

fn read(intent: &Value) -> Result<Intent, Failure> {
    Intent::deserialize(intent).map_err(|error| {
        Failure::permanent(format!("The snapshot's recorded name could not be read: {error}."))
    })
}

/// Marks a snapshot as the group's.
pub(super) fn mark(group: &GroupId) -> Result<Property, Failure> {
    Property::new(PROPERTY_GROUP, &group.to_string())
        .map_err(|error| Failure::permanent(format!("The group's mark is not valid: {error}.")))
}

/// What the names of all of a group's snapshots and bookmarks begin with.
pub(in crate::jobs) fn prefix(group: &GroupId) -> String {
    format!("zx-{}-", group.short())
}

/// One more than the highest sequence number that a snapshot or bookmark of the group bears on either side.
pub(super) fn next_sequence(view: &View) -> u64 {
    let prefix = prefix(&view.group);
    let both = view.pairs.iter().flat_map(|pair| [Some(&pair.source), pair.destination.as_ref()]).flatten();
    let tags = both.flat_map(|dataset| {
        let snapshots = dataset.snapshots.iter().map(|snapshot| &snapshot.tag);
        snapshots.chain(dataset.bookmarks.iter().map(|bookmark| &bookmark.tag))
    });
    let sequences =
        tags.filter_map(|tag| tag.as_str().strip_prefix(&prefix)?.rsplit('-').next()?.parse::<u64>().ok());
    sequences.max().unwrap_or(0).saturating_add(1)
}

fn tag(looked: &Looked, now: Timestamp) -> Result<SnapTag, Failure> {
    let text = format!("{}{}-{}", prefix(&looked.group), now.strftime("%Y%m%dT%H%M%SZ"), looked.sequence);
    text.parse().map_err(|error| Failure::permanent(format!("No snapshot name could be made: {error}.")))
}

fn count(datasets: usize) -> String {
    format!("{datasets} dataset{}", if datasets == 1 { "" } else { "s" })
}
