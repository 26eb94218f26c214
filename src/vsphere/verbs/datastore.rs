//! NFS datastores of hosts, and how many of them a host may mount.

use crate::domain::moref::{DatastoreRef, EsxiRef, ManagedRef};
use crate::vsphere::{Client, Request, VsphereError};

/// Which NFS. A datastore must be mounted by the same one everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NfsVersion {
    /// 3.
    V3,
    /// 4.1.
    V41,
}

impl NfsVersion {
    /// The word that vSphere has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "NFS",
            Self::V41 => "NFS41",
        }
    }
}

/// An export that becomes a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NasMount {
    /// The server, as one string that is the same on every host: vSphere takes another spelling for another
    /// datastore.
    pub remote_host: String,
    /// The exported path.
    pub remote_path: String,
    /// The datastore's name.
    pub name: String,
    /// Which NFS.
    pub version: NfsVersion,
    /// Whether it is mounted for reading only.
    pub read_only: bool,
}

impl Client {
    /// Mounts an export on a host. With the same export, name and server on a second host it is one datastore.
    ///
    /// # Errors
    /// [`crate::vsphere::Reason::DuplicateName`] or `AlreadyExists` if it is mounted; or why the host does not.
    pub async fn create_nas_datastore(
        &self,
        host: &EsxiRef,
        mount: &NasMount,
    ) -> Result<Option<DatastoreRef>, VsphereError> {
        let what = format!("mount {}:{} on {host}", mount.remote_host, mount.remote_path);
        let system = self.datastore_system(host, &what).await?;
        let request = Request::new("CreateNasDatastore", system, what, |xml| {
            xml.element("spec", |xml| {
                xml.text("remoteHost", &mount.remote_host).text("remotePath", &mount.remote_path);
                xml.text("localPath", &mount.name);
                xml.text("accessMode", if mount.read_only { "readOnly" } else { "readWrite" });
                xml.text("type", mount.version.as_str());
                if mount.version == NfsVersion::V41 {
                    xml.text("remoteHostNames", &mount.remote_host);
                }
            });
        });
        let answer = self.call(&request).await?;
        // Some servers answer the second host's mount with an empty reference.
        Ok(answer.reference_at("returnval").map(|reference| DatastoreRef::new(reference.id)))
    }

    /// Unmounts a datastore from a host. It is gone when no host mounts it. The export is untouched.
    ///
    /// # Errors
    /// If something on it is in use, or the server refuses or does not answer.
    pub async fn remove_datastore(
        &self,
        host: &EsxiRef,
        datastore: &DatastoreRef,
    ) -> Result<(), VsphereError> {
        let what = format!("unmount {datastore} from {host}");
        let system = self.datastore_system(host, &what).await?;
        let request = Request::new("RemoveDatastore", system, what, |xml| {
            xml.reference("datastore", datastore);
        });
        self.call(&request).await.map(drop)
    }

    /// Reads the sizes of a datastore anew.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn refresh_datastore(&self, datastore: &DatastoreRef) -> Result<(), VsphereError> {
        let what = format!("refresh {datastore}");
        self.call(&Request::new("RefreshDatastore", datastore, what, |_| ())).await.map(drop)
    }

    /// How many NFS datastores a host may mount (`NFS.MaxVolumes`); none if it does not say.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn max_nfs_volumes(&self, host: &EsxiRef) -> Result<Option<u32>, VsphereError> {
        let found = self.properties(host, EsxiRef::KIND, &["configManager.advancedOption"]).await?;
        let Some(options) = found.get("configManager.advancedOption").and_then(|node| node.reference())
        else {
            return Ok(None);
        };
        let what = format!("read NFS.MaxVolumes of {host}");
        let request = Request::new("QueryOptions", options, what, |xml| {
            xml.text("name", "NFS.MaxVolumes");
        });
        match self.call(&request).await {
            Ok(answer) => Ok(answer.parse_at("returnval.value")),
            Err(error) if error.fault().is_some_and(|fault| fault.kind.starts_with("InvalidName")) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn datastore_system(&self, host: &EsxiRef, what: &str) -> Result<ManagedRef, VsphereError> {
        let found = self.properties(host, EsxiRef::KIND, &["configManager.datastoreSystem"]).await?;
        let system = found.get("configManager.datastoreSystem").and_then(|node| node.reference());
        system.ok_or_else(|| VsphereError::Incomplete {
            attempted: what.to_owned(),
            server: self.server().to_owned(),
            missing: "datastore system of the host",
        })
    }
}
