use zerfaux::web::screens::recovery_plans::{
    FindingRow, PlanVmRow, RecoveryCheck, RecoveryForm, RecoveryPlanPage, TierRow, VerbRow,
};
use zerfaux::web::view::form::{Choice, Control, Field};

use super::groups::head;
use super::*;

fn findings() -> Vec<FindingRow> {
    vec![
        FindingRow {
            kind: "broken",
            icon: "bad",
            when: Some("In real recoveries"),
            object: "erp-db01".into(),
            text: "It has no DR shell, which a real recovery gives the disks to. Make its DR shell.".into(),
            mend: Some(Link { label: "To its DR shell".into(), address: "/protected-vms/1".into() }),
        },
        FindingRow {
            kind: "risk",
            icon: "warn",
            when: Some("In tests"),
            object: "VM Network".into(),
            text: "No network stands for it in tests: cards on it stay disconnected. Choose an isolated network, or say that \
                   they are to stay disconnected."
                .into(),
            mend: Some(Link { label: "Map networks".into(), address: "/protection-groups/1/recovery-plan/networks".into() }),
        },
    ]
}

fn machine(name: &str, check: &str, facts: &[&str], moves: &[(&'static str, &'static str)]) -> PlanVmRow {
    PlanVmRow {
        id: format!("01937c5e-{name}"),
        name: name.into(),
        address: "/protection-groups/1/recovery-plan/vms/1".into(),
        check: check.into(),
        facts: facts.iter().map(|fact| (*fact).into()).collect(),
        left_out: name == "erp-print",
        moves: moves.into(),
    }
}

fn tier(index: usize, name: &str, vms: Vec<PlanVmRow>) -> TierRow {
    TierRow {
        number: index + 1,
        index,
        name: name.into(),
        after: Some("60 s pass before the next tier.".into()),
        fields: vec![
            Field::line(format!("tier-{index}-name"), "Name").value(name),
            Field::number(format!("tier-{index}-delay"), "Pause after it").value("60").unit("s"),
        ],
        vms,
        can_go: true,
    }
}

fn check_fields() -> Vec<Field> {
    let choices =
        vec![Choice::new("tools", "VMware Tools run"), Choice::new("tcp_port", "A TCP port of it answers")];
    vec![
        Field::select("proof", "What proves that it runs", choices).value("tools"),
        Field::number("port", "TCP port").hint("Asked only where a TCP port is the proof.").optional(),
        Field::number("limit", "Time limit after power-on").value("300").unit("s"),
        Field::new("notes", "Notes", Control::Block).value("Call the bank before the ERP starts.").optional(),
    ]
}

fn plan(may_work: bool) -> RecoveryPlanPage {
    let verb = |label: &'static str, address: Option<&str>, words: &str| VerbRow {
        label,
        address: address.map(Into::into),
        words: vec![words.into()],
        may: address.is_some(),
    };
    let mut head = head("Recovery plan");
    head.may_work = may_work;
    RecoveryPlanPage {
        page: page("erp-prod", Area::Protection),
        head,
        phase: says(Mark::Risk, "cleanup pending"),
        standing: vec![html::text("The cleanup of the test left something undone 4 m ago.")],
        verbs: vec![
            verb("Test…", None, "A test is there; clean it up first."),
            verb("Clean up again…", Some("/protection-groups/1/cleanup"), ""),
            verb("Planned failover…", None, "A test is there; clean it up first."),
            verb(
                "Disaster failover…",
                Some("/protection-groups/1/failover"),
                "The source answers: a planned failover would lose nothing.",
            ),
            verb("Commit…", None, "There is no failover that is not committed."),
        ],
        errors: vec![
            "Somebody else changed this recovery plan meanwhile. Nothing of yours was saved.".into(),
        ],
        findings: findings(),
        ask: "/protection-groups/1/recovery-plan/check".into(),
        action: "/protection-groups/1/recovery-plan".into(),
        version: 3,
        changed: Some(("anna".into(), html::text("2 h ago"))),
        tiers: vec![
            tier(
                0,
                "Databases",
                vec![machine(
                    "erp-db01",
                    "TCP port 5432 answers within 300 s",
                    &["another address", "a person is asked"],
                    &[("later", "Later tier")],
                )],
            ),
            tier(
                1,
                "Everything else",
                vec![
                    machine(
                        "erp01",
                        "VMware Tools run within 300 s",
                        &[],
                        &[("down", "Down"), ("earlier", "Earlier tier")],
                    ),
                    machine("erp-print", "", &["has notes"], &[("up", "Up"), ("earlier", "Earlier tier")]),
                ],
            ),
            tier(2, "Tier 3", Vec::new()),
        ],
        fields: check_fields(),
        facts: vec![fact("Boot check", "VMware Tools run within 300 s."), fact("Notes", "none")],
        networks: vec![
            ("VM Network".into(), "not mapped: disconnected".into(), "as the DR shell has it".into()),
            ("DMZ".into(), "dr-test".into(), "dr-dmz".into()),
        ],
        map: "/protection-groups/1/recovery-plan/networks".into(),
    }
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let form = RecoveryForm {
        page: page("Recovery of erp-db01", Area::Protection),
        lead: "What the recovery plan of erp-prod says about it.".into(),
        errors: vec!["The gateway 10.0.1.1 is not in 10.0.0.0/24, the network of 10.0.0.5.".into()],
        action: "/protection-groups/1/recovery-plan/vms/1".into(),
        version: 3,
        sections: vec![("Boot check".into(), "What proves that it runs.".into(), check_fields())],
        back: "/protection-groups/1/recovery-plan".into(),
        button: "Save",
    };
    let check = RecoveryCheck {
        page: page("What would fail when erp-prod is recovered", Area::Protection),
        findings: findings(),
    };
    vec![
        ("recovery-plan", plan(true).render().unwrap()),
        ("recovery-plan-viewer", plan(false).render().unwrap()),
        ("recovery-plan-vm", form.render().unwrap()),
        ("recovery-plan-check", check.render().unwrap()),
    ]
}
