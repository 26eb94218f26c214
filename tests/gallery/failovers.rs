use zerfaux::web::screens::failovers::{CheckpointChoice, FailoverVm, NewFailover};
use zerfaux::web::screens::jobs::FailureView;
use zerfaux::web::screens::protection_groups::FailoverBanner;
use zerfaux::web::screens::recovery_runs::{
    AllRuns, GroupTests, RunPage, RunRow, RunView, StepRow, TierBlock, VmBlock, Words,
};
use zerfaux::web::view::form::{Choice, Field};

use super::groups::head;
use super::*;

const PLANNED: Words = Words {
    kind: "Planned failover",
    of: "Planned failover of",
    recovered_as: "recovered as",
    left_out: "Not recovered",
};

fn machine(tier: u32, name: &str, recovered_as: &str, networks: &str) -> FailoverVm {
    FailoverVm {
        tier,
        name: name.into(),
        recovered_as: recovered_as.into(),
        networks: networks.into(),
        check: "VMware Tools run within 300 s".into(),
    }
}

fn checkpoint(seconds: i64, chosen: bool, quality: &'static str, tested: Option<Status>) -> CheckpointChoice {
    CheckpointChoice {
        value: if chosen { "newest".into() } else { format!("zx-{seconds}") },
        chosen,
        taken: ago(seconds),
        exact: when::exact(now() - seconds.seconds(), &TimeZone::UTC),
        quality,
        tested,
        snapshot: format!("zx-01937c5e-20261120T1405{:02}Z-0413", seconds % 60),
    }
}

fn networks() -> Vec<Field> {
    let choices = vec![
        Choice::new("as planned", "As the recovery plan and the DR shells have it"),
        Choice::new("", "None: disconnected"),
        Choice::new("network-7", "dr-servers"),
    ];
    vec![Field::select("to-0", "VM Network", choices).value("as planned").optional()]
}

fn planned() -> NewFailover {
    NewFailover {
        page: below("Planned failover of erp-prod", Area::Protection),
        action: "/protection-groups/1/failover".into(),
        mode: "planned",
        lead: "The group's virtual machines move to the other site, and nothing is lost: both sites work.",
        there: None,
        obstacles: Vec::new(),
        cautions: Vec::new(),
        warnings: vec![
            "erp-db01, erp01: the failover waits there until somebody has confirmed what the plan asks.".into(),
        ],
        loss: Some((Status::new(Mark::Met, "nothing"), "The last run is made after the guests have stopped.".into())),
        steps: vec![
            "3 guests at the source are asked to shut down. One that does not within its time is powered off.".into(),
            "One last run from zfs-prod-1 to zfs-dr-1 brings over everything that was written.".into(),
            "The checkpoint of that run is cloned on zfs-dr-1, and the clone is mounted on 2 hosts. The replica stays as it is.".into(),
            "2 DR shells get the disks of the clone.".into(),
            "They are connected, powered on tier by tier, and each is checked.".into(),
        ],
        checkpoints: Vec::new(),
        checkpoint_error: None,
        networks: networks(),
        hidden: vec![("from-0".into(), "network-1".into())],
        vms: vec![
            machine(1, "erp-db01", "its DR shell erp-db01", "dr-servers"),
            machine(2, "erp01", "its DR shell erp01", "dr-servers, Network adapter 2 disconnected"),
            machine(2, "erp-web", "made as erp-web", "dr-dmz"),
        ],
        left_out: vec![("erp-print".into(), "The recovery plan leaves it out.".into())],
        fields: vec![
            Field::number("shutdown_seconds", "Time for each guest to shut down").value("300").unit("seconds"),
            Field::check("then_power_off", "Power off a guest that has not shut down by then")
                .value("on")
                .hint("Otherwise the failover is given up, and what was shut down is started again."),
            Field::line("reason", "Why").optional().hint("It stands in the report and in the audit log."),
            Field::line("confirm", "Type erp-prod to confirm")
                .value("erp")
                .error(Some("This is not the group's name. Type erp-prod exactly as it stands here.")),
        ],
        button: "Fail over erp-prod".into(),
        other: Some(Link {
            label: "The source is lost? To the disaster failover".into(),
            address: "/protection-groups/1/failover?mode=disaster".into(),
        }),
        back: "/protection-groups/1".into(),
    }
}

fn disaster() -> NewFailover {
    let passed = Some(Status::new(Mark::Met, "passed"));
    NewFailover {
        page: below("Disaster failover of erp-prod", Area::Protection),
        mode: "disaster",
        lead: "The group's virtual machines are brought up at the other site, from a checkpoint, without the source.",
        there: Some("/recovery-runs/1".into()),
        obstacles: vec![
            "No virtual machine can be recovered. erp-db01, erp01: It was not in this checkpoint.".into(),
        ],
        cautions: vec![
            "The source answers: a planned failover would lose nothing.".into(),
            "A test is there. It stays beside the failover and is cleaned up for itself.".into(),
        ],
        loss: Some((
            Status::new(Mark::Risk, "the last 4 m 12 s"),
            "Everything that was written since 2026-11-20 14:05:00, when the checkpoint was taken.".into(),
        )),
        checkpoints: vec![
            checkpoint(252, true, "as after a loss of power", None),
            checkpoint(1152, false, "all at rest", passed),
            checkpoint(2052, false, "some at rest", Some(Status::new(Mark::Unknown, "ran, not judged"))),
        ],
        checkpoint_error: Some("The DR side has no checkpoint zx-1. Choose one that is there.".into()),
        ..planned()
    }
}

