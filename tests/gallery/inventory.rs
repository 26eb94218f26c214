use zerfaux::web::screens::inventory::{Inventory, Narrow, Readiness, VmDisk, VmNic, VmPage, VmRow};
use zerfaux::web::view::form::Choice;
use zerfaux::web::view::list::List;

use super::*;

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    vec![
        draw("inventory", &list(40)),
        draw("inventory-empty", &Inventory { connected: false, ..list(0) }),
        draw("vm", &one()),
    ]
}

fn vm(at: usize) -> VmRow {
    let names = [
        "web-01",
        "web-02",
        "app-01",
        "app-02-with-a-name-that-somebody-made-rather-long",
        "db-erp-01",
        "files-01",
        "dc-01",
        "mail-01",
    ];
    VmRow {
        name: names[at % names.len()].into(),
        address: "/inventory/vms/1".into(),
        power: if at % 5 == 3 { says(Mark::Unknown, "off") } else { says(Mark::Met, "on") },
        guest: ["Debian GNU/Linux 12 (64-bit)", "Microsoft Windows Server 2022 (64-bit)"][at % 2].into(),
        ip: (at % 5 != 3).then(|| format!("10.0.{}.{}", at % 4, 11 + at)),
        cpus: [2, 4, 8][at % 3],
        memory: ["8.00 GiB", "16.0 GiB", "64.0 GiB"][at % 3].into(),
        disks: ["40.0 GiB", "120 GiB", "2.00 TiB"][at % 3].into(),
        datastore: ["nfs-web", "vsan-berlin", "nfs-erp"][at % 3].into(),
        vcenter: "vc-berlin".into(),
        protection: match at % 4 {
            0 => Some(says(Mark::Met, "web-tier")),
            1 => None,
            2 => Some(says(Mark::Broken, "erp-prod")),
            _ => Some(says(Mark::Risk, "files")),
        },
        template: at == 7,
        gone: at == 11,
    }
}

fn list(rows: usize) -> Inventory {
    Inventory {
        page: page("Inventory", Area::Inventory),
        list: List {
            path: "/inventory".into(),
            search: String::new(),
            filters: vec![],
            sort: "name".into(),
            descending: false,
            page: 1,
            per_page: 40,
            total: 10_000,
        },
        narrow: vec![
            Narrow::new(
                "vcenter",
                "vCenter",
                "",
                vec![Choice::new("", "Every vCenter"), Choice::new("1", "vc-berlin")],
            ),
            Narrow::new("power", "Power", "", vec![Choice::new("", "On or off"), Choice::new("on", "on")]),
        ],
        connected: true,
        may_connect: true,
        rows: (0..rows).map(vm).collect(),
    }
}

fn one() -> VmPage {
    let disk = |number: u32, size: &str, ours: bool| VmDisk {
        label: format!("Hard disk {number}"),
        size: size.into(),
        place: format!("SCSI 0:{}, PVSCSI", number - 1),
        file: format!("[{}] db-erp-01/db-erp-01_{number}.vmdk", if ours { "nfs-erp" } else { "vsan-berlin" }),
        export: None,
        dataset: ours.then(|| "tank/zerfaux/live/erp-prod".to_owned()),
    };
    let ready = |done: bool, what: &str, mend: Option<&str>| Readiness {
        done,
        what: what.into(),
        mend: mend.map(|label| link(label, "/groups/1")),
    };
    VmPage {
        page: below("db-erp-01", Area::Inventory),
        vm: vm(4),
        figures: vec![
            ("Processors", "8".into(), "2 sockets of 4".into()),
            ("Memory", "64.0 GiB".into(), "reserved: none".into()),
            ("Disks", "2.12 TiB".into(), "3 disks, 1.40 TiB used".into()),
            ("Network", "2 adapters".into(), "10.0.2.15, 10.9.0.15".into()),
        ],
        facts: vec![
            fact("vCenter", "vc-berlin"),
            fact("Host", "esx-3.berlin.example"),
            fact("Cluster", "prod-a"),
            fact("Folder", "/Berlin/ERP"),
            fact("Firmware", "EFI, secure boot"),
            fact("Hardware", "version 19"),
            fact("VMware Tools", "12.4.0, running"),
            fact("Instance UUID", "5019a3c1-88a2-4f0e-9f0e-2a7c1f4be210"),
        ],
        disks: vec![disk(1, "80.0 GiB", true), disk(2, "2.00 TiB", true), disk(3, "40.0 GiB", false)],
        nics: vec![
            VmNic {
                label: "Network adapter 1".into(),
                kind: "VMXNET3".into(),
                network: "erp-servers".into(),
                vlan: "120".into(),
                mac: "00:50:56:a1:33:0c".into(),
                link: says(Mark::Met, "connected"),
            },
            VmNic {
                label: "Network adapter 2".into(),
                kind: "E1000E".into(),
                network: "backup".into(),
                vlan: "none".into(),
                mac: "00:50:56:a1:33:0d".into(),
                link: says(Mark::Unknown, "not connected"),
            },
        ],
        readiness: vec![
            ready(
                false,
                "All disks on the protection datastore: hard disk 3 is on vsan-berlin",
                Some("Move it"),
            ),
            ready(true, "Replicated within its RPO", None),
            ready(true, "DR shell matches the hardware", None),
            ready(true, "Every network mapped", None),
            ready(false, "Recovered in a test within 90 days", Some("Test")),
        ],
        gone: None,
        fragment: "/inventory/1/vms/vm-1".into(),
    }
}
