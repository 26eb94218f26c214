//! Exports of simulated appliances as the hosts of a simulated site see them: the joint between simulated vCenter and
//! simulated appliance.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

use appliances::Sim;
use zerfaux::sim::appliance::SiteExports;
use zerfaux::sim::exports::{Export, ExportError, Exports};
use zerfaux::sim::files::FileError;

/// A site whose hosts are in 10.1.0.0/16, with one appliance that it knows as `nas`.
struct Site {
    nas: Sim,
    exports: SiteExports,
}

impl Site {
    fn new() -> Self {
        let nas = Sim::new("tank");
        let exports = SiteExports::new(["10.1.0.11".parse().unwrap(), "10.1.0.12".parse().unwrap()]);
        exports.add(&nas.appliance, ["nas", "10.1.0.5"]);
        nas.root("zfs create -o sharenfs=rw=@10.0.0.0/8,no_root_squash tank/vm");
        Self { nas, exports }
    }

    fn at(&self, path: &str) -> Export {
        Export::new("nas", path)
    }

    #[track_caller]
    fn refused(&self, path: &str) {
        let said = self.exports.mount(&self.at(path));
        assert!(matches!(said, Err(ExportError::NotExported(_))), "{path}: {said:?}");
    }
}

fn names(exports: &SiteExports, export: &Export, at: &str) -> Vec<String> {
    exports.list(export, at).unwrap().into_iter().map(|entry| entry.path).collect()
}

#[test]
fn a_dataset_that_is_mounted_and_shared_is_an_export_for_its_clients_alone() {
    let site = Site::new();
    let vm = site.at("/tank/vm");
    let room = site.exports.mount(&vm).unwrap();
    assert!(room.capacity > 900 << 20 && room.free <= room.capacity, "{room:?}");
    assert!(site.exports.mount(&Export::new("10.1.0.5", "/tank/vm/")).is_ok(), "by its address too");
    assert_eq!(
        site.exports.mount(&Export::new("other", "/tank/vm")),
        Err(ExportError::Unreachable(Export::new("other", "/tank/vm")))
    );
    site.refused("/tank");
    site.refused("/tank/vm/nosuch");
    site.nas.root("zfs create -o sharenfs=rw=@192.168.0.0/16 tank/elsewhere");
    site.refused("/tank/elsewhere");
    // A child is an export of its own, where the property is inherited.
    site.nas.root("zfs create tank/vm/child");
    assert!(site.exports.mount(&site.at("/tank/vm/child")).is_ok());

    for (off, on) in [
        ("zfs unmount tank/vm", "zfs mount tank/vm"),
        ("zfs unshare tank/vm", "zfs share tank/vm"),
        ("zfs set sharenfs=off tank/vm", "zfs set sharenfs=on tank/vm"),
        ("zfs set mountpoint=/exports/vm tank/vm", "zfs inherit mountpoint tank/vm"),
    ] {
        site.nas.root(off);
        site.refused("/tank/vm");
        site.nas.root(on);
        assert!(site.exports.mount(&vm).is_ok(), "{on}");
    }
    site.nas.root("systemctl stop nfs-server");
    assert_eq!(site.exports.mount(&vm), Err(ExportError::Unreachable(vm.clone())));
    site.nas.root("systemctl start nfs-server; zfs destroy tank/vm/child; zfs destroy tank/vm");
    assert_eq!(site.exports.look(&vm, "x"), Err(ExportError::NotExported(vm)));
}

#[test]
fn files_are_written_listed_moved_and_removed() {
    let site = Site::new();
    let (vm, exports) = (site.at("/tank/vm"), &site.exports);
    exports.write(&vm, "erp/erp.vmx", b"config").unwrap();
    exports.allocate(&vm, "erp/erp-flat.vmdk", 40 << 30).unwrap();
    exports.make_directory(&vm, "iso", false).unwrap();
    assert_eq!(names(exports, &vm, ""), ["erp", "iso"]);
    assert_eq!(names(exports, &vm, "/erp/"), ["erp/erp-flat.vmdk", "erp/erp.vmx"]);
    let disk = exports.look(&vm, "erp/erp-flat.vmdk").unwrap().unwrap();
    assert_eq!((disk.size, disk.directory), (40 << 30, false));
    assert!(exports.mount(&vm).unwrap().free > 900 << 20, "a thin disk takes no room");
    assert_eq!(exports.read(&vm, "erp/erp.vmx").unwrap(), b"config");
    assert_eq!(exports.look(&vm, "nosuch").unwrap(), None);
    let missing: ExportError = FileError::NotFound("nosuch".into()).into();
    assert_eq!(exports.read(&vm, "nosuch"), Err(missing.clone()));
    assert_eq!(exports.remove(&vm, "nosuch"), Err(missing.clone()));
    assert_eq!(exports.list(&vm, "nosuch"), Err(missing));
    assert_eq!(exports.make_directory(&vm, "erp", false), Err(FileError::Exists("erp".into()).into()));
    exports.rename(&vm, "erp", "keep/erp").unwrap();
    assert_eq!(names(exports, &vm, "keep/erp"), ["keep/erp/erp-flat.vmdk", "keep/erp/erp.vmx"]);
    assert!(exports.rename(&vm, "iso", "keep/erp").is_err(), "nothing is written over");
    exports.remove(&vm, "keep").unwrap();
    assert_eq!(names(exports, &vm, ""), ["iso"]);
    // What is below a mount can be mounted as well.
    exports.write(&vm, "iso/boot.iso", b"x").unwrap();
    assert_eq!(names(exports, &site.at("/tank/vm/iso"), ""), ["boot.iso"]);
}

