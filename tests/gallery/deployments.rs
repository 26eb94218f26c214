use zerfaux::web::screens::access::{GoOn, SignIn};
use zerfaux::web::screens::datastores::{DatastoreRow, FieldGroup as DatastoreGroup, NewDatastore};
use zerfaux::web::screens::deployments::{ChooseTemplate, Configure, Findings, Review, TemplateChoice};
use zerfaux::web::screens::jobs::{HostRow, JobPage, JobResult, NextStep};
use zerfaux::web::screens::templates::{
    ChooseVcenter, FieldGroup, Preparation, TemplateForm, TemplatePage, TemplateRow, Templates,
};
use zerfaux::web::view::form::{Choice, Field};
use zerfaux::web::view::wizard::{PlanStep, WizardStep};

use super::*;

fn steps(current: usize) -> Vec<WizardStep> {
    let names = ["Template", "Configure", "Review", "Deploy"];
    let step = |(at, name): (usize, &&str)| WizardStep {
        name: (*name).into(),
        address: (at < current && current < 3).then(|| "/deployments/1/configure".into()),
        current: at == current,
    };
    names.iter().enumerate().map(step).collect()
}

pub(super) fn datastores() -> Vec<DatastoreRow> {
    let row = |status, name: &str, purpose, dataset: &str, hosts: &str| DatastoreRow {
        status,
        name: name.into(),
        address: "/inventory/datastores?q=x".into(),
        purpose,
        dataset: dataset.into(),
        export: format!("10.1.10.21:/{dataset}"),
        vcenter: "vc-potsdam".into(),
        hosts: hosts.into(),
        free: html::text("3.1 of 8 TiB"),
    };
    vec![
        row(says(Mark::Met, "mounted"), "nfs-zfs-dr-1", "the appliance's own", "tank/nfs", "4 of 4"),
        row(
            says(Mark::Risk, "not on all hosts"),
            "protected-erp",
            "protection",
            "tank/zerfaux/live/protected-erp",
            "3 of 4",
        ),
        row(
            says(Mark::Broken, "mounted nowhere"),
            "protected-web",
            "protection",
            "tank/zerfaux/live/protected-web",
            "0 of 4",
        ),
    ]
}

fn wizard(title: &str) -> Page {
    page(title, Area::Appliances)
}

fn templates() -> Vec<TemplateRow> {
    let row = |status, name: &str, deployed: &str, last| TemplateRow {
        name: name.into(),
        address: "/zfs-templates/1".into(),
        status,
        vm_name: "debian-12-zfs".into(),
        vcenter: "vc-potsdam".into(),
        deployed: deployed.into(),
        last,
    };
    vec![
        row(says(Mark::Met, "ready"), "Debian 12", "4", Some(ago(86_000))),
        row(says(Mark::Unknown, "retired"), "Debian 11", "11", Some(ago(9_000_000))),
        row(says(Mark::Broken, "not in the vCenter"), "Debian 13", "0", None),
    ]
}

fn template_form() -> TemplateForm {
    TemplateForm {
        page: below("Register a template", Area::Templates),
        lead: "From the vCenter vc-potsdam. Nothing is changed there.".into(),
        action: "/zfs-templates".into(),
        vcenter: "1".into(),
        groups: vec![
            FieldGroup {
                heading: "Template",
                lead: "What is cloned.",
                fields: vec![
                    Field::line("name", "Name").hint("How it is called on every page.").error(Some("Choose a name.")),
                    Field::select("template_moref", "Template", vec![Choice::new("", "choose one")]).hint(
                        "Not in the list? Convert the machine to a template in vCenter, then synchronise the vCenter.",
                    ),
                ],
            },
            FieldGroup {
                heading: "Size and storage",
                lead: "What a clone is given unless a deployment says otherwise.",
                fields: vec![Field::number("default_memory_gb", "Memory").value("8").unit("GiB")],
            },
        ],
        button: "Register the template",
        back: "/zfs-templates".into(),
    }
}

