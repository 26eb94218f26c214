use zerfaux::app::group_obstacles::Obstacle;
use zerfaux::web::screens::adoption::{AdoptableRow, Adoption};
use zerfaux::web::screens::checkpoints::{CheckpointDisk, CheckpointPage, CheckpointVm};
use zerfaux::web::screens::replicas::DeleteReplica;
use zerfaux::web::view::form::{Choice, Field};

use super::*;

const REPLICA: &str = "tank/zerfaux/replica/01937c5e-8a01-7000-8000-0000c0ffee00";

fn frame(title: &str) -> Page {
    below(title, Area::Protection)
}

fn deletion(obstacles: Vec<Obstacle>) -> DeleteReplica {
    DeleteReplica {
        page: frame("Delete a group with its replica"),
        question: "Delete erp-prod and its replica?".into(),
        obstacles,
        trouble: None,
        destroyed: vec![
            format!(
                "The replica {REPLICA} on zfs-dr-1, with 34 checkpoints: 1.20 TiB in all. Nothing can be recovered from it afterwards."
            ),
            "The group's hold and its bookmarks on tank/zerfaux/live/erp at zfs-prod-1.".into(),
        ],
        stays: vec![
            "tank/zerfaux/live/erp at zfs-prod-1 and the virtual machines on it.".into(),
            "Every other dataset on zfs-dr-1.".into(),
        ],
        fields: vec![
            Field::line("confirm", "Type erp-prod to confirm").value("erp-prod"),
            Field::line("replica", format!("Type {REPLICA} as well"))
                .hint("The replica's dataset on the DR appliance.")
                .error(Some("This is not the replica's dataset. Type it exactly as it stands here.")),
            Field::check("source_snapshots", "Destroy the group's own snapshots at the source, too")
                .hint("Otherwise they stay there, nobody tidies them up, and what they take stays taken."),
        ],
        action: "/protection-groups/1/delete-with-replica".into(),
        button: "Delete erp-prod and destroy its replica".into(),
        back: "/protection-groups/1/settings".into(),
    }
}

fn checkpoint() -> CheckpointPage {
    let fact = |name: &str, text: &str| (name.to_owned(), html::text(text));
    CheckpointPage {
        page: frame("Checkpoint of erp-prod"),
        status: Status::new(Mark::Met, "there"),
        facts: vec![fact("Kind", "quiesced"), fact("Snapshot", "zx-01937c5e-20261120T140500Z-0413")],
        vms: Some(vec![CheckpointVm {
            name: "erp-db-01".into(),
            rest: Status::new(Mark::Risk, "was not at rest"),
            remark: "VMware Tools do not run.".into(),
            hardware: Some(
                "4 CPUs, 16.0 GiB, UEFI with secure boot, hardware version 19, debian12_64Guest".into(),
            ),
            disks: vec![CheckpointDisk {
                label: "Hard disk 1".into(),
                size: "40.0 GiB".into(),
                file: "erp-db-01/erp-db-01-000002.vmdk".into(),
                parents: 2,
            }],
            nics: vec![(
                "Network adapter 1".into(),
                "VMXNET3".into(),
                "prod-db".into(),
                "00:50:56:01:02:03".into(),
            )],
        }]),
    }
}

fn adoption() -> Adoption {
    let choices = vec![Choice { value: String::new(), label: "as its datasets say".into() }];
    Adoption {
        page: frame("Take over protection groups"),
        groups: vec![AdoptableRow {
            id: "01937c5e-8a01-7000-8000-0000c0ffee00".into(),
            name: "erp-prod".into(),
            live: "tank/zerfaux/live/erp on zfs-prod-1".into(),
            replica: format!("{REPLICA} on zfs-dr-1"),
            checkpoints: 34,
            obstacle: Some("Its source vCenter is not connected here.".into()),
            error: None,
            fields: vec![Field::select("source_vcenter_id", "Source vCenter", choices).optional()],
        }],
        trouble: None,
        silent: vec![("zfs-dr-2".into(), "Connection refused.".into())],
        first: None,
    }
}

pub(super) fn pages() -> Vec<(&'static str, String)> {
    let obstacle = Obstacle {
        kind: "clone",
        object: "tank/zerfaux/run/test-1".into(),
        why: "It was cloned from a checkpoint, and stands and falls with it.".into(),
        advice: "End what uses it, and destroy it first.".into(),
    };
    vec![
        draw("group-delete-replica", &deletion(Vec::new())),
        draw("group-delete-replica-refused", &deletion(vec![obstacle])),
        draw("group-checkpoint", &checkpoint()),
        draw("groups-adopt", &adoption()),
    ]
}
