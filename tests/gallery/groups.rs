use zerfaux::web::screens::group_wizard::{
    ChooseDr, ChooseSource, GroupReviewPage, ObstacleRow, PolicyPage, SourceChoice, WindowRow,
};
use zerfaux::web::screens::protection_groups::{
    BreachRow, CheckpointRow, Compliance, GroupCheckpoints, GroupHead, GroupHistory, GroupKeyForm,
    GroupKeyView, GroupObstacles, GroupOverview, GroupPreflight, GroupSettings, ProtectionGroups, RunRow,
    TabLink,
};
use zerfaux::web::screens::templates::FieldGroup;
use zerfaux::web::view::chart;
use zerfaux::web::view::form::{Choice, Field};
use zerfaux::web::view::plot::Plot;
use zerfaux::web::view::wizard::{PlanStep, WizardStep};

use super::dashboard::group;
use super::*;

fn steps(current: usize) -> Vec<WizardStep> {
    let names = ["Source", "DR side", "Policy", "Review"];
    let step = |(at, name): (usize, &&str)| WizardStep {
        name: (*name).into(),
        address: (at < current).then(|| "/protection-groups/drafts/1/dr".into()),
        current: at == current,
    };
    names.iter().enumerate().map(step).collect()
}

fn frame(title: &str) -> Page {
    page(title, Area::Protection)
}

pub(super) fn head(current: &str) -> GroupHead {
    let tab = |label: &'static str| TabLink {
        label: label.into(),
        address: "/protection-groups/1".into(),
        current: label == current,
    };
    GroupHead {
        row: group("erp-prod", says(Mark::Broken, "broken for 42 m"), 6, "15 min", 3420, "4/6"),
        description: Some("ERP with its database, and the printers.".into()),
        appliances: ("zfs-prod-1".into(), "zfs-dr-1".into()),
        tabs: ["Overview", "Virtual machines", "Checkpoints", "Recovery plan", "History", "Settings"]
            .map(tab)
            .into(),
        pause: ("/protection-groups/1/pause".into(), "Pause"),
        running: None,
        may_work: true,
        may_run: true,
        failover: None,
    }
}

fn ages() -> Html {
    let points: Vec<_> = (0..48)
        .flat_map(|run| {
            let at = now() - (48 * 900 - run * 900).seconds();
            let late = if run == 46 { 3400.0 } else { 900.0 + (run % 5) as f64 * 20.0 };
            [(at, late), (at, 40.0)]
        })
        .collect();
    let plot = Plot {
        caption: "Age of the newest checkpoint at the DR side",
        points: &points,
        limit: Some((900.0, "RPO 15 min")),
        forecast: None,
        write: |value| format!("{:.0} m", value / 60.0),
        zone: &zone(),
    };
    plot.draw()
}

fn overview() -> GroupOverview {
    let days = (0..30).map(|day| {
        let mark = if day == 29 { Mark::Broken } else { Mark::Met };
        Some((if day == 29 { 97.0 } else { 100.0 }, mark))
    });
    let day = |day: &str, status, worst: &str| (day.to_owned(), status, worst.to_owned());
    GroupOverview {
        page: frame("erp-prod"),
        head: head("Overview"),
        notes: vec!["Its RPO of 15 min has been broken for 42 m. Its last run failed.".into()],
        gauge: Some((
            chart::gauge(3420.0, 900.0, Mark::Broken, "The newest checkpoint is 57 m old, of 15 m"),
            "57 m old, of 15 m".into(),
        )),
        ages: ages(),
        days: Some(Compliance {
            bars: chart::bars(&days.collect::<Vec<_>>(), "How much of each of 30 days was within the RPO"),
            words: "99.9 % of 30 d in the last 30 days on which it was watched.".into(),
            rows: vec![
                day("2026-11-20", says(Mark::Broken, "97.0 %"), "57 m"),
                day("2026-11-19", says(Mark::Met, "100 %"), "14 m 20 s"),
            ],
        }),
        breaches: vec![
            BreachRow {
                status: says(Mark::Broken, "goes on"),
                began: ago(2520),
                lasted: "42 m".into(),
                worst: "57 m".into(),
            },
            BreachRow {
                status: says(Mark::Met, "over"),
                began: ago(900_000),
                lasted: "3 m 12 s".into(),
                worst: "18 m".into(),
            },
        ],
        preflight: GroupPreflight {
            found: Some(("2 things would hurt, 1 of them new".into(), ago(10_800))),
            obstacles: vec![
                (
                    obstacle(
                        "tank/zerfaux/live/erp/scratch",
                        "Hosts do not see into a dataset below an NFS export.",
                    ),
                    false,
                ),
                (obstacle("erp-db-01", "It has a VMware snapshot, which grows."), true),
            ],
            check: Some("/protection-groups/1/preflight".into()),
            seen: Some("/protection-groups/1/preflight/seen".into()),
        },
    }
}

