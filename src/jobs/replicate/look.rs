//! Look at both ends and stop at a conflict, before anything is changed. The dry run is this look, printed.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ends::Ends;
use super::run::{Pair, Run, View};
use super::snapshot::next_sequence;
use super::transfer::send_args;
use super::way::{self, Way};
use super::{OnConflict, ReplicateInput};
use crate::domain::dataset::{Encryption, Guid, Role};
use crate::domain::ids::GroupId;
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::domain::size::format_bytes;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::{not_kept, recorded};
use crate::jobs::hosts::Hosts;
use crate::plan::agreement::{Known, contradictions};
use crate::plan::conflict::{Choice, Conflict};
use crate::plan::replication::{Action, Plan, Stream};
use crate::zfs::{Privilege, Zfs};

pub(super) struct Look(pub(super) Arc<Ends>);

/// What the look leaves for the steps after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Looked {
    pub(super) group: GroupId,
    /// The sequence number of the next snapshot.
    pub(super) sequence: u64,
    /// The GUID of the dataset at the source.
    #[serde(default)]
    pub(super) live: Option<Guid>,
    /// Whether there is something at the destination already.
    pub(super) destination_exists: bool,
    /// The datasets at the source, parents first.
    pub(super) sources: Vec<DatasetName>,
    /// Whether the stream is to go straight from host to host.
    #[serde(default)]
    pub(super) direct: bool,
}

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 4)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let run = self.0.open(cx).await?;
        for end in [&run.source, &run.destination] {
            cx.info(format!("{}: {}.", end.host().label(), describe_end(end)));
        }
        let view = match self.0.memory().recall(&run).await? {
            Some(view) => view,
            None => run.look().await?,
        };
        let mut conflicts = Vec::new();
        for pair in &view.pairs {
            let plan = pair.plan(&view.group, run.input.history);
            for note in &plan.notes {
                cx.warn(note.clone());
            }
            conflicts.extend(run.obstacle(&view, pair).map(|conflict| (pair, conflict)));
        }
        for (pair, conflict) in &conflicts {
            if !can_be_resolved(conflict, is_encrypted(pair), run.input.on_conflict) {
                return Err(refused(conflict, is_encrypted(pair)));
            }
        }
        self.agrees(&run, &view).await?;
        let way = way::choose(&run, self.0.hosts()).await?;
        tell_way(cx, &way);
        let direct = way.is_direct();
        let sources = view.pairs.iter().map(|pair| pair.source.name.clone()).collect();
        let destination_exists = view.pairs.first().is_some_and(|pair| pair.destination.is_some());
        let live = view.pairs.first().map(|pair| pair.source.guid);
        let (group, sequence) = (view.group, next_sequence(&view));
        let looked = Looked { group, sequence, live, destination_exists, sources, direct };
        self.0.leave(cx, view);
        recorded(looked)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}

impl Look {
    /// Refuses a group's run whose datasets contradict what is known of the group.
    async fn agrees(&self, run: &Run, view: &View) -> Result<(), Failure> {
        let Some((vcenters, _)) = self.0.vcenters_of(&run.input) else { return Ok(()) };
        let counter = vcenters.store().group_epoch(view.group).await.map_err(not_kept)?;
        let (Some(counter), Some(pair)) = (counter, view.pairs.first()) else { return Ok(()) };
        let deleted = vcenters.store().deleted_groups().await.map_err(not_kept)?;
        let known = Known { group: view.group, counter, checkpoints: &[], deleted: &deleted };
        let sides = [(Role::Live, Some(&pair.source)), (Role::Replica, pair.destination.as_ref())];
        for (role, dataset) in sides {
            let found = dataset.map(|dataset| contradictions(&known, role, dataset)).unwrap_or_default();
            if let Some(one) = found.into_iter().next() {
                let message = format!("Stopped to protect data: {}: {}", one.object, one.why);
                return Err(Failure::refused(message).advise(one.advice));
            }
        }
        Ok(())
    }
}

/// Says which way the stream goes.
pub(super) fn tell_way(cx: &StepContext, way: &Way) {
    if way.is_second_choice {
        cx.warn(way.told.clone());
    } else {
        cx.info(way.told.clone());
    }
}

/// What answers on a host, such as `OpenZFS 2.3.2, as root`.
fn describe_end(zfs: &Zfs) -> String {
    let release = zfs.version().map_or_else(|| "OpenZFS before 0.8".to_owned(), |v| format!("OpenZFS {v}"));
    let how = match zfs.privilege() {
        Privilege::Root => "as root",
        Privilege::Sudo => "through sudo",
        Privilege::Delegated => "with delegated permissions",
    };
    format!("{release}, {how}")
}

/// Whether what stands at the destination is encrypted.
pub(super) fn is_encrypted(pair: &Pair) -> bool {
    pair.destination.as_ref().is_some_and(|there| matches!(there.encryption, Encryption::On { .. }))
}

