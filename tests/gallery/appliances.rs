use zerfaux::web::screens::appliances::{
    AppliancePage, ApplianceRow, Appliances, ConfirmHostKey, DatasetRow, Datasets, HealthLine, NewAppliance,
    PoolRow, SnapshotRow, Snapshots,
};
use zerfaux::web::view::form::{Choice, Field};
use zerfaux::web::view::list::List;
use zerfaux::web::view::plot::Plot;

use super::*;

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    vec![
        draw(
            "appliances",
            &Appliances {
                page: page("Appliances", Area::Appliances),
                rows: vec![row(0), row(1), row(2)],
                has_key: true,
            },
        ),
        draw(
            "appliances-none",
            &Appliances { page: page("Appliances", Area::Appliances), rows: vec![], has_key: false },
        ),
        draw("appliance", &one()),
        draw("appliance-datasets", &datasets()),
        draw("appliance-snapshots", &snapshots()),
        draw("appliance-new", &new()),
        draw(
            "appliance-host-key",
            &ConfirmHostKey {
                page: below("Confirm the host key", Area::Appliances),
                action: "/appliances".into(),
                carried: vec![("name".into(), "zfs-dr-2".into())],
                host: "10.1.0.22:22".into(),
                algorithm: "ssh-ed25519".into(),
                fingerprint: "SHA256:q0Kk3yq0S2P5wUyl8Wb4e1tXnA7yR9kZcVQm6hJdT2E".into(),
                before: Some("SHA256:Zk1v0pYc3QxRkq9eLw5h7mUa2sFjT8dNbG4rHy6XoCI".into()),
                button: "Accept and add",
                back: "/appliances".into(),
            },
        ),
    ]
}

fn row(at: usize) -> ApplianceRow {
    let names = ["zfs-prod-1", "zfs-dr-1", "zfs-dr-2"];
    ApplianceRow {
        name: names[at].into(),
        address: "/appliances/1".into(),
        endpoint: format!("zfsadmin@10.{}.0.21:22", at),
        status: [
            says(Mark::Met, "healthy"),
            says(Mark::Risk, "nearly full"),
            says(Mark::Broken, "unreachable"),
        ][at]
            .clone(),
        version: "2.2.6".into(),
        capacity: [Some((51, "4.1 of 8 TiB".to_owned())), Some((87, "7 of 8 TiB".to_owned())), None][at]
            .clone(),
        capacity_mark: ["met", "risk", "met"][at],
        checked: Some(ago(31)),
    }
}

fn one() -> AppliancePage {
    let tib = 1_099_511_627_776.0;
    let points: Vec<_> = (0..60i64)
        .map(|day| {
            (
                now() - (24 * (60 - day)).hours(),
                (4.2 + day as f64 * 0.043 + f64::from((day * 7 % 5) as i32) * 0.05) * tib,
            )
        })
        .collect();
    let limit = 8.0 * tib;
    let capacity = Plot {
        caption: "tank, used",
        points: &points,
        limit: Some((limit, "8 TiB capacity")),
        forecast: Some((now() + 240.hours(), limit, "full in about 10 days at this rate")),
        write: |bytes| zerfaux::web::view::size::bytes(bytes as u64),
        zone: &zone(),
    };
    AppliancePage {
        page: below("zfs-dr-1", Area::Appliances),
        id: "1".into(),
        row: row(1),
        trouble: Some(("tank is 87 % full.".into(), "At this rate it is full in about 10 days, and replication then stops. Grow its disk, or keep fewer checkpoints.".into(), "risk")),
        capacity: capacity.draw(),
        health: vec![
            looked("Reached by SSH", says(Mark::Met, "yes"), "4 ms"),
            looked("Rights", says(Mark::Met, "complete"), "by sudo"),
            looked("NFS server", says(Mark::Met, "running"), "3 exports"),
            looked("Clock", says(Mark::Risk, "2.4 s behind"), "is a time server set?"),
            looked("Pool", says(Mark::Met, "ONLINE"), "no errors"),
            looked("Room for retention", says(Mark::Unknown, "unknown"), "needs a week of measurements"),
        ],
        pools: vec![PoolRow { name: "tank".into(), status: says(Mark::Met, "ONLINE"), percent: 87, used: "7 of 8 TiB".into(), mark: "risk", fragmentation: "12 %".into(), errors: 0, scrubbed: Some(ago(400_000)) }],
        datastores: super::deployments::datastores(),
        facts: vec![fact("Management", "10.1.0.21:22"), fact("NFS", "10.1.10.21"), fact("Replication", "10.1.20.21"), fact("User", "zfsadmin, by sudo"), fact("SSH key", "appliances-2026"), fact("vCenter", "vc-potsdam")],
        host_key: "SHA256:q0Kk3yq0S2P5wUyl8Wb4e1tXnA7yR9kZcVQm6hJdT2E".into(),
        accept: None,
        may_work: true,
        may_change: true,
    }
}

