//! Where the datastores of an appliance are mounted, and mounting one on hosts that do not have it.

use serde::Deserialize;
use serde_json::json;

use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::deployment::{DatastoreHost, Deployment};
use crate::domain::ids::{JobId, VcenterId};
use crate::domain::inventory::{Datastore, NfsExport, PlaceKind, dataset_at};
use crate::domain::job::{Job, JobState};
use crate::domain::moref::EsxiRef;
use crate::domain::names::DatasetName;
use crate::domain::target::Target;
use crate::jobs::mount_datastore::{KIND, MountInput};
use crate::jobs::nfs_room::nfs_rooms;
use crate::jobs::{deploy, protection_datastore};
use crate::plan::nfs_room::room_for;

/// A datastore that is an export of an appliance.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetDatastore {
    /// The connection of its vCenter.
    pub vcenter: VcenterId,
    /// The connection's name.
    pub vcenter_name: String,
    /// The datastore.
    pub datastore: Datastore,
    /// What it mounts.
    pub export: NfsExport,
    /// The dataset behind it, if the path tells.
    pub dataset: Option<DatasetName>,
    /// Whether it is a protection datastore: others are homes of shells, or somebody's own.
    pub protects: bool,
    /// How many hosts could mount it: those beside the ones that do.
    pub hosts: usize,
}

/// How mounting ended on each host, as the result of a job tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounts {
    /// The connection of the vCenter.
    pub vcenter: VcenterId,
    /// The datastore's name.
    pub name: String,
    /// What is mounted.
    pub export: NfsExport,
    /// Each host.
    pub hosts: Vec<HostMount>,
}

/// How it ended on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Which.
    pub host: DatastoreHost,
    /// Why it is not mounted there.
    pub failed: Option<String>,
    /// Whether the job found it mounted.
    pub was_there: bool,
    /// Whether the inventory knows it mounted there now.
    pub is_there: bool,
}

/// One host in a job's result.
#[derive(Deserialize)]
struct Told {
    host: String,
    moref: String,
    result: String,
    message: Option<String>,
}

/// What a job has mounted, and how that ended; none if it is no such job, or has no result.
fn told(job: &Job) -> Option<Mounts> {
    let result = job.result.as_ref()?;
    let text = |key: &str| result[key].as_str().map(str::to_owned);
    let (vcenter, name, export) = match job.kind.as_str() {
        deploy::KIND => {
            let input = Deployment::deserialize(&job.input).ok()?;
            let export = NfsExport { host: text("detected_ip")?, path: input.nfs_path() };
            (input.vcenter_id, text("datastore_name")?, export)
        }
        protection_datastore::KIND | KIND => {
            let vcenter = job.input["vcenter_id"].as_str()?.parse().ok()?;
            (vcenter, text("name")?, NfsExport { host: text("remote_host")?, path: text("remote_path")? })
        }
        _ => return None,
    };
    let told = Vec::<Told>::deserialize(&result["hosts"]).ok()?;
    let host = |one: Told| HostMount {
        host: DatastoreHost { moref: EsxiRef::new(one.moref), name: one.host },
        failed: (one.result == "failed").then(|| one.message.unwrap_or_default()),
        was_there: one.result == "already_there",
        is_there: false,
    };
    Some(Mounts { vcenter, name, export, hosts: told.into_iter().map(host).collect() })
}

