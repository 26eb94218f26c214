//! The ZFS room on real hosts: every verb, most of them twice, and what it refuses.

use std::future::Future;
use std::sync::Arc;

use crate::lab::{LabHost, Side, hosts};
use zerfaux::domain::dataset::Base;
use zerfaux::domain::dataset::{Dataset, DatasetKind, Owner, Snapshot};
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::names::{BookmarkName, DatasetName, SnapshotName};
use zerfaux::host::Host;
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, KnownHosts, Link};
use zerfaux::zfs::verbs::Depth;
use zerfaux::zfs::{
    Complaint, HoldTag, KeptBecause, Outcome, PoolState, Privilege, Property, PropertyName, ReceiveArgs,
    SendArgs, SendFlags, Zfs,
};

const GROUP: &str = "g1";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn zfs_on(host: &LabHost, user: &str) -> Zfs {
    let endpoint = Endpoint { user: user.into(), host: host.address.clone(), port: host.port };
    let key = Identity::Key(KeyPair::from_file(&host.key, None).unwrap());
    let known = KnownHosts::new(vec![host.known_hosts.clone()], false);
    let options = ConnectOptions::new(vec![key], Arc::new(known));
    Zfs::detect(Host::remote(Link::new(endpoint, options))).await.unwrap()
}

fn name(side: &Side, relative: &str) -> DatasetName {
    side.name(relative).parse().unwrap()
}

fn snapshot(side: &Side, relative: &str) -> SnapshotName {
    side.name(relative).parse().unwrap()
}

async fn look(zfs: &Zfs, dataset: &DatasetName) -> Dataset {
    let mut found = zfs.datasets(std::slice::from_ref(dataset), false).await.unwrap();
    assert_eq!(found.len(), 1, "{dataset} is not there");
    found.remove(0)
}