fn obstacle(object: &str, why: &str) -> ObstacleRow {
    ObstacleRow { object: object.into(), why: why.into(), advice: "Take it away, or live with it.".into() }
}

fn checkpoints() -> GroupCheckpoints {
    let row = |seconds, status, kind, held: &[&str]| CheckpointRow {
        taken: ago(seconds),
        snapshot: "zx-01937c5e-20261120T140500Z-0413".into(),
        address: "/protection-groups/1/checkpoints/7".into(),
        kind,
        bytes: "5.60 GiB".into(),
        took: "1 m 40 s".into(),
        status,
        held: held.iter().map(|tag| (*tag).to_owned()).collect(),
        job: Some("/jobs/1".into()),
    };
    GroupCheckpoints {
        page: frame("erp-prod"),
        head: head("Checkpoints"),
        checkpoints: vec![
            row(3420, says(Mark::Met, "there"), "quiesced", &["held: zerfaux:01937c5e"]),
            row(4320, says(Mark::Met, "there"), "crash-consistent", &[]),
            row(9000, says(Mark::Unknown, "gone"), "partly quiesced", &[]),
        ],
        there: 2,
        with_gone: true,
        looked: Some(Ok(
            "The DR side has 2 snapshots of this dataset; 1 of those listed here is held or cloned.".into(),
        )),
        address: "/protection-groups/1/checkpoints".into(),
    }
}

fn history() -> GroupHistory {
    let row = |status, seconds, took: &str, bytes: &str| RunRow {
        status,
        started: ago(seconds),
        took: took.into(),
        bytes: bytes.into(),
        job: "/jobs/1".into(),
    };
    GroupHistory {
        page: frame("erp-prod"),
        head: head("History"),
        runs: vec![
            row(says(Mark::Working, "runs"), 20, "–", "0 B"),
            row(says(Mark::Broken, "failed"), 1000, "3 m 2 s", "1.20 GiB"),
            row(says(Mark::Met, "replicated"), 3420, "1 m 40 s", "5.60 GiB"),
        ],
    }
}

fn obstacles() -> Vec<ObstacleRow> {
    let row = |object: &str, why: &str, advice: &str| ObstacleRow {
        object: object.into(),
        why: why.into(),
        advice: advice.into(),
    };
    vec![
        row(
            "print-02",
            "It lives on the group's datastore and is not in the group: it is replicated with it, and it stays behind when the group is recovered.",
            "Add it to the group, or move it to another datastore.",
        ),
        row(
            "tank/vm/erp/scratch",
            "Hosts do not see into a dataset below an NFS export, and a snapshot of the group does not have it: what is on it is not protected.",
            "Move what is on it into the group's dataset, then remove it; or give it a group of its own.",
        ),
    ]
}

