//! Replications: look what one would do, start one.

use serde_json::{Value, json};

use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{JobId, TargetId};
use crate::domain::job::Failure;
use crate::domain::location::Location;
use crate::domain::names::DatasetName;
use crate::domain::rate::Rate;
use crate::domain::retention::Retention;
use crate::domain::target::Target;
use crate::domain::transport::Transport;
use crate::jobs::replicate;

pub use crate::jobs::hosts::key_is_usable;
pub use crate::jobs::replicate::{OnConflict, Preview, PreviewedDataset, ReplicateInput};
pub use crate::plan::replication::{Action, History};

/// A replication between two appliances as somebody wants it, in the words of the form and the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicationWish {
    /// From which appliance.
    pub source_target_id: String,
    /// What is sent.
    pub source_dataset: String,
    /// To which appliance.
    pub destination_target_id: String,
    /// What is received into.
    pub destination_dataset: String,
    /// With everything below.
    pub recursive: bool,
    /// Send what is there, without a snapshot of now.
    pub no_snapshot: bool,
    /// Leave out the snapshots between the base and the newest.
    pub only_newest: bool,
    /// `auto`, `relay` or `direct`; empty means `auto`.
    pub transport: String,
    /// For example `10M`; empty means no limit.
    pub bandwidth_limit: String,
    /// Such as `last=3,daily=7`; empty means all.
    pub keep_source: String,
    /// The same at the destination.
    pub keep_destination: String,
    /// `stop`, `keep-and-continue` or `keep-and-seed`; empty means `stop`.
    pub on_conflict: String,
}

/// A replication that could be started, with its two appliances.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What the job is given.
    pub input: ReplicateInput,
    /// From.
    pub source: Target,
    /// To.
    pub destination: Target,
}

impl App {
    /// What this replication would do now. Changes nothing.
    ///
    /// # Errors
    /// If an end cannot be reached or read.
    pub async fn preview_replication(&self, input: ReplicateInput) -> Result<Preview, AppError> {
        Ok(replicate::preview(input, &self.hosts).await?)
    }

    /// Queues the replication as a job.
    ///
    /// # Errors
    /// If the database does not take it.
    pub async fn start_replication(&self, input: &ReplicateInput, by: &str) -> Result<JobId, AppError> {
        let input = serde_json::to_value(input).map_err(|error| {
            Failure::permanent(format!("The replication could not be written down: {error}."))
        })?;
        Ok(self.engine.enqueue(replicate::KIND, input, by).await?)
    }

    /// Reads a wish and finds both appliances.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that is wrong, each beside its field.
    pub async fn prepare_replication(&self, wish: &ReplicationWish) -> Result<Prepared, AppError> {
        let mut faults = Vec::new();
        let source = self.end(&mut faults, "source_target_id", &wish.source_target_id).await?;
        let destination = self.end(&mut faults, "destination_target_id", &wish.destination_target_id).await?;
        let from = dataset(&mut faults, "source_dataset", &wish.source_dataset);
        let into = dataset(&mut faults, "destination_dataset", &wish.destination_dataset);
        let transport =
            word::<Transport>(&mut faults, "transport", &wish.transport, "It is auto, relay or direct.");
        let on_conflict = word::<OnConflict>(
            &mut faults,
            "on_conflict",
            &wish.on_conflict.replace('-', "_"),
            "It is stop, keep-and-continue or keep-and-seed.",
        );
        let limit =
            optional(&mut faults, "bandwidth_limit", &wish.bandwidth_limit, |text| text.parse::<Rate>());
        let keep_source =
            optional(&mut faults, "keep_source", &wish.keep_source, |text| text.parse::<Retention>());
        let keep_destination = optional(&mut faults, "keep_destination", &wish.keep_destination, |text| {
            text.parse::<Retention>()
        });
        let (Some(source), Some(destination), Some(from), Some(into), true) =
            (source, destination, from, into, faults.is_empty())
        else {
            return Err(AppError::Invalid { fields: faults });
        };
        let targets = self.target_hosts();
        let (_, source_host) = targets.host_ref(source.id).await?;
        let (_, destination_host) = targets.host_ref(destination.id).await?;
        let input = ReplicateInput {
            source: Location { host: source_host, dataset: from },
            destination: Location { host: destination_host, dataset: into },
            group: None,
            recursive: wish.recursive,
            snapshot: !wish.no_snapshot,
            history: if wish.only_newest { History::NewestOnly } else { History::All },
            keep_source: keep_source.unwrap_or_default(),
            keep_destination: keep_destination.unwrap_or_default(),
            bandwidth_limit: limit.map(Rate::bytes_per_second),
            transport: transport.unwrap_or_default(),
            replication_address: destination.replication_address.clone(),
            guests: None,
            on_conflict: on_conflict.unwrap_or_default(),
        };
        Ok(Prepared { input, source, destination })
    }

    async fn end(
        &self,
        faults: &mut Vec<FieldError>,
        field: &'static str,
        id: &str,
    ) -> Result<Option<Target>, AppError> {
        let mut wrong = |message: &str| faults.push(FieldError { field, message: message.to_owned() });
        let found = match id.trim() {
            "" => {
                wrong("Choose an appliance.");
                return Ok(None);
            }
            id => match id.parse::<TargetId>() {
                Ok(id) => self.store.target(id).await?,
                Err(_) => None,
            },
        };
        match &found {
            None => wrong("There is no such appliance."),
            Some(target) if !target.is_active => wrong("This appliance is switched off."),
            Some(_) => {}
        }
        Ok(found)
    }

    /// Queues a replication between two appliances, with its line in the audit log, which is written first.
    ///
    /// # Errors
    /// As [`App::prepare_replication`]; or if the database does not take it.
    pub async fn replicate_between(
        &self,
        who: &Principal,
        wish: &ReplicationWish,
    ) -> Result<JobId, AppError> {
        let Prepared { input, source, destination } = self.prepare_replication(wish).await?;
        let (from, into) = (&input.source.dataset, &input.destination.dataset);
        let object = format!("{}:{from} to {}:{into}", source.name, destination.name);
        let details = json!({
            "source_target_id": source.id, "destination_target_id": destination.id, "recursive": input.recursive,
            "transport": input.transport, "on_conflict": input.on_conflict,
        });
        self.store.append_audit(self.entry(who, "replication.start", object, Outcome::Done, details)).await?;
        self.start_replication(&input, &who.actor()).await
    }
}

fn dataset(faults: &mut Vec<FieldError>, field: &'static str, text: &str) -> Option<DatasetName> {
    let read = match text.trim() {
        "" => Err("Name a dataset, such as tank/vm.".to_owned()),
        text => text.parse::<DatasetName>().map_err(|error| error.to_string()),
    };
    read.map_err(|message| faults.push(FieldError { field, message })).ok()
}

/// One of a few words; empty means the usual one.
fn word<T: serde::de::DeserializeOwned>(
    faults: &mut Vec<FieldError>,
    field: &'static str,
    text: &str,
    which: &str,
) -> Option<T> {
    let text = Some(text.trim()).filter(|text| !text.is_empty())?;
    let read = serde_json::from_value(Value::from(text));
    read.map_err(|_| faults.push(FieldError { field, message: which.to_owned() })).ok()
}

fn optional<T, E: std::fmt::Display>(
    faults: &mut Vec<FieldError>,
    field: &'static str,
    text: &str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let text = Some(text.trim()).filter(|text| !text.is_empty())?;
    read(text).map_err(|error| faults.push(FieldError { field, message: error.to_string() })).ok()
}
