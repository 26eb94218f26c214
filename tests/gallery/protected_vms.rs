use zerfaux::web::screens::assignable_vms::{AssignRow, AssignVms};
use zerfaux::web::screens::dr_shells::{PlanShell, RepairShell, ReviewShell};
use zerfaux::web::screens::group_vms::Mend;
use zerfaux::web::screens::protected_vms::{
    Check, DiskRow, MoveRow, MoveSeveral, MoveVm, ProtectedVmPage, ShellView,
};
use zerfaux::web::screens::protection_groups::TabLink;
use zerfaux::web::screens::templates::FieldGroup;
use zerfaux::web::view::form::{Choice, Field};
use zerfaux::web::view::list::List;
use zerfaux::web::view::wizard::{PlanStep, WizardStep};

use super::*;

fn steps(names: &[&str], current: usize) -> Vec<WizardStep> {
    let step = |(at, name): (usize, &&str)| WizardStep {
        name: (*name).into(),
        address: (at < current).then(|| "/protected-vms/1/move".into()),
        current: at == current,
    };
    names.iter().enumerate().map(step).collect()
}

fn plan() -> Vec<PlanStep> {
    let step = |what: &str, on: &str| PlanStep { what: what.into(), on: on.into(), takes: String::new() };
    vec![
        step("Clone the newest checkpoint, export it, mount it as a datastore", "esx01, esx02, esx03"),
        step("Make the virtual machine, off, without disks", "erp-db"),
        step("Attach each disk from the clone, and read it back", "3 disks"),
        step("Detach the disks, their files kept; unmount, unexport and destroy the clone", ""),
    ]
}

fn disk(label: &str, size: &str, datastore: &str, there: bool) -> DiskRow {
    DiskRow {
        label: label.into(),
        size: size.into(),
        file: format!("[{datastore}] erp-db/{}.vmdk", label.to_lowercase().replace(' ', "-")),
        datastore: datastore.into(),
        status: if there { says(Mark::Met, "there") } else { says(Mark::Risk, "elsewhere") },
    }
}

fn machine() -> ProtectedVmPage {
    let mend = |label, address: &str, sends| Some(Mend { label, address: address.into(), sends });
    let check = |done, next, status, text: &str, advice, mend| Check {
        done,
        next,
        status,
        text: text.into(),
        advice,
        mend,
    };
    ProtectedVmPage {
        page: below("erp-db", Area::Protection),
        status: says(Mark::Risk, "2 of 4 done"),
        group: link("ERP", "/protection-groups/1"),
        inventory: Some(link("in the inventory", "/inventory/1/vms/vm-12")),
        checks: vec![
            check(
                true,
                false,
                says(Mark::Met, "on its datastore"),
                "All its disks are on the protection datastore.",
                None,
                None,
            ),
            check(
                false,
                true,
                says(Mark::Risk, "not replicated"),
                "The newest checkpoint at the DR side is older than the RPO.",
                Some("Look why the last runs of the group failed."),
                mend("Run now", "/protection-groups/1/run-now", true),
            ),
            check(
                false,
                false,
                says(Mark::Risk, "no DR shell"),
                "Its DR shell has other hardware than the virtual machine.",
                Some("Repair its DR shell."),
                mend("Repair…", "/dr-shells/1/repair", false),
            ),
            check(
                true,
                false,
                says(Mark::Met, "networks"),
                "Each of its cards has a network at the DR side.",
                None,
                None,
            ),
        ],
        working: Some(link("A job works on its DR shell.", "/jobs/1")),
        hardware: vec![fact("Virtual CPUs", "8"), fact("Memory", "32.0 GiB"), fact("Firmware", "efi")],
        disks: vec![
            disk("Hard disk 1", "60.0 GiB", "protected-erp", true),
            disk("Hard disk 2", "500 GiB", "protected-erp", true),
        ],
        shell: Some(ShellView {
            status: says(Mark::Risk, "differs"),
            facts: vec![
                fact("Name", "erp-db"),
                fact("Home", "nfs-zfs-dr-1"),
                fact("Disks proved", "2, from tank/zerfaux/replica/1@zx-7"),
            ],
            drift: vec!["Virtual CPUs: 8 at the source, 4 in the shell.".into()],
            repair: Some("/dr-shells/1/repair".into()),
            refresh: None,
            remove: "/dr-shells/1/remove".into(),
        }),
        remove: "/protected-vms/1/remove".into(),
        may_work: true,
    }
}