fn source() -> ChooseSource {
    let choice = |name: &str, told: &str, chosen| SourceChoice {
        value: "1 datastore-1".into(),
        name: name.into(),
        told: told.into(),
        chosen,
    };
    ChooseSource {
        page: frame("New protection group"),
        steps: steps(0),
        draft: None,
        choices: vec![
            choice("protected-erp in vc-berlin", "the dataset tank/zerfaux/live/protected-erp on zfs-prod-1, 6 virtual machines on it", true),
            choice("nfs-old in vc-berlin", "an export of zfs-prod-1, whose path does not tell the dataset: name it below, 2 virtual machines on it", false),
        ],
        refused: vec![
            ("san-01 in vc-berlin".into(), "The datastore \"san-01\" is VMFS, not an NFS export of an appliance. Make a protection datastore and move the virtual machines to it.".into()),
            ("web in vc-berlin".into(), "The group web-tier protects it already.".into()),
        ],
        dataset: Some(Field::line("source_dataset", "Dataset").optional().hint("Only where the export does not tell it, such as tank/vm.")),
        error: Some("Choose the datastore that the virtual machines are on, or name appliance and dataset.".into()),
    }
}

fn dr() -> ChooseDr {
    ChooseDr {
        page: frame("New protection group"),
        steps: steps(1),
        source: vec![
            fact("vCenter", "vc-berlin"),
            fact("Datastore", "protected-erp"),
            fact("Appliance", "zfs-prod-1"),
            fact("Dataset", "tank/zerfaux/live/protected-erp"),
            fact("It has", "412 GiB"),
        ],
        action: "/protection-groups/drafts/1/dr".into(),
        groups: vec![FieldGroup {
            heading: "DR side",
            lead: "Where the virtual machines are recovered.",
            fields: vec![
                Field::select("dr_vcenter_id", "DR vCenter", vec![Choice::new("1", "vc-potsdam")]),
                Field::select(
                    "dr_target_id",
                    "Appliance",
                    vec![Choice::new("1", "zfs-dr-1: pool tank, 3.1 TiB free")],
                )
                .error(Some("zfs-prod-1 has the source. A replica beside it would be lost with it.")),
            ],
        }],
        first: Some((
            "There is no other appliance that is switched on. The replica needs one.".into(),
            "/appliances/new",
        )),
    }
}

fn policy() -> PolicyPage {
    let rule = |name: &str, label: &str, count: &str| Field {
        required: false,
        bare: true,
        ..Field::number(name, label).value(count)
    };
    let keep = |heading, side: &str| FieldGroup {
        heading,
        lead: "",
        fields: [("last", "Newest", "12"), ("hourly", "Hours", "24"), ("daily", "Days", "7")]
            .into_iter()
            .map(|(name, label, count)| rule(&format!("{side}_{name}"), label, count))
            .chain([Field::check(format!("{side}_all"), "Keep every checkpoint")])
            .collect(),
    };
    let line = |name: &str, label: &str, value: &str| Field {
        narrow: true,
        required: false,
        bare: true,
        ..Field::line(name, label).value(value).hint("Such as 08:00.")
    };
    PolicyPage {
        page: frame("Policy of the new group"),
        steps: steps(2),
        lead: "How often it runs, and what is kept.".into(),
        action: "/protection-groups/drafts/1/policy".into(),
        stored: None,
        before: vec![FieldGroup {
            heading: "When it runs",
            lead: "Every run makes a checkpoint at the DR side.",
            fields: vec![
                Field::select("rhythm", "Runs", vec![Choice::new("rpo", "by an RPO")]).value("rpo"),
                Field::number("rpo_minutes", "RPO").value("0").unit("minutes").error(Some("Write 1 to 1440 minutes, as a whole number.")),
            ],
        }],
        keeps: vec![keep("Kept at the source", "source"), keep("Kept at the DR side", "dr")],
        meaning: vec![
            ("Checkpoints at the DR side".into(), "The newest 12, one an hour for 24 hours, one a day for 7 days: about 37 checkpoints, the oldest about 6 days old.".into()),
            ("Space at the DR side".into(), "412 GiB for the newest state, and up to 127 GiB for the older ones, if 20.6 GiB change in a day, which is assumed: 5 % of what is stored.".into()),
            ("First transfer".into(), "Takes about 1 h 10 m for 412 GiB, at 100 MiB/s: what a line of 1 Gbit/s carries, if nothing else is slower.".into()),
        ],
        unread: vec!["Write 1 to 1440 minutes, as a whole number.".into()],
        after: Vec::new(),
        windows: vec![WindowRow {
            number: 1,
            days: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
                .map(|day| (format!("window-0-{day}"), day, day != "Sun"))
                .into(),
            fields: vec![line("window-0-from", "From", "08:00"), line("window-0-to", "To", "18:00"), line("window-0-limit", "At most", "10M")],
        }],
        windows_error: Some("A window has at least one day.".into()),
        button: "Next: review".into(),
        back: None,
    }
}

