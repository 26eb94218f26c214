//! NFS datastores on ESXi hosts: what a host has mounted, mounting one more, and taking it away again. The same server and
//! path string on every host, or vSphere takes them for several datastores.

use serde::{Deserialize, Serialize};

use crate::domain::inventory::NfsExport;
use crate::domain::job::Failure;
use crate::domain::moref::{DatastoreRef, EsxiRef};
use crate::vsphere::verbs::{NasMount, NfsVersion};
use crate::vsphere::{Client, Node, PropertySet, Reason, Scope};

/// A datastore that a host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnHost {
    /// Its reference.
    pub datastore: DatastoreRef,
    /// Its name.
    pub name: String,
    /// What it mounts, if it is an export.
    pub export: Option<NfsExport>,
    /// `NFS`, `NFS41`, `VMFS` and what else there is.
    pub kind: String,
    /// Whether it can be reached.
    pub accessible: bool,
}

impl OnHost {
    /// Whether it counts for the host's `NFS.MaxVolumes`: NFS 4.1 has a limit of its own.
    pub(super) fn takes_nfs_room(&self) -> bool {
        self.export.is_some() && self.kind != NfsVersion::V41.as_str()
    }
}

/// How mounting on one host ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Mounted {
    /// It is mounted now.
    Done {
        /// As what.
        datastore: DatastoreRef,
    },
    /// It was mounted before.
    AlreadyThere {
        /// As what.
        datastore: DatastoreRef,
    },
    /// It is not.
    Failed {
        /// Why.
        message: String,
    },
}

/// The datastores of a host, as it has them now.
///
/// # Errors
/// If the vCenter does not answer.
pub async fn on_host(client: &Client, host: &EsxiRef) -> Result<Vec<OnHost>, Failure> {
    let found = client.properties(host, EsxiRef::KIND, &["datastore"]).await?;
    let list = found.get("datastore").map(Node::children).unwrap_or_default();
    let objects: Vec<_> = list.iter().filter_map(Node::reference).collect();
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let paths = vec!["name", "info", "summary.type", "summary.accessible"];
    let sets = [PropertySet { kind: DatastoreRef::KIND, paths }];
    let read = client.retrieve(&sets, &Scope::Objects(objects)).await?;
    let datastore = |one: crate::vsphere::ObjectContent| {
        let nas = one.get("info").and_then(|info| info.child("nas"));
        let export = nas.and_then(|nas| {
            Some(NfsExport { host: nas.string_at("remoteHost")?, path: nas.string_at("remotePath")? })
        });
        OnHost {
            name: one.text("name").unwrap_or_default().to_owned(),
            kind: one.text("summary.type").unwrap_or_default().to_owned(),
            accessible: one.text("summary.accessible") != Some("false"),
            export,
            datastore: DatastoreRef::new(&*one.object.id),
        }
    };
    Ok(read.into_iter().map(datastore).collect())
}

/// The datastore of this name on a host, if it is that export.
///
/// # Errors
/// Permanent if the name or the export is another datastore's there, because then it cannot be mounted.
pub fn same<'a>(there: &'a [OnHost], wanted: &NasMount) -> Result<Option<&'a OnHost>, Failure> {
    let is_export = |one: &&OnHost| {
        one.export
            .as_ref()
            .is_some_and(|export| export.host == wanted.remote_host && export.path == wanted.remote_path)
    };
    let named = there.iter().find(|one| one.name == wanted.name);
    match (named, there.iter().find(is_export)) {
        (Some(one), Some(_)) if is_export(&one) && one.kind != wanted.version.as_str() => {
            Err(Failure::permanent(format!(
                "{:?} is mounted by {} there, and NFS 3 and 4.1 must never be mixed on one export.",
                one.name, one.kind
            ))
            .advise("Unmount it on every host first."))
        }
        (Some(one), _) if is_export(&one) => Ok(Some(one)),
        (Some(one), _) => Err(Failure::permanent(format!(
            "The host has another datastore {:?}{}.",
            one.name,
            one.export
                .as_ref()
                .map(|export| format!(", {}:{}", export.host, export.path))
                .unwrap_or_default()
        ))
        .advise("Choose another name, or rename that one.")),
        (None, Some(other)) => Err(Failure::permanent(format!(
            "The host mounts {}:{} already, as {:?}.",
            wanted.remote_host, wanted.remote_path, other.name
        ))
        .advise("Unmount that one first, or use it under its name.")),
        (None, None) => Ok(None),
    }
}