fn mover(job: bool, compliant: bool, obstacle: bool) -> MoveVm {
    MoveVm {
        page: below("Move erp-db", Area::Protection),
        steps: steps(&["Compare", "Move", "Verified"], if compliant { 2 } else { usize::from(job) }),
        name: "erp-db".into(),
        required: "protected-erp".into(),
        room: (41, "4.7 of 8 TiB free".into()),
        moves: "560 GiB".into(),
        disks: vec![
            disk("Configuration", "–", if compliant { "protected-erp" } else { "san-alpha-01" }, compliant),
            disk("Hard disk 1", "60.0 GiB", "protected-erp", true),
            disk(
                "Hard disk 2",
                "500 GiB",
                if compliant { "protected-erp" } else { "san-alpha-02" },
                compliant,
            ),
        ],
        strays: vec![
            "The image [iso] debian.iso in a CD drive is not moved, and is not there after a recovery."
                .into(),
        ],
        obstacles: if obstacle {
            vec!["Hard disk 2 (raw device mapping): a LUN is not a file that can be replicated. Replace it by a virtual disk.".into()]
        } else {
            Vec::new()
        },
        warnings: vec!["The disks may grow to 560 GiB, and protected-erp has 400 GiB free now.".into()],
        job: job.then(|| link("erp-db is being moved.", "/jobs/1")),
        compliant,
        action: "/protected-vms/1/move".into(),
        back: "/protected-vms/1".into(),
        next: Some(Mend {
            label: "Make its DR shell…",
            address: "/protected-vms/1/dr-shell".into(),
            sends: false,
        }),
        may_work: true,
    }
}

fn several() -> MoveSeveral {
    let row = |name: &str, obstacles: Vec<String>| MoveRow {
        field: format!("vm-{name}"),
        name: name.into(),
        address: "/protected-vms/1/move".into(),
        moves: "560 GiB".into(),
        from: "san-alpha-01, san-alpha-02".into(),
        chosen: obstacles.is_empty(),
        obstacles,
    };
    MoveSeveral {
        page: below("Move to the protection datastore", Area::Protection),
        required: "protected-erp".into(),
        room: (41, "4.7 of 8 TiB free".into()),
        rows: vec![
            row("erp-db", Vec::new()),
            row("erp-app", vec!["erp-app is suspended. Resume it, or power it off.".into()]),
        ],
        compliant: 4,
        most: 50,
        errors: vec!["Choose at least one virtual machine.".into()],
        action: "/protection-groups/1/move".into(),
        back: "/protection-groups/1/vms".into(),
    }
}

fn assign() -> AssignVms {
    let row = |name: &str, refused: Option<&str>| AssignRow {
        field: format!("vm-{name}"),
        name: name.into(),
        address: "/inventory/1/vms/vm-12".into(),
        power: says(Mark::Met, "on"),
        guest: "Debian GNU/Linux 12 (64-bit)".into(),
        disks: "560 GiB".into(),
        datastore: "protected-erp".into(),
        chosen: refused.is_none(),
        refused: refused.map(Into::into),
    };
    AssignVms {
        page: below("Protect virtual machines", Area::Protection),
        group: "ERP".into(),
        action: "/protection-groups/1/vms".into(),
        back: "/protection-groups/1/vms".into(),
        tabs: vec![
            TabLink { label: "On protected-erp".into(), address: "/x?show=here".into(), current: true },
            TabLink { label: "All of the vCenter".into(), address: "/x?show=all".into(), current: false },
        ],
        shown: "here",
        list: List {
            path: "/protection-groups/1/vms/new".into(),
            search: String::new(),
            filters: Vec::new(),
            sort: String::new(),
            descending: false,
            page: 1,
            per_page: 50,
            total: 2,
        },
        note: Some(
            "Those that are not on protected-erp have to be moved there before they are replicated.".into(),
        ),
        errors: vec!["The group WEB protects \"web-01\". Remove it there first.".into()],
        rows: vec![
            row("erp-db", None),
            row("web-01", Some("The group WEB protects it. Remove it there first.")),
        ],
    }
}

