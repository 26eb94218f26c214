//! The side navigation: the areas that work, in the order an operator needs them.

/// A place in the side navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// The dashboard.
    Replication,
    /// Virtual machines, hosts, datastores and networks, as last synced.
    Inventory,
    /// Appliances and their pools.
    Appliances,
    /// Protection groups.
    Protection,
    /// Tests and failovers.
    Recovery,
    /// Everything that runs or ran.
    Jobs,
    /// vCenter connections.
    Vcenters,
    /// From what appliances are made.
    Templates,
    /// Keys with which appliances are reached.
    SshKeys,
    /// Who may sign in.
    Users,
    /// Settings of this installation.
    Settings,
    /// Who did what.
    Audit,
    /// Version, licences, parts list.
    About,
    /// The viewer's own password and sessions: not in the list, reached by the name at its foot.
    Account,
}

impl Area {
    /// What one works with every day. An area is in the list once its pages work.
    pub const WORK: [Area; 6] =
        [Self::Replication, Self::Inventory, Self::Appliances, Self::Protection, Self::Recovery, Self::Jobs];
    /// What is set up once.
    pub const SETUP: [Area; 7] = [
        Self::Vcenters,
        Self::Templates,
        Self::SshKeys,
        Self::Users,
        Self::Settings,
        Self::Audit,
        Self::About,
    ];

    /// The name in the list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Replication => "Replication",
            Self::Inventory => "Inventory",
            Self::Appliances => "Appliances",
            Self::Protection => "Protection",
            Self::Recovery => "Recovery",
            Self::Jobs => "Jobs",
            Self::Vcenters => "vCenters",
            Self::Templates => "Templates",
            Self::SshKeys => "SSH keys",
            Self::Users => "Users",
            Self::Settings => "Settings",
            Self::Audit => "Audit",
            Self::About => "About",
            Self::Account => "Your account",
        }
    }

    /// Its address.
    pub fn address(self) -> &'static str {
        match self {
            Self::Replication => "/replication",
            Self::Inventory => "/inventory",
            Self::Appliances => "/appliances",
            Self::Protection => "/protection-groups",
            Self::Recovery => "/recovery-runs",
            Self::Jobs => "/jobs",
            Self::Vcenters => "/vcenters",
            Self::Templates => "/zfs-templates",
            Self::SshKeys => "/ssh-keys",
            Self::Users => "/users",
            Self::Settings => "/settings",
            Self::Audit => "/audit",
            Self::About => "/about",
            Self::Account => "/account",
        }
    }

    /// Its symbol in `icons.svg`.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Replication => "replication",
            Self::Inventory => "inventory",
            Self::Appliances => "appliance",
            Self::Protection => "protection",
            Self::Recovery => "recovery",
            Self::Jobs => "jobs",
            Self::Vcenters => "vcenter",
            Self::Templates => "template",
            Self::SshKeys => "key",
            Self::Users => "users",
            Self::Settings => "settings",
            Self::Audit => "audit",
            Self::About => "about",
            Self::Account => "user",
        }
    }

    /// Whether it is for people who administer the installation only.
    pub fn admin_only(self) -> bool {
        matches!(self, Self::Users | Self::Settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_area_has_its_own_address_and_a_drawn_icon() {
        let icons = include_str!("../../../static/icons.svg");
        let all: Vec<_> = Area::WORK.into_iter().chain(Area::SETUP).collect();
        for area in &all {
            assert!(icons.contains(&format!("id=\"{}\"", area.icon())), "{area:?}");
            assert_eq!(all.iter().filter(|other| other.address() == area.address()).count(), 1, "{area:?}");
        }
    }
}
