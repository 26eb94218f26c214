//! What the form of a DR shell offers: the places of the DR vCenter, and where a shell goes unless somebody says otherwise.

use super::dr_shells::{ShellWish, present};
use super::{App, AppError};
use crate::domain::inventory::{Datastore, Network, Place, PlaceKind};
use crate::domain::protection_group::ProtectionGroup;
use crate::plan::dr_shell::is_of_replication;

/// What there is to choose from, by name.
#[derive(Debug, Clone, Default)]
pub struct ShellChoices {
    /// Clusters, hosts that stand alone, and hosts.
    pub computes: Vec<Place>,
    /// Folders of virtual machines.
    pub folders: Vec<Place>,
    /// Resource pools, but for those that every cluster has by itself.
    pub pools: Vec<Place>,
    /// Datastores that are not replicated, the one that is proposed first.
    pub homes: Vec<Datastore>,
    /// Networks.
    pub networks: Vec<Network>,
}

impl ShellChoices {
    /// What is proposed: the first cluster or host if there are several, and the first home.
    pub fn usual(&self) -> ShellWish {
        let whole = |place: &&Place| place.kind != PlaceKind::Host;
        ShellWish {
            host: self.computes.iter().find(whole).map(|place| place.object.id.clone()),
            home_datastore: self.homes.first().map(|one| one.object.id().to_owned()),
            ..ShellWish::default()
        }
    }
}

impl App {
    /// What the DR vCenter of a group has for its shells.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn dr_shell_choices(&self, group: &ProtectionGroup) -> Result<ShellChoices, AppError> {
        let dr = group.dr.vcenter;
        let target = self.target(group.dr.target).await?;
        let places = present(self.store.places(dr, None).await?);
        let roots: Vec<&str> =
            places.iter().filter_map(|place| place.facts.get("pool").map(String::as_str)).collect();
        let holds =
            |place: &Place| place.facts.get("holds").is_none_or(|holds| holds.contains("VirtualMachine"));
        let of = |is_it: &dyn Fn(&Place) -> bool| -> Vec<Place> {
            places.iter().filter(|place| is_it(place)).cloned().collect()
        };
        const COMPUTES: [PlaceKind; 3] = [PlaceKind::Cluster, PlaceKind::StandaloneHost, PlaceKind::Host];
        let mut computes = of(&|place| COMPUTES.contains(&place.kind));
        computes.sort_by_key(|place| COMPUTES.iter().position(|kind| *kind == place.kind));
        let appliance = (target.nfs_address(), target.zfs_pool.as_str());
        let mut homes: Vec<Datastore> = present(self.store.datastores(dr, false).await?)
            .into_iter()
            .filter(|one| one.accessible && !is_of_replication(one, appliance))
            .collect();
        // That of the DR appliance is there whenever the replica is; else the one with the most room, on the most hosts.
        let leaf = format!("/{}/nfs", target.zfs_pool);
        let is_own =
            |one: &Datastore| one.nfs.as_ref().is_some_and(|nfs| nfs.host == appliance.0 && nfs.path == leaf);
        homes.sort_by_key(|one| {
            let room = (one.hosts.len(), one.free_bytes);
            (std::cmp::Reverse(is_own(one)), std::cmp::Reverse(room))
        });
        Ok(ShellChoices {
            computes,
            folders: of(&|place| place.kind == PlaceKind::Folder && holds(place)),
            pools: of(&|place| place.kind == PlaceKind::Pool && !roots.contains(&place.object.id.as_str())),
            homes,
            networks: present(self.store.networks(dr).await?),
        })
    }
}
