//! What a machine does by itself, and how its guest is: a disk that the vCenter adds turns up in it, the guest publishes its
//! host key, the template's options say how it behaves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use zerfaux::domain::disk::guest_uuid;
use zerfaux::domain::hardware::NicNetwork;
use zerfaux::domain::moref::{FolderRef, ManagedRef, VmRef};
use zerfaux::sim::appliance::Appliance;
use zerfaux::vsphere::verbs::Reconfigure;
use zerfaux::vsphere::{Client, Login, PropertySet, Scope, read_hardware};

use super::{DISK_GIB, DeployScene, Plug, VM, by_name, id_of, login_of, on_servers};

/// What hardware does by itself: a disk that the vCenter adds to the clone turns up in the machine.
pub(super) async fn plug_in(
    login: Login,
    folder: FolderRef,
    appliance: Arc<Appliance>,
    (plug, publishes): (Plug, bool),
) {
    let client = Client::connect(login).await.unwrap();
    let (mut plugged, mut published) = (Vec::new(), !publishes);
    loop {
        if let Ok(Some(vm)) = client.find_child(&folder, VM).await.map(|vm| vm.map(|vm| VmRef::new(vm.id)))
            && let Ok(found) = client
                .properties(
                    &vm,
                    VmRef::KIND,
                    &["config.hardware.device", "config.extraConfig", "runtime.powerState"],
                )
                .await
        {
            if !published && found.text("runtime.powerState") == Some("poweredOn") {
                let options = found.get("config.extraConfig").unwrap().children();
                let nonce =
                    options.iter().find(|one| one.text_at("key") == Some("guestinfo.zerfaux.nonce")).unwrap();
                let told =
                    format!("{} {}", nonce.text_at("value").unwrap(), appliance.host_key_fingerprint());
                let key = ("guestinfo.zerfaux.hostkey".to_owned(), told);
                let change = Reconfigure { extra_config: vec![key], ..Reconfigure::default() };
                published = client.reconfigure(&vm, &change).await.is_ok();
            }
            let hardware = found.get("config.hardware.device").map(read_hardware).unwrap_or_default();
            for disk in hardware.disks.iter().filter(|disk| disk.capacity_bytes == DISK_GIB << 30) {
                if let Some(uuid) = disk.uuid.as_deref().and_then(guest_uuid)
                    && !plugged.contains(&uuid)
                {
                    match plug {
                        Plug::Blank => drop(appliance.add_disk(&uuid, disk.capacity_bytes)),
                        Plug::Used => {
                            drop(appliance.add_used_disk(&uuid, disk.capacity_bytes, "ext4", "data"))
                        }
                        Plug::Another => drop(appliance.add_disk(&"6".repeat(32), disk.capacity_bytes)),
                        Plug::Twins => {
                            appliance.add_disk("", disk.capacity_bytes);
                            appliance.add_disk("", disk.capacity_bytes);
                        }
                        Plug::Nothing => {}
                    }
                    plugged.push(uuid);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn give_options(client: &Client, options: &[(&str, &str)]) {
    if options.is_empty() {
        return;
    }
    let template = VmRef::new(id_of(client, "VirtualMachine", "debian-12-zfs").await);
    let extra_config = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let change = Reconfigure { extra_config, ..Reconfigure::default() };
    let task = client.reconfigure(&template, &change).await.unwrap();
    let never = tokio_util::sync::CancellationToken::new();
    client.wait_for_task(&task, "change the template", &never, |_| ()).await.unwrap();
}

/// The network of this site that has no DHCP server, as a deployment names it, with its VLAN.
pub async fn isolated(scene: &DeployScene) -> Value {
    let login = login_of(&scene.known);
    on_servers(async move {
        let client = Client::connect(login).await.unwrap();
        let all = by_name(&client, "DistributedVirtualPortgroup").await;
        let (_, id) = all.iter().find(|(name, _)| name.starts_with("Isolated")).unwrap();
        let switches = by_name(&client, "VmwareDistributedVirtualSwitch").await;
        let kind = "VmwareDistributedVirtualSwitch";
        let switch = ManagedRef::new(kind, switches[0].1.as_str());
        let sets = [PropertySet { kind, paths: vec!["uuid"] }];
        let read = client.retrieve(&sets, &Scope::Objects(vec![switch])).await.unwrap();
        let switch = read[0].text("uuid").unwrap().to_owned();
        serde_json::to_value(NicNetwork::Distributed { switch, portgroup: id.clone() }).unwrap()
    })
}
