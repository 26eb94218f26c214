//! The kinds of machines that a small company has.

/// What a kind of machine is made of.
pub(super) struct Role {
    pub(super) name: &'static str,
    pub(super) guest: &'static str,
    pub(super) folder: &'static str,
    pub(super) portgroup: &'static str,
    pub(super) cpus: i64,
    pub(super) memory_mb: i64,
    pub(super) disks_gib: &'static [u64],
    pub(super) efi: bool,
    pub(super) note: &'static str,
}

pub(super) const LINUX: &str = "debian12_64Guest";
pub(super) const WINDOWS: &str = "windows2019srvNext_64Guest";

#[rustfmt::skip]
pub(super) const ROLES: [Role; 12] = [
    Role { name: "erp", guest: LINUX, folder: "Business", portgroup: "Servers", cpus: 8, memory_mb: 32768, disks_gib: &[60, 400], efi: true, note: "ERP application server" },
    Role { name: "erp-db", guest: "rhel9_64Guest", folder: "Databases", portgroup: "Databases", cpus: 8, memory_mb: 65536, disks_gib: &[60, 800, 200], efi: true, note: "ERP database" },
    Role { name: "web", guest: LINUX, folder: "Web", portgroup: "DMZ", cpus: 2, memory_mb: 4096, disks_gib: &[20], efi: false, note: "Public web server" },
    Role { name: "file", guest: WINDOWS, folder: "Infrastructure", portgroup: "Servers", cpus: 4, memory_mb: 16384, disks_gib: &[100, 2000], efi: true, note: "File server" },
    Role { name: "dc", guest: WINDOWS, folder: "Infrastructure", portgroup: "Servers", cpus: 2, memory_mb: 8192, disks_gib: &[80], efi: true, note: "Domain controller" },
    Role { name: "mail", guest: WINDOWS, folder: "Business", portgroup: "Servers", cpus: 8, memory_mb: 49152, disks_gib: &[120, 900], efi: true, note: "Mail" },
    Role { name: "db", guest: LINUX, folder: "Databases", portgroup: "Databases", cpus: 4, memory_mb: 16384, disks_gib: &[40, 300], efi: false, note: "PostgreSQL" },
    Role { name: "app", guest: "ubuntu64Guest", folder: "Business", portgroup: "Servers", cpus: 4, memory_mb: 8192, disks_gib: &[40], efi: false, note: "Application server" },
    Role { name: "proxy", guest: LINUX, folder: "Web", portgroup: "DMZ", cpus: 2, memory_mb: 2048, disks_gib: &[16], efi: false, note: "Reverse proxy" },
    Role { name: "mon", guest: LINUX, folder: "Infrastructure", portgroup: "Servers", cpus: 2, memory_mb: 8192, disks_gib: &[40, 200], efi: false, note: "Monitoring" },
    Role { name: "print", guest: WINDOWS, folder: "Infrastructure", portgroup: "Clients", cpus: 2, memory_mb: 4096, disks_gib: &[80], efi: false, note: "Print server" },
    Role { name: "desk", guest: "windows11_64Guest", folder: "Desktops", portgroup: "Clients", cpus: 2, memory_mb: 8192, disks_gib: &[100], efi: true, note: "Virtual desktop" },
];

pub(super) const TEMPLATES: [Role; 3] = [
    Role {
        name: "debian-12-zfs",
        guest: LINUX,
        folder: "Templates",
        portgroup: "Servers",
        cpus: 2,
        memory_mb: 4096,
        disks_gib: &[16],
        efi: false,
        note: "Debian 12 with OpenZFS, NFS server and open-vm-tools",
    },
    Role {
        name: "debian-12",
        guest: LINUX,
        folder: "Templates",
        portgroup: "Servers",
        cpus: 1,
        memory_mb: 2048,
        disks_gib: &[12],
        efi: false,
        note: "Debian 12, plain",
    },
    Role {
        name: "windows-2022",
        guest: WINDOWS,
        folder: "Templates",
        portgroup: "Servers",
        cpus: 2,
        memory_mb: 8192,
        disks_gib: &[80],
        efi: true,
        note: "Windows Server 2022",
    },
];

/// Which role a machine has: the first dozen each once, then more of those of which there usually are more.
pub(super) fn role_of(index: usize) -> usize {
    const OFTEN: [usize; 8] = [11, 2, 7, 11, 6, 11, 8, 7];
    if index < ROLES.len() { index } else { OFTEN[(index - ROLES.len()) % OFTEN.len()] }
}

/// The how manieth of its role a machine is.
pub(super) fn number_of(index: usize) -> usize {
    if index < ROLES.len() {
        return 1;
    }
    let role = role_of(index);
    let beyond = index - ROLES.len();
    let in_round = (0..8).filter(|place| role_of(ROLES.len() + place) == role).count();
    let before = (0..beyond % 8).filter(|place| role_of(ROLES.len() + place) == role).count();
    2 + beyond / 8 * in_round + before
}
