use zerfaux::web::screens::dashboard::{Attention, Board, Dashboard, FirstRunStep, GroupRow};
use zerfaux::web::view::chart;
use zerfaux::web::view::site_map::{Appliance, Flow, Site, site_map};

use super::jobs::row;
use super::*;

const TIB: u64 = 1 << 40;

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    vec![
        draw(
            "dashboard",
            &Dashboard { page: page("Replication", Area::Replication), may_deploy: true, board: board() },
        ),
        draw(
            "dashboard-first",
            &Dashboard { page: page("Replication", Area::Replication), may_deploy: true, board: first() },
        ),
    ]
}

fn appliance(name: &str, status: Status, used: u64) -> Appliance {
    let used = Some((used * TIB / 10, 8 * TIB));
    Appliance { name: name.into(), address: "/appliances/1".into(), status, used }
}

fn flow(name: &str, status: Status, rate: Option<u64>, from: (usize, usize), to: (usize, usize)) -> Flow {
    Flow { name: name.into(), address: "/groups/1".into(), status, from, to, rate }
}

pub(super) fn group(name: &str, status: Status, vms: u64, rpo: &str, newest: i64, ready: &str) -> GroupRow {
    let bars: Vec<_> = (0..24u32)
        .map(|hour| {
            let mark = if status.mark == Mark::Broken && hour > 21 { Mark::Broken } else { Mark::Met };
            Some((
                f64::from((hour * 7 + vms as u32 * 3) % 11 + 2)
                    * if mark == Mark::Broken { 3.0 } else { 1.0 },
                mark,
            ))
        })
        .collect();
    GroupRow {
        name: name.into(),
        address: "/groups/1".into(),
        vms,
        rpo: rpo.into(),
        newest: Some(ago(newest)),
        day: chart::bars(
            &bars,
            &format!("Age of the newest checkpoint of {name} in each of the last 24 hours"),
        ),
        next: (status.mark != Mark::Broken).then(|| ago(-125)),
        ready: ready.into(),
        status,
    }
}

fn attention(status: Status, what: &str, why: &str, mend: &str) -> Attention {
    Attention {
        status,
        what: link(what, "/groups/1"),
        why: why.into(),
        mend: link(mend, "/groups/1"),
        seen: (mend == "Look").then(|| "/jobs/1/acknowledge".into()),
    }
}

fn board() -> Board {
    let sites = [
        Site {
            role: "Primary".into(),
            name: "vc-berlin".into(),
            address: "/vcenters/1".into(),
            status: says(Mark::Met, "connected"),
            appliances: vec![
                appliance("zfs-prod-1", says(Mark::Met, "healthy"), 41),
                appliance("zfs-prod-2", says(Mark::Met, "healthy"), 22),
            ],
        },
        Site {
            role: "DR".into(),
            name: "vc-potsdam".into(),
            address: "/vcenters/2".into(),
            status: says(Mark::Met, "connected"),
            appliances: vec![
                appliance("zfs-dr-1", says(Mark::Risk, "nearly full"), 70),
                appliance("zfs-dr-2", says(Mark::Broken, "unreachable"), 31),
            ],
        },
    ];
    let flows = [
        flow("web-tier", says(Mark::Working, "replicating"), Some(38 << 20), (0, 0), (1, 0)),
        flow("files", says(Mark::Met, "met"), None, (0, 0), (1, 0)),
        flow("erp-prod", says(Mark::Broken, "broken"), None, (0, 1), (1, 1)),
        flow("legacy-crm", says(Mark::Unknown, "paused"), None, (1, 1), (0, 1)),
    ];
    Board {
        tally: vec![says(Mark::Met, "11 met"), says(Mark::Risk, "1 at risk"), says(Mark::Broken, "1 broken")],
        attention: vec![
            attention(
                Mark::Broken.into(),
                "erp-prod",
                "RPO 15 min broken for 42 min: zfs-dr-2 shows another host key than the accepted one.",
                "Look",
            ),
            attention(
                Mark::Risk.into(),
                "zfs-dr-1",
                "tank is 87 % full, and full in about 9 days at this rate.",
                "Grow",
            ),
            attention(
                says(Mark::Unknown, "never tested"),
                "web-tier",
                "Nobody has started these 12 VMs at the DR site yet.",
                "Test now",
            ),
        ],
        map: Some(site_map(
            &sites,
            &flows,
            "Both sites with their appliances, and the protection groups between them",
        )),
        groups: vec![
            group("erp-prod", Mark::Broken.into(), 6, "15 m", 3420, "4/6"),
            group("legacy-crm", says(Mark::Unknown, "paused"), 2, "1 h", 86_000, "2/2"),
            group("web-tier", says(Mark::Working, "replicating"), 12, "5 m", 124, "12/12"),
            group("files", Mark::Met.into(), 3, "1 h", 904, "3/3"),
        ],
        running: vec![
            row(
                "Replicate",
                "web-tier",
                zerfaux::domain::job::JobState::Running,
                Some((61, "38.0 MiB/s, 1 m left")),
                95,
            ),
            row("Synchronise", "vc-potsdam", zerfaux::domain::job::JobState::Running, None, 4),
            row("Check appliance", "zfs-dr-1", zerfaux::domain::job::JobState::Running, Some((20, "")), 2),
        ],
        recent: vec![],
        first_run: [true, true, true, false, false, false]
            .iter()
            .zip([
                "Connect both vCenters",
                "Sync their inventory",
                "Add an appliance at each site",
                "Protect a first group",
                "Create DR shells",
                "Rehearse a failover",
            ])
            .map(|(done, label)| FirstRunStep {
                done: *done,
                label: label.into(),
                address: label.starts_with("Protect").then(|| "/protection-groups/new".into()),
            })
            .collect(),
    }
}

fn first() -> Board {
    Board {
        tally: vec![],
        attention: vec![],
        map: None,
        groups: vec![],
        running: vec![],
        recent: vec![],
        first_run: ["Connect both vCenters", "Make an SSH key", "Add an appliance at each site"]
            .iter()
            .map(|label| FirstRunStep {
                done: false,
                label: (*label).into(),
                address: label.starts_with("Connect").then(|| "/vcenters/new".into()),
            })
            .collect(),
    }
}