fn shell_plan() -> PlanShell {
    let select = |name: &str, label: &str, value: &str| {
        Field::select(name, label, vec![Choice::new("", "choose one"), Choice::new(value, value)])
            .value(value)
    };
    let whereabouts = vec![
        Field::line("name", "Name").value("erp-db").hint("In the DR vCenter."),
        select("host", "Cluster or host", "Recovery (cluster)"),
        select("home_datastore", "Datastore of its own files", "nfs-zfs-dr-1 (3.1 TiB free, on 3 hosts)")
            .error(Some("Choose the datastore of the shell's own files. It must not be replicated.")),
    ];
    let networks = vec![
        select("to-0", "For Servers", "DR Servers (VLAN 210)").hint("Network adapter 1 at the source."),
        Field::check("new_macs", "Give its cards new MAC addresses"),
    ];
    let view = Field::check("keep_view", "Keep the clone mounted, with the disks attached")
        .value("on")
        .hint("Off: the disks are recorded, and attached when a recovery needs them; nothing stays behind.");
    let group = |heading, lead, fields| FieldGroup { heading, lead, fields };
    PlanShell {
        page: below("DR shell of erp-db", Area::Protection),
        steps: steps(&["Plan", "Review", "Make"], 0),
        name: "erp-db".into(),
        own: "/protected-vms/1/dr-shell".into(),
        next: "/protected-vms/1/dr-shell/review".into(),
        groups: vec![
            group("Where it is", "At the DR site.", whereabouts),
            group("Networks", "Which network at the DR site stands for which at the source.", networks),
            group("Its disks", "They are attached once from a clone of the newest checkpoint.", vec![view]),
        ],
        hidden: vec![("from-0".into(), "Servers".into())],
        obstacles: vec![("Hard disk 2 is on san-alpha-02, not on protected-erp: it is not replicated. Move it there first.".into(), Some("/protected-vms/1/move".into()))],
        warnings: vec!["It has a VMware snapshot: the shell has none.".into()],
        differences: vec!["Network adapter 1 goes from \"Servers\" to \"DR Servers\".".into()],
        hardware: vec![fact("Virtual CPUs", "8 (4 per socket)"), fact("Firmware", "efi, secure boot")],
        disks: vec![["Hard disk 1".into(), "60.0 GiB".into(), "ParaVirtualSCSIController 0:0".into(), "erp-db/erp-db.vmdk".into()]],
        back: "/protected-vms/1".into(),
    }
}

fn shell_review() -> ReviewShell {
    ReviewShell {
        page: below("Make erp-db", Area::Protection),
        steps: steps(&["Plan", "Review", "Make"], 1),
        obstacles: Vec::new(),
        warnings: vec!["Network adapter 1 keeps its address.".into()],
        differences: vec![
            "Its boot order is recorded and set when its disks are attached for a recovery.".into(),
        ],
        plan: plan(),
        facts: vec![fact("Name", "erp-db"), fact("Home", "nfs-zfs-dr-1"), fact("Clone", "taken away again")],
        untouched: vec!["erp-db at the source, which runs on.".into()],
        action: "/protected-vms/1/dr-shell".into(),
        hidden: vec![("name".into(), "erp-db".into())],
        back: "/protected-vms/1/dr-shell?name=erp-db".into(),
        name: "erp-db".into(),
    }
}

fn repair() -> RepairShell {
    RepairShell {
        page: below("Repair erp-db", Area::Protection),
        lead: "It is made as erp-db is configured now, where it is. It has to be off.".into(),
        obstacles: vec![
            "Network adapter 2 is on \"Backup\", and the DR vCenter has no network of that name.".into(),
        ],
        warnings: Vec::new(),
        drift: vec!["Virtual CPUs: 8 at the source, 4 in the shell.".into()],
        plan: plan(),
        fields: vec![Field::select("to-0", "For Backup", vec![Choice::new("", "choose one")])],
        hidden: vec![("from-0".into(), "Backup".into())],
        chosen: Vec::new(),
        untouched: vec!["The replica and its checkpoints: only a clone is mounted.".into()],
        action: "/dr-shells/1/repair".into(),
        button: "Repair erp-db".into(),
        back: "/protected-vms/1".into(),
    }
}

pub(super) fn pages() -> Vec<(&'static str, String)> {
    vec![
        draw("protected-vm", &machine()),
        draw("protected-vm-move", &mover(false, false, false)),
        draw("protected-vm-move-obstacle", &mover(false, false, true)),
        draw("protected-vm-moving", &mover(true, false, false)),
        draw("protected-vm-moved", &mover(false, true, false)),
        draw("group-move", &several()),
        draw("group-assign", &assign()),
        draw("dr-shell-plan", &shell_plan()),
        draw("dr-shell-review", &shell_review()),
        draw("dr-shell-repair", &repair()),
    ]
}