fn by_tag<'a>(dataset: &'a Dataset, tag: &str) -> &'a Snapshot {
    dataset.snapshot_by_tag(&tag.parse().unwrap()).unwrap()
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn root_and_sudo_are_found_and_a_pool_tells_how_it_is() {
    let side = Side::with_pool(hosts().0, "zfs-detect", "256M");
    block_on(async {
        let root = zfs_on(hosts().0, "root").await;
        let admin = zfs_on(hosts().0, "zfsadmin").await;
        assert_eq!((root.privilege(), admin.privilege()), (Privilege::Root, Privilege::Sudo));
        assert!(admin.version().unwrap().at_least(2, 0));
        assert_eq!(admin.kernel_version().unwrap().to_string(), admin.version().unwrap().to_string());
        let pool = admin.pool_status(&side.name("x").parse().unwrap()).await.unwrap();
        assert_eq!((pool.state, pool.errors), (PoolState::Online, None));
        assert!(pool.size > pool.free && pool.free > 0);
    });
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn what_is_done_twice_is_done_once() {
    let side = Side::with_pool(hosts().0, "zfs-twice", "256M");
    side.play("+ data\nw data one 1M\n+ other");
    block_on(async {
        let zfs = zfs_on(hosts().0, "zfsadmin").await;
        let data = name(&side, "data");
        let both = [snapshot(&side, "data@s1"), snapshot(&side, "other@s1")];
        assert!(zfs.ensure_snapshots(GROUP, &both, &[]).await.unwrap());
        assert!(!zfs.ensure_snapshots(GROUP, &both, &[]).await.unwrap());
        let seen = look(&zfs, &data).await;
        assert_eq!(by_tag(&seen, "s1").owner, Owner::Zerfaux(GROUP.into()));

        let tag: HoldTag = "zerfaux:g1".parse().unwrap();
        for _ in 0..2 {
            zfs.hold(&tag, &both).await.unwrap();
        }
        assert_eq!(side.holds("data@s1"), ["zerfaux:g1"]);
        assert_eq!(zfs.holds(&both).await.unwrap().len(), 2);
        for _ in 0..2 {
            zfs.release(&tag, &both).await.unwrap();
        }
        assert!(side.holds("data@s1").is_empty());

        let mark: BookmarkName = side.name("data#mark").parse().unwrap();
        for _ in 0..2 {
            zfs.bookmark(&both[0], &mark).await.unwrap();
        }
        let seen = look(&zfs, &data).await;
        assert_eq!(seen.bookmarks[0].guid, seen.snapshots[0].guid);
        side.play("w data two 1M\n@ data s2");
        assert!(zfs.bookmark(&snapshot(&side, "data@s2"), &mark).await.is_err(), "it is another snapshot's");
        for _ in 0..2 {
            zfs.destroy_bookmark(&mark).await.unwrap();
        }
        assert!(look(&zfs, &data).await.bookmarks.is_empty());

        for _ in 0..2 {
            zfs.unmount(&data).await.unwrap();
        }
        assert!(!look(&zfs, &data).await.mounted);
        for _ in 0..2 {
            zfs.mount(&data).await.unwrap();
        }
        assert!(look(&zfs, &data).await.mounted);
        zfs.abort_receive(&data).await.unwrap();
        zfs.abort_receive(&name(&side, "nosuch")).await.unwrap();
    });
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn only_own_snapshots_are_destroyed_and_what_is_kept_says_why() {
    let side = Side::with_pool(hosts().0, "zfs-destroy", "256M");
    side.play("+ data zerfaux:group=g1\nw data one 1M");
    block_on(async {
        let zfs = zfs_on(hosts().0, "zfsadmin").await;
        let data = name(&side, "data");
        for tag in ["s1", "s2", "s3", "s4"] {
            let one = [snapshot(&side, &format!("data@{tag}"))];
            zfs.ensure_snapshots(GROUP, &one, &[]).await.unwrap();
        }
        side.play("@ data hand");
        zfs.hold(&"somebody".parse().unwrap(), &[snapshot(&side, "data@s2")]).await.unwrap();
        zfs.clone_snapshot(&snapshot(&side, "data@s3"), &name(&side, "clone"), &[]).await.unwrap();
        let seen = look(&zfs, &data).await;
        let hand = by_tag(&seen, "hand");
        // the dataset has our property, so this one inherits it
        assert_eq!(hand.owner, Owner::Foreign);
        assert!(zfs.destroy_snapshots(&data, GROUP, &[by_tag(&seen, "s1"), hand]).await.is_err());
        assert_eq!(side.tags("data"), ["s1", "s2", "s3", "s4", "hand"], "nothing was destroyed");

        let ours: Vec<&Snapshot> = seen.snapshots.iter().filter(|s| s.owner != Owner::Foreign).collect();
        side.host.root(&format!("zfs inherit zerfaux:group {}", side.name("data@s4")));
        let became = zfs.destroy_snapshots(&data, GROUP, &ours).await.unwrap();
        let outcomes: Vec<Outcome> = became.into_iter().map(|one| one.outcome).collect();
        let clones = vec![name(&side, "clone")];
        let expected = [
            Outcome::Destroyed,
            Outcome::Kept(KeptBecause::Holds(1)),
            Outcome::Kept(KeptBecause::Clones(clones)),
            Outcome::Kept(KeptBecause::NotOurs),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(side.tags("data"), ["s2", "s3", "s4", "hand"]);
        let again = zfs.destroy_snapshots(&data, GROUP, &ours[..1]).await.unwrap();
        assert_eq!(again[0].outcome, Outcome::Gone);
        zfs.release(&"somebody".parse().unwrap(), &[snapshot(&side, "data@s2")]).await.unwrap();
    });
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn parents_clones_renames_and_promotes_may_be_repeated() {
    let side = Side::with_pool(hosts().0, "zfs-tree", "256M");
    side.play("+ data\nw data one 1M\n@ data s1");
    block_on(async {
        let zfs = zfs_on(hosts().0, "zfsadmin").await;
        let deep = name(&side, "p1/p2/leaf");
        for _ in 0..2 {
            zfs.create_parents(&deep).await.unwrap();
        }
        assert!(!zfs.exists(&deep).await.unwrap());
        for parent in ["p1", "p1/p2"] {
            assert_eq!(side.property(parent, "mounted"), "no");
            assert_eq!(side.property(parent, "canmount"), "off");
        }
        let listing = zfs.survey(&[name(&side, "p1")], Depth::One).await.unwrap();
        assert_eq!(listing.children[&name(&side, "p1")], [name(&side, "p1/p2")]);

        let clone = name(&side, "p1/p2/clone");
        let off = Property::new("canmount", "noauto").unwrap();
        for _ in 0..2 {
            let origin = snapshot(&side, "data@s1");
            zfs.clone_snapshot(&origin, &clone, std::slice::from_ref(&off)).await.unwrap();
        }
        let error = zfs.clone_snapshot(&snapshot(&side, "data@s1"), &name(&side, "p1"), &[]).await;
        assert!(error.is_err(), "p1 is not a clone");
        let guid = look(&zfs, &clone).await.guid;
        let renamed = name(&side, "renamed");
        for _ in 0..2 {
            zfs.rename(&clone, &renamed, guid).await.unwrap();
        }
        assert!(zfs.rename(&name(&side, "data"), &name(&side, "z"), guid).await.is_err(), "another's GUID");
        for _ in 0..2 {
            zfs.promote(&renamed).await.unwrap();
        }
        assert_eq!(side.tags("renamed"), ["s1"]);

        let role: PropertyName = "zerfaux:role".parse().unwrap();
        zfs.set(&renamed, &[Property::new("zerfaux:role", "live").unwrap()]).await.unwrap();
        assert_eq!(zfs.get_local(&renamed, &role).await.unwrap().as_deref(), Some("live"));
        zfs.inherit(&renamed, &role).await.unwrap();
        assert_eq!(zfs.get_local(&renamed, &role).await.unwrap(), None);
        let full = zfs.destroy_empty(&renamed, guid).await.unwrap_err();
        assert_eq!(full.complaint(), Some(&Complaint::HasChildren));
        let empty = look(&zfs, &name(&side, "p1/p2")).await.guid;
        for _ in 0..2 {
            zfs.destroy_empty(&name(&side, "p1/p2"), empty).await.unwrap();
        }
    });
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn streams_are_estimated_received_cut_and_resumed() {
    let side = Side::with_pool(hosts().0, "zfs-stream", "256M");
    side.play("+ data\nw data one 12M\n@ data s1\nw data two 4M\n@ data s2\n+ dst");
    block_on(async {
        let zfs = zfs_on(hosts().0, "zfsadmin").await;
        let into = name(&side, "dst/copy");
        let how = ReceiveArgs::replica(into.clone(), DatasetKind::Filesystem);
        let receive = zfs.receive_argv(&how).unwrap().to_shell();
        let full = SendArgs::full(snapshot(&side, "data@s1"), SendFlags::MODERN);
        let estimate = zfs.estimate(&full).await.unwrap();
        assert!((12 << 20..13 << 20).contains(&estimate), "{estimate}");
        let send = zfs.send_argv(&full).unwrap().to_shell();
        let cut = side.host.try_as("root", &format!("{send} | head -c 6000000 | {receive}"));
        let error = zfs.judge_receive(&how, zerfaux::domain::exit::Exit::Code(1), &cut.stderr);
        let Some(Complaint::ResumeStateLeft(Some(token))) = error.complaint() else { panic!("{error}") };
        let partial = look(&zfs, &into).await.partial.unwrap();
        assert_eq!(partial.token, token.as_str());
        let contents = partial.contents.unwrap();
        assert_eq!(contents.to_guid, by_tag(&look(&zfs, &name(&side, "data")).await, "s1").guid);
        zfs.check_token(token).await.unwrap();
        let rest = SendArgs::resume(token.clone());
        assert!(zfs.estimate(&rest).await.unwrap() < estimate);
        side.host.root(&format!("{} | {receive}", zfs.send_argv(&rest).unwrap().to_shell()));

        let base = Base::Snapshot("s1".parse().unwrap());
        let next = SendArgs::incremental(base, snapshot(&side, "data@s2"), false, SendFlags::MODERN).unwrap();
        side.host.root(&format!("{} | {receive}", zfs.send_argv(&next).unwrap().to_shell()));
        assert_eq!(side.snapshots("dst/copy"), side.snapshots("data"));
        assert_eq!(side.files("dst/copy@s2"), side.files("data@s2"));
        let seen = look(&zfs, &into).await;
        assert!(seen.readonly && !seen.mounted && seen.partial.is_none());
        assert_eq!(by_tag(&seen, "s1").owner, Owner::Foreign, "a stream does not bring our mark");
        let received = [snapshot(&side, "dst/copy@s1"), snapshot(&side, "dst/copy@s2")];
        zfs.mark_snapshots(GROUP, &received).await.unwrap();
        assert_eq!(by_tag(&look(&zfs, &into).await, "s2").owner, Owner::Zerfaux(GROUP.into()));
    });
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn keys_are_loaded_from_memory_and_unloaded_again() {
    let side = Side::with_pool(hosts().0, "zfs-keys", "256M");
    side.play("e secret correct-horse\nw secret file 100\nu secret\nl secret");
    block_on(async {
        let zfs = zfs_on(hosts().0, "zfsadmin").await;
        let secret = name(&side, "secret");
        let wrong = zfs.load_key(&secret, &b"battery-staple".to_vec().into()).await.unwrap_err();
        assert_eq!(wrong.complaint(), Some(&Complaint::KeyWrong));
        let locked = zfs.mount(&secret).await.unwrap_err();
        assert_eq!(locked.complaint(), Some(&Complaint::KeyUnavailable));
        for _ in 0..2 {
            zfs.load_key(&secret, &b"correct-horse".to_vec().into()).await.unwrap();
        }
        assert_eq!(side.property("secret", "keystatus"), "available");
        for _ in 0..2 {
            zfs.unload_key(&secret).await.unwrap();
        }
        assert_eq!(side.property("secret", "keystatus"), "unavailable");
    });
}
