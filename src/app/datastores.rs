//! Protection datastores: a dataset on an appliance that hosts mount.

use serde_json::json;

use super::fields::{Faults, given};
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::deployment::DatastoreHost;
use crate::domain::ids::{JobId, TargetId, VcenterId};
use crate::domain::inventory::PlaceKind;
use crate::domain::moref::EsxiRef;
use crate::domain::names::DatasetName;
use crate::domain::networks::Networks;
use crate::domain::target::Target;
use crate::jobs::protection_datastore::{DatastoreInput, KIND};

/// Most characters of a datastore's name (vSphere's own limit).
const NAME: usize = 42;

/// A protection datastore as somebody wants it, in the words of the form and the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatastoreWish {
    /// Its name on the hosts; the dataset is named after it.
    pub name: String,
    /// The vCenter whose hosts mount it; empty: that of the appliance.
    pub vcenter_id: String,
    /// Which hosts.
    pub host_morefs: Vec<String>,
    /// Whose hosts may mount; empty: as the appliance says.
    pub nfs_clients: String,
}

impl App {
    /// Starts the job that makes a protection datastore on an appliance.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields; or if there is no such appliance.
    pub async fn create_protection_datastore(
        &self,
        who: &Principal,
        target: TargetId,
        wish: &DatastoreWish,
    ) -> Result<JobId, AppError> {
        let target = self.target(target).await?;
        let input = self.checked_datastore(&target, wish).await?;
        let details = json!({
            "appliance": target.name, "dataset": input.dataset,
            "hosts": input.hosts.iter().map(|host| &host.name).collect::<Vec<_>>(),
        });
        let entry = self.entry(who, "datastore.create", &input.name, Outcome::Done, details);
        self.start_job(who, KIND, &input, entry).await
    }

    async fn checked_datastore(
        &self,
        target: &Target,
        wish: &DatastoreWish,
    ) -> Result<DatastoreInput, AppError> {
        let mut faults = Faults::default();
        let name = faults.note("name", name(&wish.name));
        let vcenter = match (given(&wish.vcenter_id), target.vcenter) {
            (Some(text), _) => faults.note(
                "vcenter_id",
                text.parse::<VcenterId>().map_err(|_| "This is not the id of a vCenter.".to_owned()),
            ),
            (None, Some(own)) => Some(own),
            (None, None) => {
                faults.note("vcenter_id", Err("Choose the vCenter whose hosts mount it.".to_owned()))
            }
        };
        let nfs_clients = match given(&wish.nfs_clients) {
            None => Some(target.nfs_networks.clone()),
            Some(text) => {
                faults.note("nfs_clients", text.parse::<Networks>().map_err(|error| format!("{error}.")))
            }
        };
        let hosts = match vcenter {
            Some(vcenter) => self.hosts_of(vcenter, &wish.host_morefs, &mut faults.0).await?,
            None => Vec::new(),
        };
        let dataset = name.as_deref().and_then(|name| faults.note("name", dataset(&target.zfs_pool, name)));
        let all = (|| {
            Some(DatastoreInput {
                target_id: target.id,
                vcenter_id: vcenter?,
                name: name?,
                dataset: dataset?,
                nfs_clients: nfs_clients?,
                hosts,
            })
        })();
        let Some(input) = all.filter(|_| faults.0.is_empty()) else {
            return Err(AppError::Invalid { fields: faults.0 });
        };
        let (obstacles, _) = self.room_on(input.vcenter_id, &input.name, &input.hosts).await?;
        let taken = self.store.datastores(input.vcenter_id, false).await?;
        let taken = taken.iter().any(|one| one.object.name == input.name);
        let taken = taken.then(|| FieldError {
            field: "name",
            message: format!("The vCenter has a datastore {:?}. Choose another name.", input.name),
        });
        let full = obstacles.into_iter().map(|message| FieldError { field: "host_morefs", message });
        let fields: Vec<FieldError> = taken.into_iter().chain(full).collect();
        if fields.is_empty() { Ok(input) } else { Err(AppError::Invalid { fields }) }
    }

    async fn hosts_of(
        &self,
        vcenter: VcenterId,
        wanted: &[String],
        faults: &mut Vec<FieldError>,
    ) -> Result<Vec<DatastoreHost>, AppError> {
        const FIELD: &str = "host_morefs";
        if self.store.vcenter(vcenter).await?.is_none() {
            let message = "There is no such vCenter connection.".to_owned();
            faults.push(FieldError { field: "vcenter_id", message });
            return Ok(Vec::new());
        }
        if wanted.is_empty() {
            let message = "Choose the hosts that are to mount it.".to_owned();
            faults.push(FieldError { field: FIELD, message });
        }
        let known = self.store.places(vcenter, Some(PlaceKind::Host)).await?;
        let mut hosts: Vec<DatastoreHost> = Vec::new();
        for id in wanted {
            match known.iter().find(|host| host.gone_at.is_none() && host.object.object.id == *id) {
                Some(_) if hosts.iter().any(|host| host.moref.id() == id) => {}
                Some(host) => hosts
                    .push(DatastoreHost { moref: EsxiRef::new(id.as_str()), name: host.object.name.clone() }),
                None => {
                    let message = format!("The vCenter has no host {id}. Synchronise it if the host is new.");
                    faults.push(FieldError { field: FIELD, message });
                }
            }
        }
        Ok(hosts)
    }
}

fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let sound = |c: char| !c.is_control() && !"/\\%".contains(c);
    if name.is_empty() || name.chars().count() > NAME || !name.chars().all(sound) {
        return Err(format!("The name of a datastore has 1 to {NAME} characters, without /, \\ and %."));
    }
    Ok(name.to_owned())
}

/// The dataset that is named after the datastore: what OpenZFS does not take in a name becomes `-`.
fn dataset(pool: &DatasetName, name: &str) -> Result<DatasetName, String> {
    let sound = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    let leaf: String = name.chars().map(sound).collect();
    let leaf = leaf.trim_matches(['-', '.']);
    if leaf.is_empty() {
        return Err("The name of a datastore has at least one letter or digit of ASCII: its dataset is named after it."
            .to_owned());
    }
    pool.child(&format!("zerfaux/live/{leaf}")).map_err(|error| format!("{error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dataset_is_named_after_the_datastore() {
        let pool: DatasetName = "tank".parse().unwrap();
        for (named, expected) in [
            ("protected-erp", "tank/zerfaux/live/protected-erp"),
            ("ERP & Web (prod)", "tank/zerfaux/live/ERP---Web--prod"),
            ("-x-", "tank/zerfaux/live/x"),
        ] {
            assert_eq!(dataset(&pool, named).unwrap().as_str(), expected, "{named}");
        }
        assert!(dataset(&pool, "…").is_err());
        assert!(name("a/b").is_err() && name(" ").is_err() && name(&"x".repeat(43)).is_err());
        assert_eq!(name(" a b ").unwrap(), "a b");
    }
}
