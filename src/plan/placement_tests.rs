use super::*;
use crate::domain::hardware::SpecialDevice;

const GIB: u64 = 1 << 30;

fn disk(number: i32, file: &str) -> Disk {
    Disk {
        key: 2000 + number,
        label: format!("Hard disk {}", number + 1),
        controller: 1000,
        unit: number,
        file: Some(file.to_owned()),
        parents: Vec::new(),
        datastore: None,
        capacity_bytes: 40 * GIB,
        thin: Some(true),
        mode: "persistent".to_owned(),
        uuid: None,
    }
}

fn running(disks: Vec<Disk>) -> Placed {
    Placed {
        name: "erp".to_owned(),
        power: PowerState::On,
        template: false,
        home: Some("[local-a] erp/erp.vmx".to_owned()),
        host: Some(EsxiRef::new("host-1")),
        has_snapshot: false,
        has_question: false,
        hardware: Hardware { disks, ..Hardware::default() },
    }
}

fn protected() -> Required {
    Required {
        datastore: DatastoreRef::new("datastore-9"),
        name: "protected".to_owned(),
        capacity_bytes: 1000 * GIB,
        free_bytes: 500 * GIB,
        accessible: true,
        hosts: vec![EsxiRef::new("host-1")],
    }
}

fn refusal(vm: &Placed, required: &Required) -> String {
    place(vm, required, false).refusal().unwrap_or_default()
}

#[test]
fn a_disk_counts_as_there_only_with_all_that_it_builds_upon() {
    let mut vm = running(vec![disk(0, "[protected] erp/erp-000001.vmdk")]);
    vm.home = Some("[protected] erp/erp.vmx".to_owned());
    assert!(place(&vm, &protected(), false).compliant);
    vm.hardware.disks[0].parents = vec!["[local-a] erp/erp.vmdk".to_owned()];
    let plan = place(&vm, &protected(), false);
    assert!(!plan.compliant && plan.home_is_there && !plan.disks[0].is_there);
    assert_eq!(plan.strays, [Stray::Snapshot { file: "[local-a] erp/erp.vmdk".to_owned() }]);
    vm.hardware.disks[0].parents.clear();
    // The reference counts, where the server gives it, and not the name that somebody gave another datastore.
    vm.hardware.disks[0].datastore = Some(DatastoreRef::new("datastore-1"));
    assert!(!place(&vm, &protected(), false).compliant);
}

#[test]
fn what_is_moved_is_counted_and_what_is_there_is_not() {
    let vm = running(vec![disk(0, "[local-a] erp/erp.vmdk"), disk(1, "[protected] erp/erp_1.vmdk")]);
    let plan = place(&vm, &protected(), false);
    assert_eq!((plan.moves_bytes, plan.obstacles, plan.warnings), (40 * GIB, vec![], vec![]));
    assert_eq!(plan.disks.iter().map(|disk| disk.is_there).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_image_elsewhere_is_named_also_where_nothing_has_to_be_moved() {
    let mut vm = running(vec![disk(0, "[protected] erp/erp.vmdk")]);
    vm.home = Some("[protected] erp/erp.vmx".to_owned());
    vm.hardware.iso_files = vec!["[iso] debian.iso".to_owned(), "[protected] own.iso".to_owned()];
    let plan = place(&vm, &protected(), false);
    assert!(plan.compliant && plan.obstacles.is_empty());
    assert_eq!(plan.strays, [Stray::Iso { file: "[iso] debian.iso".to_owned() }]);
    assert!(plan.warnings[0].message.contains("[iso] debian.iso"));
}

#[test]
fn each_obstacle_is_named_and_only_where_something_has_to_be_moved() {
    let there = {
        let mut vm = running(vec![disk(0, "[protected] erp/erp.vmdk")]);
        vm.home = Some("[protected] erp/erp.vmx".to_owned());
        vm
    };
    assert!(place(&there, &protected(), true).refusal().is_none(), "nothing has to be moved");

    let plain = running(vec![disk(0, "[local-a] erp/erp.vmdk")]);
    assert!(place(&plain, &protected(), true).refusal().unwrap().contains("single ESXi host"));
    assert_eq!(refusal(&plain, &protected()), "");

    let mut vm = plain.clone();
    let special = |special| vec![SpecialDevice { key: 2000, special, label: "Hard disk 1".to_owned() }];
    vm.hardware.special = special(Special::RawDisk);
    assert!(refusal(&vm, &protected()).contains("Hard disk 1 (raw device mapping)"));
    vm.hardware.special = special(Special::SharedDisk);
    assert!(refusal(&vm, &protected()).contains("multi-writer"));
    // Does not stand in the way of a move; of a shell it does.
    vm.hardware.special = special(Special::Tpm);
    assert_eq!(refusal(&vm, &protected()), "");

    let mut vm = plain.clone();
    vm.hardware.disks[0].mode = "independent_persistent".to_owned();
    assert!(refusal(&vm, &protected()).contains("independent"));
    vm.power = PowerState::Off;
    assert_eq!(refusal(&vm, &protected()), "");
    vm.hardware.disks[0].mode = "independent_nonpersistent".to_owned();
    assert!(refusal(&vm, &protected()).contains("independent_nonpersistent"));

    let mut elsewhere = protected();
    elsewhere.hosts = vec![EsxiRef::new("host-2")];
    assert!(refusal(&plain, &elsewhere).contains("does not mount protected"));
    let dead = Required { accessible: false, ..protected() };
    assert!(refusal(&plain, &dead).contains("cannot be reached"));
    let waits = Placed { has_question: true, ..plain.clone() };
    assert!(refusal(&waits, &protected()).contains("waits for an answer"));
    let template = Placed { template: true, ..plain };
    assert!(refusal(&template, &protected()).contains("is a template"));
}

#[test]
fn thick_disks_have_to_fit_now_and_thin_ones_may_be_too_large_later() {
    let mut vm = running(vec![disk(0, "[local-a] erp/erp.vmdk")]);
    let small = Required { free_bytes: 30 * GIB, ..protected() };
    let plan = place(&vm, &small, false);
    assert!(plan.obstacles.is_empty() && plan.warnings[0].message.contains("30.0 GiB"), "{plan:?}");
    vm.hardware.disks[0].thin = Some(false);
    assert!(refusal(&vm, &small).contains("30.0 GiB free"));
    vm.hardware.disks[0].thin = Some(true);
    let tiny = Required { capacity_bytes: 35 * GIB, free_bytes: 30 * GIB, ..protected() };
    assert!(refusal(&vm, &tiny).contains("Make room"));
}