impl App {
    /// The datastores that an appliance exports, of every vCenter, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn target_datastores(&self, target: &Target) -> Result<Vec<TargetDatastore>, AppError> {
        let mut all = Vec::new();
        let live = target.zfs_pool.child("zerfaux/live").ok();
        for vcenter in self.store.vcenters().await? {
            let known = self.store.datastores(vcenter.id, false).await?;
            let own: Vec<_> = known
                .into_iter()
                .filter_map(|one| Some((one.object.nfs.clone()?, one.object)))
                .filter(|(export, _)| export.host == target.nfs_address())
                .collect();
            if own.is_empty() {
                continue;
            }
            let hosts = self.store.places(vcenter.id, Some(PlaceKind::Host)).await?;
            let hosts: Vec<_> =
                hosts.into_iter().filter(|host| host.gone_at.is_none()).map(|host| host.object).collect();
            for (export, datastore) in own {
                let mounts = |id: &str| datastore.hosts.iter().any(|host| host.id() == id);
                // Beside the hosts that mount it, in their clusters; where nobody does, any.
                let around: Vec<_> =
                    hosts.iter().filter(|host| mounts(&host.object.id)).map(|host| &host.parent).collect();
                let could = hosts.iter().filter(|host| around.is_empty() || around.contains(&&host.parent));
                let dataset = dataset_at(target.zfs_pool.as_str(), &export.path);
                let protects = dataset.as_ref().zip(live.as_ref()).is_some_and(|(dataset, live)| {
                    dataset.as_str().strip_prefix(live.as_str()).is_some_and(|rest| rest.starts_with('/'))
                });
                all.push(TargetDatastore {
                    vcenter: vcenter.id,
                    vcenter_name: vcenter.name.clone(),
                    export,
                    dataset,
                    protects,
                    hosts: could.count().max(datastore.hosts.len()),
                    datastore,
                });
            }
        }
        all.sort_by(|one, other| one.datastore.name.cmp(&other.datastore.name));
        Ok(all)
    }

    /// What a job has mounted, and how that ended; none if it is no such job, or has not ended well.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn mounts(&self, job: &Job) -> Result<Option<Mounts>, AppError> {
        let Some(mut mounts) = told(job) else { return Ok(None) };
        let known = self.store.datastores(mounts.vcenter, false).await?;
        let now = known.iter().find(|one| one.object.nfs.as_ref() == Some(&mounts.export));
        for one in &mut mounts.hosts {
            one.is_there = now.is_some_and(|now| now.object.hosts.contains(&one.host.moref));
        }
        Ok(Some(mounts))
    }

    /// Mounts what a job has made on hosts on which it failed: on these, or on all of them if none is named.
    ///
    /// # Errors
    /// If there is no such job, or it has nothing to mount there.
    pub async fn mount_again(
        &self,
        who: &Principal,
        job: JobId,
        wanted: &[String],
    ) -> Result<JobId, AppError> {
        let job = self.job(job).await?;
        let mounts = told(&job).filter(|_| job.state == JobState::Succeeded);
        let mounts = mounts.ok_or_else(|| {
            AppError::Conflict(
                "only what a job has mounted on some hosts can be mounted on others".to_owned(),
            )
        })?;
        let failed: Vec<DatastoreHost> =
            mounts.hosts.into_iter().filter(|one| one.failed.is_some()).map(|one| one.host).collect();
        let hosts = match wanted {
            [] => failed,
            ids => {
                let find = |id: &String| {
                    let found = failed.iter().find(|host| host.moref.id() == id).cloned();
                    let message = format!("Mounting did not fail on a host {id} in that job.");
                    let invalid = || FieldError { field: "host_morefs", message };
                    found.ok_or_else(|| AppError::Invalid { fields: vec![invalid()] })
                };
                ids.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        if hosts.is_empty() {
            return Err(AppError::Conflict("mounting failed on no host in that job".to_owned()));
        }
        let details = json!({ "hosts": hosts.iter().map(|host| &host.name).collect::<Vec<_>>() });
        let input = MountInput {
            vcenter_id: mounts.vcenter,
            name: mounts.name.clone(),
            remote_host: mounts.export.host,
            remote_path: mounts.export.path,
            hosts,
        };
        let entry = self.entry(who, "datastore.mount", &mounts.name, Outcome::Done, details);
        self.start_job(who, KIND, &input, entry).await
    }

    /// What stands in the way of mounting one more datastore on hosts, and what one should know: the hosts are asked now.
    pub(super) async fn room_on(
        &self,
        vcenter: VcenterId,
        name: &str,
        hosts: &[DatastoreHost],
    ) -> Result<(Vec<String>, Vec<String>), AppError> {
        match nfs_rooms(self.vcenters()?.sessions(), vcenter, hosts).await {
            Ok(rooms) => Ok(room_for(name, &rooms)),
            Err(failure) => {
                let unknown = format!(
                    "How many NFS datastores the hosts may mount is not known: {} Mounting looks again.",
                    failure.message
                );
                Ok((Vec::new(), vec![unknown]))
            }
        }
    }
}
