use zerfaux::domain::job::JobState;
use zerfaux::web::screens::jobs::{Console, FailureView, JobPage, JobRow, JobView, Jobs, Line};
use zerfaux::web::view::form::Choice;
use zerfaux::web::view::list::{Filter, List};
use zerfaux::web::view::progress::{Phase, PhaseState, Progress};

use super::*;

pub(crate) fn row(kind: &str, on: &str, state: JobState, progress: Option<(u8, &str)>, began: i64) -> JobRow {
    JobRow {
        address: "/jobs/0193".into(),
        kind: kind.into(),
        on: on.into(),
        status: state.into(),
        progress: match state {
            JobState::Running => Some(Progress {
                percent: progress.map(|(percent, _)| percent),
                label: format!("{kind} {on}"),
                rest: progress.map(|(_, rest)| rest.to_owned()).filter(|rest| !rest.is_empty()),
            }),
            _ => None,
        },
        since: ago(began),
        took: if began < 60 { format!("{began} s") } else { format!("{} m {} s", began % 37, began % 60) },
        by: if began % 3 == 0 { "anna".into() } else { "scheduler".into() },
    }
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    vec![
        draw("jobs", &list(25)),
        draw(
            "jobs-none",
            &Jobs { rows: vec![], list: List { total: 0, filters: vec![], ..list(0).list }, ..list(0) },
        ),
        draw(
            "jobs-nothing-found",
            &Jobs { rows: vec![], list: List { search: "xyz".into(), total: 0, ..list(0).list }, ..list(0) },
        ),
        draw("job-running", &JobPage { page: job_page(), job: running() }),
        draw("job-failed", &JobPage { page: job_page(), job: failed() }),
        draw("job-done", &JobPage { page: job_page(), job: done() }),
    ]
}

fn job_page() -> Page {
    below("Replicate web-tier", Area::Jobs)
}

fn list(rows: usize) -> Jobs {
    let states = [
        JobState::Running,
        JobState::Running,
        JobState::Waiting,
        JobState::Queued,
        JobState::Failed,
        JobState::Succeeded,
        JobState::Succeeded,
        JobState::Cancelled,
        JobState::Succeeded,
    ];
    let names = [
        ("Replicate", "web-tier"),
        ("Synchronise", "vc-berlin"),
        ("Test failover", "erp-prod"),
        ("Replicate", "files"),
        ("Deploy appliance", "zfs-dr-20261120"),
        ("Check appliance", "zfs-prod-1"),
        ("Create DR shell", "app-03"),
        ("Back up", "zfs-dr-1"),
        ("Migrate services", "authelia, authelia-mariadb, authelia-redis"),
    ];
    Jobs {
        page: page("Jobs", Area::Jobs),
        list: List {
            path: "/jobs".into(),
            search: String::new(),
            filters: vec![Filter { name: "since".into(), value: "7d".into(), label: "last 7 days".into() }],
            sort: "created".into(),
            descending: true,
            page: 2,
            per_page: 25,
            total: 1243,
        },
        kinds: vec![Choice::new("", "Every kind"), Choice::new("Replicate", "replicate")],
        kind: String::new(),
        states: vec![Choice::new("", "Every state"), Choice::new("failed", "failed")],
        state: String::new(),
        rows: (0..rows)
            .map(|at| {
                let (kind, on) = names[at % names.len()];
                row(
                    kind,
                    on,
                    states[(at * 5) % states.len()],
                    (at % 2 == 0).then_some((61, "38.0 MiB/s, 1 m left")),
                    at as i64 * 173 + 4,
                )
            })
            .collect(),
    }
}

fn phase(name: &str, state: PhaseState, took: Option<&str>) -> Phase {
    Phase { name: name.into(), state, took: took.map(html::text), progress: None, note: None }
}

fn line(at: i64, level: &'static str, message: &str) -> Line {
    Line { at: when::time_of_day(now() - at.seconds(), &zone()), level, message: message.into() }
}