fn new() -> NewAppliance {
    NewAppliance {
        page: below("Add an appliance", Area::Appliances),
        action: "/appliances".into(),
        groups: vec![
            (
                "How it is reached",
                "Over SSH, with a key.",
                vec![
                    Field::line("name", "Name").first(),
                    Field::line("hostname", "Address")
                        .value("10.1.0.22")
                        .hint("Name or address that Zerfaux reaches."),
                    Field::number("port", "Port").value("22"),
                    Field::line("ssh_username", "User").value("zfsadmin"),
                    Field::select("ssh_key_id", "SSH key", vec![Choice::new("1", "appliances-2026")])
                        .value("1"),
                ],
            ),
            (
                "Where data flows",
                "Each is the address above if left empty.",
                vec![
                    Field::line("nfs_address", "NFS address").optional().hint("What hosts mount."),
                    Field::line("replication_address", "Replication address")
                        .optional()
                        .error(Some("10.1.20.300 is no address: the last number is above 255."))
                        .value("10.1.20.300"),
                ],
            ),
        ],
        button: "Look at its host key",
        back: "/appliances".into(),
        trouble: Some((
            "Could not sign in to 10.1.0.22 as zfsadmin: the key was rejected.".into(),
            "Put the public key of appliances-2026 into its authorized_keys, then try again.".into(),
        )),
    }
}

fn looked(name: &str, status: zerfaux::web::view::Status, found: &str) -> HealthLine {
    HealthLine { name: name.into(), status, found: found.into(), advice: None }
}

fn list(path: &str, total: u64) -> List {
    let (search, sort) = (String::new(), String::new());
    let (filters, descending) = (Vec::new(), false);
    List { path: path.into(), search, filters, sort, descending, page: 1, per_page: 50, total }
}

fn datasets() -> Datasets {
    let dataset = |name: &str, role, used: &str, snapshots| DatasetRow {
        name: name.into(),
        address: "/appliances/1/datasets/1".into(),
        role,
        used: used.into(),
        referenced: used.into(),
        snapshots,
        newest: (snapshots > 0).then(|| ago(124)),
    };
    Datasets {
        page: below("Datasets of zfs-dr-1", Area::Appliances),
        list: list("/appliances/1/datasets", 4),
        rows: vec![
            dataset("tank/zerfaux/replica/web-tier", Some("replica"), "1.20 TiB", 62),
            dataset("tank/zerfaux/replica/files", Some("replica"), "4.90 TiB", 41),
            dataset("tank/zerfaux/keep/erp-prod-20261002T0210Z", Some("keep"), "210 GiB", 3),
            dataset("tank/nfs", None, "12.0 GiB", 0),
        ],
    }
}

fn snapshots() -> Snapshots {
    let row = |tag: &str, ours, holds: &[&str], clones: &[&str], seconds| SnapshotRow {
        tag: tag.into(),
        taken: ago(seconds),
        used: "12.0 MiB".into(),
        referenced: "1.20 TiB".into(),
        ours,
        holds: holds.iter().map(|hold| (*hold).to_owned()).collect(),
        clones: clones.iter().map(|clone| (*clone).to_owned()).collect(),
    };
    Snapshots {
        page: below("tank/zerfaux/replica/web-tier", Area::Appliances),
        list: list("/appliances/1/datasets/tank/zerfaux/replica/web-tier", 3),
        rows: vec![
            row("zx-2f9c1a77-20261127T120500Z-412", true, &["zerfaux:0193a2b4"], &[], 124),
            row("zx-2f9c1a77-20261127T120000Z-411", true, &[], &["tank/zerfaux/run/web-tier-test"], 424),
            row("autosnap_2026-11-27_00:00:02_daily", false, &[], &[], 43_000),
        ],
    }
}