fn configure() -> Configure {
    let line = |name: &str, label: &str, value: &str| Field::line(name, label).value(value);
    Configure {
        page: wizard("Configure the new appliance"),
        steps: steps(1),
        lead: "From the template Debian 12, in vc-potsdam.".into(),
        action: "/deployments/1/configure".into(),
        groups: vec![
            FieldGroup {
                heading: "Virtual machine",
                lead: "What is made.",
                fields: vec![
                    line("vm_name", "Name", "zfs-dr-20261128-140700"),
                    Field::number("memory_gb", "Memory").value("8").unit("GiB"),
                ],
            },
            FieldGroup {
                heading: "Network",
                lead: "Hosts mount the appliance by its address, so it must never change.",
                fields: vec![
                    Field::select("network_id", "Network", vec![Choice::new("1", "storage (VLAN 120)")]),
                    Field::check("use_dhcp", "Ask for the address by DHCP")
                        .hint("Needs a reservation on the DHCP server. A static address is safer."),
                    line("ip_address", "IP address", "10.1.0").optional().error(Some(
                        "Write the appliance's address as an IPv4 address, such as 10.1.1.50.",
                    )),
                ],
            },
            FieldGroup {
                heading: "Datastore",
                lead: "Which hosts mount its export.",
                fields: vec![
                    Field::check("register_datastore", "Mount its export as a datastore").value("on"),
                    Field::check("host-1", "esx01.potsdam.example").value("on"),
                ],
            },
        ],
        findings: Some(Findings {
            obstacles: vec!["The host esx01.potsdam.example mounts 64 NFS datastores, and its NFS.MaxVolumes allows 64. Raise it on the host (with Net.TcpipHeapSize and Net.TcpipHeapMax, as VMware says), unmount one, or leave the host out.".into()],
            warnings: vec!["The disk may grow to 500 GiB, and the datastore san-potsdam-01 has 310 GiB free now.".into()],
        }),
    }
}

fn review() -> Review {
    let plan = [
        ("Clone the template, add the disk, connect the network", "zfs-dr-20261128", "about 3 m"),
        ("Power on", "zfs-dr-20261128", "about 5 s"),
        ("Wait for VMware Tools and the customisation", "zfs-dr-20261128", "about 1 m 10 s"),
        ("Make the pool on the disk that was attached", "tank", "about 20 s"),
        ("Mount it on the hosts", "", "about 40 s"),
    ];
    Review {
        page: wizard("Deploy zfs-dr-20261128"),
        steps: steps(2),
        obstacles: vec![],
        warnings: vec!["Hosts mount the appliance by its address, so it must not change: make a reservation on the DHCP server, or use a static IP.".into()],
        plan: plan.map(|(what, on, takes)| PlanStep { what: what.into(), on: on.into(), takes: takes.into() }).to_vec(),
        takes: "about 5 m 15 s, as earlier ones took".into(),
        facts: vec![fact("Template", "Debian 12"), fact("Address", "by DHCP"), fact("Pool", "tank, 500 GiB, thin")],
        untouched: vec![
            "The template debian-12-zfs and other virtual machines.".into(),
            "Any disk that this deployment did not attach, and one on which something is.".into(),
        ],
        action: "/deployments/1/start".into(),
        back: "/deployments/1/configure".into(),
        name: "zfs-dr-20261128".into(),
    }
}

fn done() -> JobPage {
    let host = |name: &str, status, message: &str, again: Option<&str>| HostRow {
        name: name.into(),
        status,
        message: message.into(),
        again: again.map(str::to_owned),
    };
    let result = JobResult {
        heading: "What it made",
        facts: vec![
            fact("Appliance", "zfs-dr-20261128"),
            fact("Address", "10.1.0.23 by DHCP: it needs a reservation there"),
            fact(
                "Host key",
                "SHA256:q0Kk3yq0S2P5wUyl8Wb4e1tXnA7yR9kZcVQm6hJdT2E (published by the guest itself)",
            ),
            fact("NFS export", "10.1.0.23:/tank/nfs"),
            fact("Datastore", "nfs-zfs-dr-20261128"),
        ],
        hosts: vec![
            host("esx01.potsdam.example", says(Mark::Met, "mounted"), "", None),
            host("esx02.potsdam.example", says(Mark::Met, "mounted since"), "", None),
            host(
                "esx03.potsdam.example",
                says(Mark::Broken, "not mounted"),
                "Operation failed, diagnostics report: Unable to complete Sysinfo operation. Please see the VMkernel log file for more details.",
                Some("host-3"),
            ),
            host(
                "esx04.potsdam.example",
                says(Mark::Broken, "not mounted"),
                "The host mounts 64 NFS datastores, and its NFS.MaxVolumes allows 64.",
                Some("host-4"),
            ),
        ],
        next: vec![
            NextStep { label: "Test connection", address: "/appliances/1/test".into(), sends: true },
            NextStep {
                label: "Create a protection datastore",
                address: "/appliances/1/datastores/new".into(),
                sends: false,
            },
        ],
        again: Some("Mount on these 2 hosts".into()),
    };
    let warnings = vec!["Mount failed on esx03.potsdam.example, esx04.potsdam.example. Check the network and the firewall between those hosts and the appliance (TCP 111 and 2049), and that the NFS networks contain their addresses.".to_owned()];
    JobPage {
        page: below("Deploy appliance zfs-dr-20261128", Area::Jobs),
        job: super::jobs::ended(steps(3), Some(result), warnings),
    }
}