fn running() -> JobView {
    let progress = Progress {
        percent: Some(61),
        label: "transfer".into(),
        rest: Some("3.42 of 5.60 GiB · 38.0 MiB/s · 1 m left".into()),
    };
    let mut phases = vec![
        phase("look", PhaseState::Done, Some("0.4 s")),
        phase("set_aside", PhaseState::Skipped, None),
        phase("snapshot", PhaseState::Done, Some("2.1 s")),
        phase("transfer", PhaseState::Running, Some("1 m 32 s")),
        phase("verify", PhaseState::Waiting, None),
        phase("settle", PhaseState::Waiting, None),
        phase("retain", PhaseState::Waiting, None),
    ];
    phases[1].note = Some("Nothing stands in the way.".into());
    phases[3].progress = Some(progress.clone());
    let mut lines = vec![
        line(
            100,
            "info",
            "Looking at tank/zerfaux/live/web-tier on zfs-prod-1 and tank/zerfaux/replica/web-tier on zfs-dr-1",
        ),
        line(
            99,
            "debug",
            "zfs list -Hp -t snapshot,bookmark -o name,guid,createtxg tank/zerfaux/live/web-tier",
        ),
        line(99, "success", "Newest common snapshot: zx-web-tier-20261120T140000Z-0412"),
        line(97, "info", "Snapshot zx-web-tier-20261120T140500Z-0413 taken, 12 VMs, quiesced"),
        line(96, "warn", "app-02: VMware Tools are not running, so its file systems were not quiesced"),
        line(
            95,
            "info",
            "Sending incrementally from 0412 to 0413, 5.60 GiB, direct from zfs-prod-1 to zfs-dr-1",
        ),
    ];
    lines.extend(
        (0..30).map(|at| {
            line(92 - at * 3, "info", &format!("{} MiB sent, {} MiB/s", (at + 1) * 114, 36 + at % 5))
        }),
    );
    JobView {
        address: "/jobs/0193".into(),
        events: Some("/jobs/0193/events".into()),
        status: JobState::Running.into(),
        facts: vec![
            ("by".into(), html::text("scheduler")),
            ("since".into(), ago(100)),
            ("from".into(), html::text("zfs-prod-1")),
            ("to".into(), html::text("zfs-dr-1")),
        ],
        progress: Some(progress),
        failure: None,
        warnings: vec!["app-02 was not quiesced: VMware Tools are not running in it.".into()],
        phases,
        steps: vec![],
        made: None,
        can_cancel: true,
        retry_from: None,
        can_clean_up: false,
        console: console(lines),
    }
}

fn console(lines: Vec<Line>) -> Console {
    Console {
        last: 0,
        lines,
        least: "info",
        filters: ["debug", "info", "warn", "error"]
            .iter()
            .map(|level| link(level, "/jobs/0193?least=warn"))
            .collect(),
        download: "/jobs/0193/console.txt".into(),
    }
}

fn failed() -> JobView {
    let mut phases = vec![
        phase("clone", PhaseState::Done, Some("2 m 41 s")),
        phase("power_on", PhaseState::Done, Some("3.2 s")),
        phase("wait_tools", PhaseState::Done, Some("48 s")),
        phase("wait_ip", PhaseState::Failed, Some("5 m")),
        phase("ssh_connect", PhaseState::Waiting, None),
        phase("zfs_create", PhaseState::Waiting, None),
        phase("nfs_setup", PhaseState::Waiting, None),
    ];
    phases[3].note = Some("Only 169.254.12.7 was seen, which is no usable address.".into());
    JobView {
        events: None,
        status: JobState::Failed.into(),
        facts: vec![("by".into(), html::text("anna")), ("ended".into(), ago(420)), ("took".into(), html::text("8 m 33 s"))],
        progress: None,
        failure: Some(FailureView {
            heading: "Failed in wait_ip".into(),
            what: "Waited 5 minutes for an address of zfs-dr-20261120 on VLAN 120.".into(),
            why: Some("No IP by DHCP: the guest gave itself 169.254.12.7.".into()),
            advice: Some("Check the DHCP server on VLAN 120, then retry from wait_ip; or clean up and deploy with a static IP.".into()),
            id: Some("0193b2f4-7c1e-7f3a-9d0e-1f2a3b4c5d6e".into()),
        }),
        warnings: vec![],
        phases,
        can_cancel: false,
        retry_from: Some("wait_ip".into()),
        can_clean_up: true,
        console: console(vec![line(900, "info", "Cloning debian-zfs-12 to zfs-dr-20261120"), line(740, "success", "Cloned"), line(720, "error", "No usable address after 300 s; seen: 169.254.12.7")]),
        ..running()
    }
}

fn done() -> JobView {
    JobView {
        events: None,
        status: JobState::Succeeded.into(),
        progress: None,
        warnings: vec![],
        phases: ["look", "snapshot", "transfer", "verify", "retain"]
            .iter()
            .map(|name| phase(name, PhaseState::Done, Some("1.2 s")))
            .collect(),
        steps: vec![],
        made: None,
        can_cancel: false,
        ..running()
    }
}

/// One that has ended well, with what it made.
pub(super) fn ended(
    steps: Vec<zerfaux::web::view::wizard::WizardStep>,
    made: Option<zerfaux::web::screens::jobs::JobResult>,
    warnings: Vec<String>,
) -> JobView {
    JobView { steps, made, warnings, ..done() }
}
