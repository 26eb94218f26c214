//! A single ESXi host as a connection, on both simulators: it is read like a vCenter, and what only a vCenter can do is
//! refused by name before anything is sent.

use zerfaux::domain::hardware::PowerState;
use zerfaux::domain::moref::{FolderRef, PoolRef};
use zerfaux::domain::vcenter::ApiKind;
use zerfaux::vsphere::inventory::{KINDS, assemble, property_sets, read};
use zerfaux::vsphere::verbs::{CloneVm, Reconfigure, RelocateVm};
use zerfaux::vsphere::{Scope, VsphereError};

use crate::machines::done;
use crate::vcenter::Server;
use crate::verbs::customization;

async fn one_host_is_read_and_refuses_what_it_cannot(server: &Server) {
    let client = server.client().await;
    assert_eq!(client.about().kind, ApiKind::HostAgent);
    let inventory = {
        let scope = Scope::everything(&client, &KINDS).await.unwrap();
        let sets = property_sets();
        let items = client.retrieve_with(&sets, &scope, || read).await.unwrap();
        assemble(items)
    };
    assert!(!inventory.vms.is_empty() && !inventory.datastores.is_empty(), "{} VMs", inventory.vms.len());
    let vm = inventory.vms[0].object.clone();
    let clone = CloneVm {
        source: vm.clone(),
        name: "never".to_owned(),
        folder: FolderRef::new("folder-1"),
        pool: PoolRef::new("pool-1"),
        datastore: None,
        host: None,
        config: None,
        customization: None,
        power_on: false,
    };
    let refused = [
        ("clone", client.clone_vm(&clone).await.unwrap_err()),
        ("customise guests", client.customize(&vm, &customization(None)).await.unwrap_err()),
        ("move virtual machines", client.relocate_vm(&vm, &RelocateVm::default()).await.unwrap_err()),
        ("have templates", client.mark_as_template(&vm).await.unwrap_err()),
        ("have folders", client.create_folder(&FolderRef::new("folder-1"), "x").await.unwrap_err()),
    ];
    for (what, error) in refused {
        assert!(matches!(error, VsphereError::NeedsVcenter { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("is a single ESXi host, which cannot") && said.contains(what), "{said}");
        assert!(error.advice().contains("Add the vCenter"), "{}", error.advice());
    }
    let sent: Vec<_> = client.exchanges().iter().map(|one| one.method).collect();
    for method in ["CloneVM_Task", "CustomizeVM_Task", "RelocateVM_Task", "MarkAsTemplate", "CreateFolder"] {
        assert!(!sent.contains(&method), "{method} was sent: {sent:?}");
    }
    // What a host can do, it does.
    if inventory.vms[0].power == PowerState::On {
        done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap();
    }
    let change = Reconfigure { cpus: Some(2), ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &change).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn our_own_single_host_is_read_and_refuses_what_it_cannot() {
    one_host_is_read_and_refuses_what_it_cannot(&Server::our_own(&["--esxi", "--vms", "5"])).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs vcsim: tests/run"]
async fn vcsims_single_host_is_read_and_refuses_what_it_cannot() {
    one_host_is_read_and_refuses_what_it_cannot(&Server::vcsim(&["-esx"])).await;
}