#[test]
fn what_must_not_be_written_to_is_not() {
    let site = Site::new();
    let vm = site.at("/tank/vm");
    site.nas.root("zfs set readonly=on tank/vm");
    assert_eq!(site.exports.write(&vm, "f", b"x"), Err(FileError::ReadOnly.into()));
    assert_eq!(site.exports.allocate(&vm, "f", 1), Err(FileError::ReadOnly.into()));
    site.nas.root("zfs set readonly=off tank/vm; zfs set sharenfs=ro=@10.0.0.0/8 tank/vm");
    assert_eq!(site.exports.write(&vm, "f", b"x"), Err(FileError::ReadOnly.into()));
    site.nas.root("zfs set sharenfs=on tank/vm; zfs set quota=1M tank/vm");
    assert_eq!(site.exports.write(&vm, "f", &vec![7; 2 << 20]), Err(FileError::NoSpace.into()));
    site.exports.write(&vm, "f", b"small").unwrap();
    // A snapshot can be looked at and nothing more; a host cannot mount it as it is.
    site.nas.root("zfs snapshot tank/vm@s");
    site.refused("/tank/vm/.zfs/snapshot/s");
}

#[test]
fn what_a_host_writes_is_in_snapshots_streams_and_clones() {
    let site = Site::new();
    let (vm, exports) = (site.at("/tank/vm"), &site.exports);
    exports.write(&vm, "erp/erp.vmx", b"of monday").unwrap();
    exports.allocate(&vm, "erp/erp-flat.vmdk", 1 << 40).unwrap();
    assert_eq!(
        site.nas.root("cat /tank/vm/erp/erp.vmx; stat -c %s /tank/vm/erp/erp-flat.vmdk"),
        "of monday1099511627776\n"
    );
    site.nas.root("zfs snapshot tank/vm@monday");
    exports.write(&vm, "erp/erp.vmx", b"of tuesday").unwrap();
    assert_eq!(site.nas.root("cat /tank/vm/.zfs/snapshot/monday/erp/erp.vmx"), "of monday");
    assert_ne!(site.nas.root("zfs get -Hp -o value written tank/vm"), "0\n");

    // To another appliance, from which another site mounts a clone.
    let dr = Sim::new("vault");
    let stream = site.nas.run("zfs send tank/vm@monday").stdout;
    assert_eq!(
        dr.run_as("root", "zfs receive -u -o readonly=on -o canmount=noauto vault/vm", &stream).status,
        0
    );
    let there = SiteExports::new(["10.2.0.11".parse().unwrap()]);
    there.add(&dr.appliance, ["dr-nas"]);
    let replica = Export::new("dr-nas", "/vault/vm");
    assert!(there.mount(&replica).is_err(), "the replica is no export");
    dr.root("zfs clone -o mountpoint=/vault/run/test -o sharenfs=rw=@10.2.0.0/16 vault/vm@monday vault/test");
    let clone = Export::new("dr-nas", "/vault/run/test");
    assert_eq!(there.read(&clone, "erp/erp.vmx").unwrap(), b"of monday");
    assert_eq!(there.look(&clone, "erp/erp-flat.vmdk").unwrap().unwrap().size, 1 << 40);
    there.write(&clone, "erp/erp.vmx", b"of the test").unwrap();
    assert_eq!(
        dr.files("vault/vm@monday")["erp/erp.vmx"].as_deref(),
        Some(&b"of monday"[..]),
        "the replica is untouched"
    );
    dr.root("zfs destroy vault/test");
    assert!(
        matches!(there.look(&clone, "erp"), Err(ExportError::NotExported(_))),
        "stale after it was destroyed"
    );
    drop(dr);
    assert!(
        matches!(there.mount(&clone), Err(ExportError::Unreachable(_))),
        "an appliance that is gone does not answer"
    );
}
