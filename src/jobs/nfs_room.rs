//! How many NFS datastores hosts mount, and how many they may: asked of the vCenter before something is made that could not
//! be mounted then.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::datastore_mounts::on_host;
use super::vcenters::Vcenters;
use crate::domain::deployment::{DatastoreHost, NfsRoom};
use crate::domain::ids::VcenterId;
use crate::domain::job::Failure;
use crate::vsphere::Client;

/// How many hosts are asked at once.
const AT_ONCE: usize = 8;
/// How long is waited for all of them: somebody sits in front of a page.
const PATIENCE: Duration = Duration::from_secs(8);

/// Asks for every host, in the order in which they are given.
///
/// # Errors
/// If the vCenter does not answer in time.
pub async fn nfs_rooms(
    vcenters: &Vcenters,
    vcenter: VcenterId,
    hosts: &[DatastoreHost],
) -> Result<Vec<NfsRoom>, Failure> {
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let client = vcenters.client(vcenter).await?;
    let asked = stream::iter(hosts.to_vec()).map(|host| {
        let client = client.clone();
        async move { nfs_room(&client, host).await }
    });
    let all = asked.buffered(AT_ONCE).collect::<Vec<_>>();
    let late =
        |_| Failure::transient(format!("The vCenter has not answered within {} s.", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, all).await.map_err(late)?.into_iter().collect()
}

async fn nfs_room(client: &Client, host: DatastoreHost) -> Result<NfsRoom, Failure> {
    let there = on_host(client, &host.moref).await?;
    let names = there.iter().filter(|one| one.takes_nfs_room()).map(|one| one.name.clone()).collect();
    Ok(NfsRoom { names, most: client.max_nfs_volumes(&host.moref).await?, host })
}
