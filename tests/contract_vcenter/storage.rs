//! Datastores, files, folders.

use zerfaux::domain::moref::{DatacenterRef, DatastoreRef, EsxiRef};
use zerfaux::vsphere::verbs::{NasMount, NfsVersion};
use zerfaux::vsphere::{Client, Node, PropertySet, Reason, Scope};

use crate::inventory::first;
use crate::machines::{done, hardware};
use crate::vcenter::Server;

async fn datastore_named(client: &Client, name: &str) -> Option<(DatastoreRef, Node)> {
    let sets = [PropertySet { kind: "Datastore", paths: vec!["name", "info", "host"] }];
    let scope = Scope::everything(client, &["Datastore"]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    let one = found.into_iter().find(|one| one.text("name") == Some(name))?;
    Some((DatastoreRef::new(one.object.id.clone()), one.get("info").unwrap().clone()))
}

pub async fn an_export_is_mounted_on_every_host_and_unmounted(server: &Server) {
    let client = server.client().await;
    let host = EsxiRef::new(first(&client, "HostSystem").await.id);
    let mount = NasMount {
        remote_host: "10.9.8.7".to_owned(),
        remote_path: "/tank/zerfaux/live/one".to_owned(),
        name: "zerfaux-one".to_owned(),
        version: NfsVersion::V3,
        read_only: false,
    };
    let mounted = client.create_nas_datastore(&host, &mount).await.unwrap();
    let (datastore, info) = datastore_named(&client, "zerfaux-one").await.unwrap();
    assert_eq!(mounted.as_ref(), Some(&datastore));
    assert_eq!(info.text_at("nas.remoteHost"), Some("10.9.8.7"));
    assert_eq!(info.text_at("nas.remotePath"), Some("/tank/zerfaux/live/one"));

    let again = client.create_nas_datastore(&host, &mount).await.unwrap_err();
    let expected =
        matches!(again.reason(), Some(Reason::DuplicateName { .. } | Reason::AlreadyExists { .. }));
    assert!(expected, "{again:?}");

    client.remove_datastore(&host, &datastore).await.unwrap();
    assert!(datastore_named(&client, "zerfaux-one").await.is_none());
    let gone = client.remove_datastore(&host, &datastore).await.unwrap_err();
    assert!(matches!(gone.reason(), Some(Reason::NotFound | Reason::ObjectNotFound { .. })), "{gone:?}");
}

pub async fn a_datastore_is_browsed(server: &Server) {
    let client = server.client().await;
    let (_, vm) = crate::inventory::machines(&client).await.swap_remove(0);
    let disk = hardware(&client, &vm).await.disks[0].clone();
    let (file, datastore) = (disk.file.unwrap(), disk.datastore.unwrap());
    let (folder, name) = file.rsplit_once('/').unwrap();
    let task = client.search_datastore(&datastore, folder, false).await.unwrap();
    let listed = Client::read_listing(&done(&client, &task).await.unwrap().unwrap());
    assert!(listed.iter().any(|one| one.name == name), "{name} in {listed:?}");

    let missing = format!("{folder}-missing");
    let error = match client.search_datastore(&datastore, &missing, false).await {
        Ok(task) => done(&client, &task).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error.reason(), Some(Reason::FileNotFound { .. })), "{error:?}");

    let datacenter = DatacenterRef::new(first(&client, "Datacenter").await.id);
    let made = format!("{folder}-made");
    client.make_directory(&made, &datacenter).await.unwrap();
    let error = client.make_directory(&made, &datacenter).await.unwrap_err();
    assert!(matches!(error.reason(), Some(Reason::FileAlreadyExists { .. })), "{error:?}");
    done(&client, &client.delete_file(&made, &datacenter).await.unwrap()).await.unwrap();
}

pub async fn folders_are_made_once(server: &Server) {
    let client = server.client().await;
    let datacenter = DatacenterRef::new(first(&client, "Datacenter").await.id);
    let root = client.vm_folder(&datacenter).await.unwrap().unwrap();
    let made = client.create_folder(&root, "Recovered & tested").await.unwrap();
    let error = client.create_folder(&root, "Recovered & tested").await.unwrap_err();
    match error.reason() {
        Some(Reason::DuplicateName { name, object }) => {
            assert_eq!(name, "Recovered & tested");
            // vcsim names the parent there.
            assert!(!server.can.duplicate_names || object.as_ref().unwrap().id == made.id(), "{object:?}");
        }
        other => panic!("{other:?}"),
    }
    let found = client.find_child(&root, "Recovered & tested").await.unwrap();
    assert_eq!(found.map(|one| one.id).as_deref(), Some(made.id()));
    assert_eq!(client.find_child(&root, "nothing of that name").await.unwrap(), None);
}
