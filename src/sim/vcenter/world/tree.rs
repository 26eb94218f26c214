//! Folders and datacenters: what is where.

use super::{Body, World};
use crate::sim::vcenter::soap::{Fault, Moref};

/// A folder and what is in it.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Folder {
    /// The managed types that may be in it.
    pub(in crate::sim::vcenter) types: Vec<&'static str>,
    pub(in crate::sim::vcenter) children: Vec<Moref>,
}

impl Folder {
    pub(in crate::sim::vcenter) fn of(types: &[&'static str]) -> Self {
        Self { types: types.to_vec(), children: Vec::new() }
    }
}

/// A datacenter with its four folders.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Datacenter {
    pub(in crate::sim::vcenter) vm_folder: Moref,
    pub(in crate::sim::vcenter) host_folder: Moref,
    pub(in crate::sim::vcenter) datastore_folder: Moref,
    pub(in crate::sim::vcenter) network_folder: Moref,
}

/// The longest name of anything in the inventory.
const LONGEST_NAME: usize = 80;

impl World {
    /// Enters a child where its parent lists it.
    pub(in crate::sim::vcenter) fn adopt(&mut self, parent: &Moref, child: &Moref) {
        match self.objects.get_mut(&parent.id).map(|object| &mut object.body) {
            Some(Body::Folder(folder)) => folder.children.push(child.clone()),
            Some(Body::Cluster(cluster)) if child.kind == "HostSystem" => cluster.hosts.push(child.clone()),
            Some(Body::Pool(pool)) => pool.children.push(child.clone()),
            _ => return,
        }
        self.touch(parent);
    }

    /// Takes it out there.
    pub(in crate::sim::vcenter) fn disown(&mut self, parent: &Moref, child: &Moref) {
        match self.objects.get_mut(&parent.id).map(|object| &mut object.body) {
            Some(Body::Folder(folder)) => folder.children.retain(|moref| moref != child),
            Some(Body::Cluster(cluster)) => cluster.hosts.retain(|moref| moref != child),
            Some(Body::Pool(pool)) => pool.children.retain(|moref| moref != child),
            _ => return,
        }
        self.touch(parent);
    }

    /// Puts an object under another parent.
    pub(in crate::sim::vcenter) fn move_to(&mut self, child: &Moref, parent: &Moref) -> Result<(), Fault> {
        let before = self.object_mut(child)?.parent.replace(parent.clone());
        if let Some(before) = before {
            self.disown(&before, child);
        }
        self.adopt(parent, child);
        self.restructured(child);
        Ok(())
    }

    /// The objects above this one, the nearest first.
    pub(in crate::sim::vcenter) fn ancestors(&self, moref: &Moref) -> Vec<Moref> {
        let mut found = Vec::new();
        let mut at = self.objects.get(&moref.id);
        while let Some(parent) = at.and_then(|object| object.parent.as_ref()) {
            found.push(parent.clone());
            at = self.objects.get(&parent.id);
        }
        found
    }

    /// The datacenter that something is in, or is.
    pub(in crate::sim::vcenter) fn datacenter_of(&self, moref: &Moref) -> Option<Moref> {
        let mut line = vec![moref.clone()];
        line.extend(self.ancestors(moref));
        line.into_iter().find(|moref| moref.kind == "Datacenter")
    }

    pub(in crate::sim::vcenter) fn datacenter(&self, moref: &Moref) -> Result<&Datacenter, Fault> {
        match &self.object(moref)?.body {
            Body::Datacenter(datacenter) => Ok(datacenter),
            _ => Err(Fault::gone(moref)),
        }
    }

    /// Refuses a name that an entity cannot have, or that a sibling has.
    pub(in crate::sim::vcenter) fn check_name(
        &self,
        parent: &Moref,
        name: &str,
        but: Option<&Moref>,
    ) -> Result<(), Fault> {
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            return Err(Fault::invalid_name(name));
        }
        let children = match &self.object(parent)?.body {
            Body::Folder(folder) => &folder.children,
            Body::Pool(pool) => &pool.children,
            _ => return Ok(()),
        };
        let taken = children.iter().find(|child| Some(*child) != but && self.name(child) == name);
        taken.map_or(Ok(()), |taken| Err(Fault::duplicate_name(name, taken)))
    }

    /// What is directly below an object in the inventory.
    pub(in crate::sim::vcenter) fn children(&self, moref: &Moref) -> Vec<Moref> {
        match self.objects.get(&moref.id).map(|object| &object.body) {
            Some(Body::Folder(folder)) => folder.children.clone(),
            Some(Body::Datacenter(datacenter)) => vec![
                datacenter.vm_folder.clone(),
                datacenter.host_folder.clone(),
                datacenter.datastore_folder.clone(),
                datacenter.network_folder.clone(),
            ],
            Some(Body::Cluster(cluster)) => {
                let mut found = cluster.hosts.clone();
                found.push(cluster.pool.clone());
                found
            }
            Some(Body::Pool(pool)) => pool.children.clone(),
            _ => Vec::new(),
        }
    }

    /// Everything below an object; each thing once.
    pub(in crate::sim::vcenter) fn descendants(&self, moref: &Moref) -> Vec<Moref> {
        let mut found = Vec::new();
        let mut open = vec![moref.clone()];
        while let Some(next) = open.pop() {
            let mut children = self.children(&next);
            found.extend(children.iter().cloned());
            children.reverse();
            open.extend(children);
        }
        found
    }
}