fn review() -> GroupReviewPage {
    let plan = [
        ("Create the group", "erp-prod", "at once"),
        ("Assign its virtual machines", "erp01, erp-db01, erp-print", "at once"),
        (
            "Make the replica and send everything",
            "tank/zerfaux/replica/01937c5e on zfs-dr-1: 412 GiB, at 100 MiB/s",
            "about 1 h 10 m",
        ),
    ];
    let step = |(what, on, takes): (&str, &str, &str)| PlanStep {
        what: what.into(),
        on: on.into(),
        takes: takes.into(),
    };
    GroupReviewPage {
        page: frame("Create group erp-prod"),
        steps: steps(3),
        obstacles: obstacles(),
        plan: plan.map(step).into(),
        facts: vec![
            fact("Source", "tank/zerfaux/live/protected-erp on zfs-prod-1, vc-berlin"),
            fact("Runs", "so that no more than 15 minutes are lost"),
        ],
        meaning: vec![fact(
            "Checkpoints at the source",
            "The newest 3, one an hour for 24 hours: about 26 checkpoints, the oldest about 23 hours old.",
        )],
        untouched: vec![
            "The virtual machines run on, where they are: none is moved, none is changed.".into(),
        ],
        action: "/protection-groups/drafts/1/create".into(),
        back: "/protection-groups/drafts/1/policy".into(),
        name: "erp-prod".into(),
    }
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let rows = || vec![group("erp-prod", says(Mark::Broken, "broken for 42 m"), 6, "15 min", 3420, "4/6")];
    let settings = GroupSettings {
        page: frame("erp-prod"),
        head: head("Settings"),
        facts: vec![
            fact("Source", "tank/vm/erp on zfs-prod-1"),
            fact("Guests", "asked to be at rest once in 4 checkpoints"),
        ],
        key: Some(GroupKeyView {
            status: Status::new(Mark::Met, "it opens vault/zerfaux/replica/erp"),
            set_by: "anna".to_owned(),
            set: html::text("3 days ago"),
        }),
    };
    let key = GroupKeyForm {
        page: frame("Encryption key"),
        address: "/protection-groups/1".to_owned(),
        field: Field::password("key", "Key", "off")
            .hint("The passphrase; or the key in 64 hexadecimal digits.")
            .error(Some("This is not the key of vault/zerfaux/replica/erp. Nothing was changed."))
            .first(),
    };
    vec![
        draw("groups", &ProtectionGroups { page: frame("Protection"), rows: rows(), may_work: true }),
        draw(
            "groups-empty",
            &ProtectionGroups { page: frame("Protection"), rows: Vec::new(), may_work: true },
        ),
        draw("group", &overview()),
        draw("group-checkpoints", &checkpoints()),
        draw("group-history", &history()),
        draw("group-settings", &settings),
        draw("group-key", &key),
        draw(
            "group-obstacles",
            &GroupObstacles {
                page: below("What would hurt erp-prod", Area::Protection),
                obstacles: obstacles(),
            },
        ),
        draw("group-source", &source()),
        draw("group-dr", &dr()),
        draw("group-policy", &policy()),
        draw("group-review", &review()),
    ]
}