fn step(name: &str, evidence: &str, ok: bool) -> StepRow {
    StepRow {
        status: if ok { Status::new(Mark::Met, "done") } else { Status::new(Mark::Broken, "failed") },
        step: name.into(),
        at: when::exact(now(), &TimeZone::UTC),
        took: "4 s".into(),
        evidence: evidence.into(),
    }
}

fn run() -> RunView {
    let vm = |name: &str, shell: &str, ok: bool| VmBlock {
        status: if ok { Status::new(Mark::Met, "up") } else { Status::new(Mark::Broken, "failed") },
        name: name.into(),
        test_name: shell.into(),
        retry: (!ok).then(|| "uuid".into()),
        prompt: (!ok).then(|| {
            (
                "Call the bank: its line is at the other site now.".into(),
                Some(("uuid".into(), "after".into())),
            )
        }),
        failure: (!ok)
            .then(|| ("VMware Tools did not run within 300 s.".into(), "Look at its console.".into())),
        steps: vec![
            step("guest shut down at the source", "It was powered off after 41 s.", true),
            step("DR shell taken", "erp-db01 is the shell vm-41, powered off.", true),
            step("disks attached", "[zx-run-c0ffee] erp-db01/erp-db01.vmdk, 40 GiB, read back.", true),
            step("check", "VMware Tools run.", ok),
        ],
    };
    RunView {
        address: "/recovery-runs/1".into(),
        words: PLANNED,
        job: "/jobs/1".into(),
        status: Status::new(Mark::Broken, "failed over in part, uncommitted"),
        events: None,
        failure: None::<FailureView>,
        facts: vec![
            fact("Kind", "planned failover"),
            fact("Group", "erp-prod"),
            fact("Asked for by", "anna"),
            fact("Why", "The hall is without power from Saturday"),
            fact("Data lost (RPO achieved)", "Nothing: the last run was taken after the guests stopped."),
            fact("Up after (RTO achieved)", "3 m 41 s"),
            fact("Came up", "1 of 2"),
        ],
        tiers: vec![TierBlock {
            name: "1 · Databases".into(),
            vms: vec![vm("erp-db01", "erp-db01", true), vm("erp01", "erp01-dr", false)],
        }],
        steps: vec![
            step("last run", "zx-01937c5e-20261120T140500Z-0413, after every guest was off.", true),
            step("clone", "tank/zerfaux/run/01937c5e-20261120T140512Z-f", true),
        ],
        left_out: vec![("erp-print".into(), "The recovery plan leaves it out.".into())],
        verdict: None,
        may_judge: true,
        fields: vec![
            Field::select(
                "verdict",
                "Verdict",
                vec![Choice::new("passed", "Passed: what was recovered can be used")],
            )
            .value("passed"),
            Field::line("remarks", "Remarks").optional(),
        ],
        clean_up: None,
        roll_back: Some("/protection-groups/1/rollback".into()),
    }
}

fn row(kind: &'static str, group: &str, status: Status, verdict: Option<Status>) -> RunRow {
    RunRow {
        status,
        kind,
        group: group.into(),
        address: "/recovery-runs/1".into(),
        asked: ago(4000),
        checkpoint: "zx-01937c5e-20261120T140500Z-0413".into(),
        up: "5 of 6".into(),
        took: "3 m 41 s".into(),
        verdict,
    }
}

fn rows() -> Vec<RunRow> {
    vec![
        row("Planned failover", "erp-prod", Status::new(Mark::Risk, "failed over, uncommitted"), None),
        row(
            "Test",
            "web-tier",
            Status::new(Mark::Unknown, "cleaned up"),
            Some(Status::new(Mark::Met, "passed")),
        ),
        row(
            "Disaster failover",
            "files",
            Status::new(Mark::Unknown, "rolled back"),
            Some(Status::new(Mark::Broken, "failed")),
        ),
    ]
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let mut over = head("Tests");
    over.failover = Some(FailoverBanner {
        words: "Failed over, uncommitted: 6 virtual machines run at zfs-dr-1, on a clone of a checkpoint. They were shut down at zfs-prod-1.".into(),
        since: ago(4000),
        next: "Next: roll back once the source is to go on; what was written meanwhile is lost then. Committing is not in this version.",
        run: "/recovery-runs/1".into(),
        roll_back: Some("/protection-groups/1/rollback".into()),
    });
    vec![
        draw("failover-planned", &planned()),
        draw("failover-disaster", &disaster()),
        draw(
            "failover-run",
            &RunPage { page: below("Planned failover of erp-prod", Area::Protection), run: run() },
        ),
        draw(
            "recovery-runs",
            &AllRuns { page: page("Recovery runs", Area::Recovery), runs: rows(), more: 3 },
        ),
        draw(
            "group-failed-over",
            &GroupTests { page: page("erp-prod", Area::Protection), head: over, runs: rows() },
        ),
    ]
}