/// Mounts an export on one host. What is mounted there already is left as it is.
///
/// # Errors
/// Transient where the host did not reach it, which may pass; permanent where something stands in the way.
pub async fn mount(client: &Client, host: &EsxiRef, wanted: &NasMount) -> Result<Mounted, Failure> {
    let there = on_host(client, host).await?;
    if let Some(one) = same(&there, wanted)? {
        return match one.accessible {
            true => Ok(Mounted::AlreadyThere { datastore: one.datastore.clone() }),
            false => Err(Failure::transient(format!("{:?} is mounted, but cannot be reached.", one.name))),
        };
    }
    let nfs = there.iter().filter(|one| one.takes_nfs_room()).count();
    if let Some(most) = client.max_nfs_volumes(host).await?
        && nfs >= usize::try_from(most).unwrap_or(usize::MAX)
    {
        return Err(Failure::permanent(format!(
            "The host mounts {nfs} NFS datastores, and its NFS.MaxVolumes allows {most}."
        ))
        .advise(
            "Raise NFS.MaxVolumes on the host (and Net.TcpipHeapSize, as VMware says), or unmount one.",
        ));
    }
    if let Err(error) = client.create_nas_datastore(host, wanted).await {
        let there_now =
            matches!(error.reason(), Some(Reason::DuplicateName { .. } | Reason::AlreadyExists { .. }));
        if !there_now {
            let failure = Failure::from(error);
            // Whether an export can be reached changes with the network, so it is tried again.
            return Err(Failure::transient(failure.message).advise(
                "Check the network and the firewall between the host and the appliance (TCP 111, 2049).",
            ));
        }
    }
    // What counts is what the host has, not what was answered.
    let there = on_host(client, host).await?;
    match same(&there, wanted)? {
        Some(one) if one.accessible => Ok(Mounted::Done { datastore: one.datastore.clone() }),
        Some(one) => Err(Failure::transient(format!("{:?} is mounted, but cannot be reached.", one.name))),
        None => Err(Failure::transient("The host says that it is mounted, but does not list it.")),
    }
}

/// Takes an export off a host, if it is mounted there under that name.
///
/// # Errors
/// If something on it is in use, or the vCenter does not answer.
pub async fn unmount(client: &Client, host: &EsxiRef, wanted: &NasMount) -> Result<bool, Failure> {
    let there = on_host(client, host).await?;
    // What stands there under that name and is something else is not ours.
    let Ok(Some(one)) = same(&there, wanted) else { return Ok(false) };
    client.remove_datastore(host, &one.datastore).await?;
    let left = on_host(client, host).await?;
    match same(&left, wanted) {
        Ok(Some(_)) => Err(Failure::transient(format!("{:?} is still mounted on the host.", wanted.name))),
        _ => Ok(true),
    }
}

/// A datastore that hosts read and write by NFS 3.
pub fn nfs3(server: &str, path: &str, name: &str) -> NasMount {
    NasMount {
        remote_host: server.to_owned(),
        remote_path: path.to_owned(),
        name: name.to_owned(),
        version: NfsVersion::V3,
        read_only: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(name: &str, host: &str, path: &str, kind: &str) -> OnHost {
        OnHost {
            datastore: DatastoreRef::new("datastore-1"),
            name: name.to_owned(),
            export: Some(NfsExport { host: host.to_owned(), path: path.to_owned() }),
            kind: kind.to_owned(),
            accessible: true,
        }
    }

    #[test]
    fn a_datastore_is_the_same_only_with_name_server_and_path_as_they_were_written() {
        let wanted = nfs3("10.0.0.5", "/tank/nfs", "nfs-a");
        assert_eq!(same(&[], &wanted).unwrap(), None);
        let one = there("nfs-a", "10.0.0.5", "/tank/nfs", "NFS");
        assert_eq!(same(std::slice::from_ref(&one), &wanted).unwrap(), Some(&one));
        for other in [
            there("nfs-a", "zfs-a", "/tank/nfs", "NFS"),
            there("nfs-a", "10.0.0.5", "/tank/nfs/", "NFS"),
            there("nfs-b", "10.0.0.5", "/tank/nfs", "NFS"),
            there("nfs-a", "10.0.0.5", "/tank/nfs", "NFS41"),
        ] {
            assert!(same(std::slice::from_ref(&other), &wanted).is_err(), "{other:?}");
        }
        let local = OnHost { export: None, ..there("nfs-a", "", "", "VMFS") };
        assert!(same(&[local], &wanted).is_err());
    }
}