/// Whether what was asked for on the command line or in the group's settings solves this conflict.
pub(super) fn can_be_resolved(conflict: &Conflict, encrypted: bool, wish: OnConflict) -> bool {
    let choice = match wish {
        OnConflict::Stop => return false,
        OnConflict::KeepAndContinue => Choice::KeepAndContinue,
        OnConflict::KeepAndSeed => Choice::KeepAndSeed,
    };
    conflict.choices(encrypted).contains(&choice)
}

/// A conflict as the reason why a job stopped.
pub(super) fn refused(conflict: &Conflict, encrypted: bool) -> Failure {
    Failure::refused(format!("Stopped to protect data: {conflict}.")).advise(conflict.advice(encrypted))
}

/// What a run would do, without doing any of it.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The group it would be done for.
    pub group: GroupId,
    /// Whether a snapshot would be taken first; what is written until then is not in the sizes.
    pub snapshot_first: bool,
    /// Whether the stream would go straight from host to host.
    pub direct: bool,
    /// Which way it would go and why, as a sentence.
    pub way: String,
    /// Dataset by dataset, parents first.
    pub datasets: Vec<PreviewedDataset>,
}

/// One dataset of a [`Preview`].
#[derive(Debug, Clone, Serialize)]
pub struct PreviewedDataset {
    /// What is sent.
    pub source: DatasetName,
    /// What is received into.
    pub destination: DatasetName,
    /// What would be done.
    #[serde(flatten)]
    pub plan: Plan,
    /// Bytes of each stream, by `zfs send -nvP`.
    pub estimates: Vec<u64>,
    /// Bytes written at the source since its newest snapshot: they would be in the snapshot taken first.
    pub written: u64,
    /// What a person may choose, if it is a conflict.
    pub choices: Vec<Choice>,
    /// Whether what stands at the destination is encrypted.
    pub destination_encrypted: bool,
}

/// Looks at both ends and says what a run would do. Changes nothing.
///
/// # Errors
/// If an end cannot be reached or read.
pub async fn preview(input: ReplicateInput, hosts: &Hosts) -> Result<Preview, Failure> {
    let run = Run::open(input, hosts).await?;
    let View { group, pairs, .. } = run.look().await?;
    let way = way::choose(&run, hosts).await?;
    let mut datasets = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let plan = pair.plan(&group, run.input.history);
        let mut estimates = Vec::new();
        if let Action::Send { streams } = &plan.action {
            for stream in streams {
                estimates.push(run.source.estimate(&send_args(&pair, stream, &run)?).await?);
            }
        }
        let choices = match &plan.action {
            Action::Conflict(conflict) => conflict.choices(is_encrypted(&pair)),
            _ => Vec::new(),
        };
        let (source, destination) = (pair.source.name.clone(), pair.place.clone());
        let (written, destination_encrypted) = (pair.source.written, is_encrypted(&pair));
        datasets.push(PreviewedDataset {
            source,
            destination,
            plan,
            estimates,
            written,
            choices,
            destination_encrypted,
        });
    }
    let (direct, way) = (way.is_direct(), way.told);
    Ok(Preview { group, snapshot_first: run.input.snapshot, direct, way, datasets })
}

/// One stream in words, such as `@b since @a, with the snapshots between`.
pub(super) fn describe(stream: &Stream) -> String {
    use crate::domain::dataset::Base;
    match stream {
        Stream::Resume { to, received, .. } => {
            format!("the rest of the interrupted stream up to @{to} ({} are there)", format_bytes(*received))
        }
        Stream::Full { to } => format!("everything up to @{to}"),
        Stream::Incremental { from, to, intermediates } => {
            let from = match from {
                Base::Snapshot(tag) => format!("@{tag}"),
                Base::Bookmark(tag) => format!("bookmark #{tag}"),
            };
            let between = if *intermediates { ", with the snapshots between" } else { "" };
            format!("@{to} since {from}{between}")
        }
    }
}

impl std::fmt::Display for PreviewedDataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.source, self.destination)?;
        if let Some(dead) = self.plan.discard {
            write!(f, "\n  drop the partly received stream: {}", dead.reason())?;
        }
        match &self.plan.action {
            Action::NoSnapshot => write!(f, "\n  the source has no snapshot yet")?,
            Action::UpToDate { at } => write!(f, "\n  up to date at @{at}")?,
            Action::Conflict(conflict) => write!(f, "\n  CONFLICT: {conflict}")?,
            Action::Send { streams } => {
                for (stream, bytes) in streams.iter().zip(&self.estimates) {
                    write!(f, "\n  send {}: about {}", describe(stream), format_bytes(*bytes))?;
                }
            }
        }
        self.plan.notes.iter().try_for_each(|note| write!(f, "\n  note: {note}"))
    }
}