fn new_datastore() -> NewDatastore {
    NewDatastore {
        page: below("Create a protection datastore", Area::Appliances),
        lead: "A dataset on zfs-dr-1, exported and mounted by hosts. Virtual machines on it are protected together.".into(),
        action: "/appliances/1/datastores".into(),
        vcenter: Some(Field::select("vcenter", "vCenter", vec![Choice::new("1", "vc-potsdam"), Choice::new("2", "vc-berlin")])),
        chosen: "1".into(),
        groups: vec![
            DatastoreGroup {
                heading: "Datastore",
                lead: "What is made.",
                error: None,
                fields: vec![
                    Field::line("name", "Name").value("a/b").error(Some("The name of a datastore has 1 to 42 characters, without /, \\ and %.")),
                    Field::line("nfs_clients", "NFS clients").value("10.0.0.0/8"),
                ],
            },
            DatastoreGroup {
                heading: "Hosts",
                lead: "Every host that runs its virtual machines has to mount it.",
                error: Some("The host esx04.potsdam.example mounts 64 NFS datastores, and its NFS.MaxVolumes allows 64.".into()),
                fields: vec![
                    Field::check("host-1", "esx01.potsdam.example in CL-potsdam").value("on"),
                    Field::check("host-4", "esx04.potsdam.example in CL-potsdam (not connected)"),
                ],
            },
        ],
        parent: "tank/zerfaux/live".into(),
        server: "10.1.10.21".into(),
        name: "zfs-dr-1".into(),
        back: "/appliances/1".into(),
    }
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let choice = |name: &str, chosen| TemplateChoice {
        id: name.into(),
        name: name.into(),
        told: "debian-12-zfs in vc-potsdam: 2 virtual CPUs, 8 GiB of memory, pool tank of 500 GiB".into(),
        chosen,
    };
    let choose = |choices| ChooseTemplate {
        page: wizard("Deploy a ZFS appliance"),
        steps: steps(0),
        choices,
        draft: None,
    };
    let list = |rows| Templates { page: page("Templates", Area::Templates), rows, may_change: true };
    let alone = |title: &str| Page { user: None, ..page(title, Area::Replication) };
    let key = Field::select("ssh_key_id", "SSH key", vec![Choice::new("1", "appliances-2026")]);
    vec![
        draw("templates", &list(templates())),
        draw("templates-none", &list(vec![])),
        draw(
            "template",
            &TemplatePage {
                page: below("Debian 12", Area::Templates),
                row: templates().remove(0),
                description: Some("Made by the script, 20 November".into()),
                source: vec![
                    fact("vCenter", "vc-potsdam"),
                    fact("Template", "debian-12-zfs"),
                    fact("SSH", "zfsadmin, port 22"),
                ],
                defaults: vec![
                    fact("Datastore", "chosen with each deployment"),
                    fact("Memory", "8 GiB"),
                    fact("Pool", "tank"),
                ],
                may_change: true,
                deploy: Some("/deployments/new?template=1".into()),
            },
        ),
        draw("template-new", &template_form()),
        draw(
            "template-vcenter",
            &ChooseVcenter {
                page: below("Register a template", Area::Templates),
                field: Some(Field::select("vcenter", "vCenter", vec![Choice::new("1", "vc-potsdam")])),
            },
        ),
        draw(
            "template-no-vcenter",
            &ChooseVcenter { page: below("Register a template", Area::Templates), field: None },
        ),
        draw(
            "template-preparation",
            &Preparation {
                page: below("Prepare a template", Area::Templates),
                fields: vec![key],
                commands: vec!["/usr/sbin/zfs", "/usr/sbin/zpool", "/usr/sbin/exportfs -v"],
            },
        ),
        draw(
            "template-preparation-no-key",
            &Preparation {
                page: below("Prepare a template", Area::Templates),
                fields: vec![],
                commands: vec![],
            },
        ),
        draw("deploy-template", &choose(vec![choice("Debian 12", true), choice("Debian 13", false)])),
        draw("deploy-no-template", &choose(vec![])),
        draw("deploy-configure", &configure()),
        draw("deploy-review", &review()),
        draw("deploy-done", &done()),
        draw("datastore-new", &new_datastore()),
        draw("datastore-no-vcenter", &NewDatastore { groups: vec![], vcenter: None, ..new_datastore() }),
        draw(
            "sign-in-carried",
            &SignIn {
                page: alone("Sign in"),
                fields: SignIn::fields(""),
                notice: Some(
                    "Your session has ended. Sign in to go on: what you typed is still here.".into(),
                ),
                next: "/deployments/1/configure".into(),
                carried: Some(("/deployments/1/configure".into(), "[]".into())),
            },
        ),
        draw(
            "signed-in-again",
            &GoOn {
                page: alone("You are signed in again"),
                action: "/deployments/1/configure".into(),
                fields: vec![("vm_name".into(), "zfs-dr-1".into())],
                back: "/deployments/1/configure".into(),
            },
        ),
    ]
}
