//! What a storage host must do, whoever plays it: the same cases run against the simulated appliance
//! (`tests/contract_appliance.rs`) and against real OpenZFS (`tests/lab/cases/contract.rs`), so that the simulator
//! cannot drift. They go through the product's own client and look at results and typed errors.

use std::collections::BTreeMap;
use std::future::Future;

use zerfaux::domain::dataset::{Base, Dataset, DatasetKind, Encryption, Owner, Snapshot};
use zerfaux::domain::exit::Exit;
use zerfaux::domain::names::{BookmarkName, DatasetName, SnapshotName};
use zerfaux::zfs::verbs::Depth;
use zerfaux::zfs::{
    Complaint, HoldTag, KeptBecause, Outcome, PoolState, Property, PropertyName, ReceiveArgs, ResumeToken,
    SendArgs, SendFlags, Zfs, ZfsError,
};

#[path = "contract_tools.rs"]
mod tools;

pub use tools::*;

#[path = "contract_direction.rs"]
mod direction;

pub use direction::*;

const GROUP: &str = "g1";

/// A place on a host that a case has to itself.
pub trait Ground {
    /// The full name of what is called so here; `.` is the root.
    fn name(&self, relative: &str) -> String;
    /// Does what the lines of the scene language (`tests/support/lab/script.rs`) say.
    fn play(&self, lines: &str);
    /// Runs a script as root: exit status, standard error.
    fn shell(&self, script: &str) -> (i32, String);
    /// The path and SHA-256 of every file in a snapshot.
    fn files(&self, snapshot: &str) -> BTreeMap<String, String>;
    /// The product's client, connected.
    fn zfs(&self) -> impl Future<Output = Zfs>;
}

/// Calls `$each!` with the names of all cases.
#[macro_export]
macro_rules! contract_cases {
    ($each:ident) => {
        $each! {
            facts_of_a_dataset_its_snapshots_and_bookmarks,
            what_is_not_there_is_absent_from_a_list,
            children_are_named_and_a_tree_is_listed_whole,
            a_pool_tells_how_it_is,
            properties_are_set_inherited_and_taken_away,
            a_property_that_does_not_exist_is_refused,
            snapshots_are_taken_together_or_not_at_all,
            a_snapshot_of_anothers_is_not_taken_for_ones_own,
            holds_keep_snapshots,
            bookmarks_remember_a_guid,
            a_clone_keeps_its_origin_and_promote_turns_it_round,
            a_promote_with_a_name_on_both_sides_is_a_conflict,
            rename_keeps_the_guid_and_refuses_a_taken_name,
            a_volume_is_renamed_too,
            only_empty_datasets_are_destroyed,
            parents_are_made_unmounted,
            mounting_may_be_repeated,
            a_full_stream_brings_every_byte,
            increments_with_and_without_what_lies_between,
            a_bookmark_is_enough_of_a_base,
            a_stream_that_broke_off_is_resumed,
            a_partial_receive_keeps_its_base_and_can_be_aborted,
            a_token_whose_snapshot_is_gone_is_stale,
            a_destination_that_was_written_to_is_not_overwritten,
            a_missing_or_foreign_base_is_refused,
            a_full_stream_onto_something_is_refused,
            a_volume_is_sent_and_received,
            nothing_is_received_without_a_parent,
            what_is_no_stream_is_refused,
            raw_streams_stay_locked_and_keys_open_them,
            written_counts_from_a_snapshot,
            a_group_goes_there_and_back_twice_and_nothing_that_was_written_is_lost,
            a_commit_and_a_return_that_were_cut_short_go_on_where_they_were,
            disks_are_listed_with_what_is_on_them,
            a_pool_is_not_made_of_what_is_missing_or_in_use,
            what_is_shared_is_exported_to_its_clients,
            files_have_owners_modes_times_links_and_attributes,
            sums_are_made_and_compared,
            rsync_copies_with_all_that_belongs_to_it,
            mounts_and_free_room_are_told,
            units_that_are_not_there_are_named,
            the_shell_runs_what_a_direct_stream_needs,
        }
    };
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn dataset(ground: &impl Ground, relative: &str) -> DatasetName {
    ground.name(relative).parse().unwrap()
}

fn snapshot(ground: &impl Ground, relative: &str) -> SnapshotName {
    ground.name(relative).parse().unwrap()
}

fn bookmark(ground: &impl Ground, relative: &str) -> BookmarkName {
    ground.name(relative).parse().unwrap()
}

async fn look(zfs: &Zfs, name: &DatasetName) -> Dataset {
    let mut found = zfs.datasets(std::slice::from_ref(name), false).await.unwrap();
    assert_eq!(found.len(), 1, "{name} is not there");
    found.remove(0)
}

fn by_tag<'a>(dataset: &'a Dataset, tag: &str) -> &'a Snapshot {
    dataset.snapshot_by_tag(&tag.parse().unwrap()).unwrap()
}

fn tags(dataset: &Dataset) -> Vec<&str> {
    dataset.snapshots.iter().map(|snapshot| snapshot.tag.as_str()).collect()
}

#[track_caller]
fn complaint(result: Result<impl std::fmt::Debug, ZfsError>) -> Complaint {
    let error = result.unwrap_err();
    error.complaint().cloned().unwrap_or_else(|| panic!("no complaint: {error}"))
}

/// Runs `send | [head |] receive` on the host and gives what the receive complained of, if it did.
fn pipe(
    ground: &impl Ground,
    zfs: &Zfs,
    send: &SendArgs,
    how: &ReceiveArgs,
    cut: Option<u64>,
) -> Option<Complaint> {
    let (sender, receiver) = (zfs.send_argv(send).unwrap(), zfs.receive_argv(how).unwrap());
    let cut = cut.map(|bytes| format!("head -c {bytes} | ")).unwrap_or_default();
    let script = format!("{} 2>/dev/null | {cut}{}", sender.to_shell(), receiver.to_shell());
    let (status, stderr) = ground.shell(&script);
    (status != 0).then(|| {
        let error = zfs.judge_receive(how, Exit::Code(status.unsigned_abs()), &stderr);
        error.complaint().cloned().unwrap_or_else(|| panic!("no complaint: {error}"))
    })
}

fn replica(ground: &impl Ground, relative: &str) -> ReceiveArgs {
    ReceiveArgs::replica(dataset(ground, relative), DatasetKind::Filesystem)
}

fn full(ground: &impl Ground, of: &str) -> SendArgs {
    SendArgs::full(snapshot(ground, of), SendFlags::MODERN)
}

fn since(ground: &impl Ground, base: &str, of: &str, all: bool) -> SendArgs {
    let base = match base.strip_prefix('#') {
        Some(tag) => Base::Bookmark(tag.parse().unwrap()),
        None => Base::Snapshot(base.parse().unwrap()),
    };
    SendArgs::incremental(base, snapshot(ground, of), all, SendFlags::MODERN).unwrap()
}

pub fn facts_of_a_dataset_its_snapshots_and_bookmarks(ground: &impl Ground) {
    ground.play("+ a\nw a one 1M\n@ a s1\nb a s1 mark\nw a two 1M\n@ a s2\nh a s1 keep");
    block_on(async {
        let zfs = ground.zfs().await;
        let seen = look(&zfs, &dataset(ground, "a")).await;
        assert_eq!(tags(&seen), ["s1", "s2"]);
        let (one, two) = (by_tag(&seen, "s1"), by_tag(&seen, "s2"));
        assert!(one.createtxg < two.createtxg && one.guid != two.guid);
        assert_eq!((one.holds, two.holds), (1, 0));
        assert!((1 << 20..3 << 19).contains(&one.referenced), "{}", one.referenced);
        assert!(two.referenced >= 2 << 20 && seen.used >= two.referenced);
        assert_eq!((seen.bookmarks[0].guid, seen.bookmarks[0].createtxg), (one.guid, one.createtxg));
        assert_eq!(seen.written, 0, "nothing since @s2");
        assert!(seen.mounted && !seen.readonly && seen.origin.is_none() && seen.partial.is_none());
        assert_eq!((seen.kind, seen.encryption), (DatasetKind::Filesystem, Encryption::Off));
        zfs.release(&"keep".parse().unwrap(), &[snapshot(ground, "a@s1")]).await.unwrap();
    });
}

pub fn what_is_not_there_is_absent_from_a_list(ground: &impl Ground) {
    ground.play("+ a");
    block_on(async {
        let zfs = ground.zfs().await;
        let names = [dataset(ground, "nosuch"), dataset(ground, "a"), "nosuchpool/x".parse().unwrap()];
        let found = zfs.datasets(&names, false).await.unwrap();
        assert_eq!(found.iter().map(|found| &found.name).collect::<Vec<_>>(), [&names[1]]);
        assert_eq!(zfs.existing(&names).await.unwrap().len(), 1);
        assert!(zfs.holds(&[snapshot(ground, "nosuch@x")]).await.unwrap().is_empty());
    });
}

pub fn children_are_named_and_a_tree_is_listed_whole(ground: &impl Ground) {
    ground.play("+ a/b/c\n+ \"a/with space\"\n@ a s1 r");
    block_on(async {
        let zfs = ground.zfs().await;
        let a = dataset(ground, "a");
        let listing = zfs.survey(std::slice::from_ref(&a), Depth::One).await.unwrap();
        let mut children = listing.children[&a].clone();
        children.sort();
        assert_eq!(children, [dataset(ground, "a/b"), dataset(ground, "a/with space")]);
        let all = zfs.datasets(&[a], true).await.unwrap();
        assert_eq!(all.len(), 4);
        let moments: Vec<u64> = all.iter().map(|dataset| by_tag(dataset, "s1").createtxg).collect();
        assert!(moments.iter().all(|moment| *moment == moments[0]), "one transaction group: {moments:?}");
    });
}

pub fn a_pool_tells_how_it_is(ground: &impl Ground) {
    block_on(async {
        let zfs = ground.zfs().await;
        let pool = zfs.pool_status(&dataset(ground, "x")).await.unwrap();
        assert_eq!((pool.state, pool.errors, pool.trouble), (PoolState::Online, None, None));
        assert!(pool.size >= pool.allocated + pool.free && pool.free > 0 && pool.capacity < 100);
        let missing = complaint(zfs.pool_status(&"nosuchpool/x".parse().unwrap()).await);
        assert!(matches!(missing, Complaint::PoolMissing(_)), "{missing:?}");
        assert!(zfs.version().unwrap().at_least(2, 0) && zfs.kernel_version().is_some());
    });
}

pub fn properties_are_set_inherited_and_taken_away(ground: &impl Ground) {
    ground.play("+ a/b");
    block_on(async {
        let zfs = ground.zfs().await;
        let (a, b) = (dataset(ground, "a"), dataset(ground, "a/b"));
        let role: PropertyName = "zerfaux:role".parse().unwrap();
        zfs.set(
            &a,
            &[Property::new("zerfaux:role", "live one").unwrap(), Property::new("readonly", "on").unwrap()],
        )
        .await
        .unwrap();
        assert_eq!(zfs.get_local(&a, &role).await.unwrap().as_deref(), Some("live one"));
        assert_eq!(zfs.get_local(&b, &role).await.unwrap(), None, "inherited is not local");
        assert!(look(&zfs, &b).await.readonly, "readonly is inherited");
        zfs.inherit(&a, &role).await.unwrap();
        assert_eq!(zfs.get_local(&a, &role).await.unwrap(), None);
    });
}

pub fn a_property_that_does_not_exist_is_refused(ground: &impl Ground) {
    ground.play("+ a");
    block_on(async {
        let zfs = ground.zfs().await;
        let a = dataset(ground, "a");
        for (name, value) in [("readonly", "perhaps"), ("nosuchproperty", "on")] {
            let told = complaint(zfs.set(&a, &[Property::new(name, value).unwrap()]).await);
            assert_eq!(told, Complaint::BadProperty, "{name}={value}");
        }
        let told =
            complaint(zfs.set(&dataset(ground, "nosuch"), &[Property::new("a:b", "c").unwrap()]).await);
        assert!(matches!(told, Complaint::DatasetMissing(_)), "{told:?}");
    });
}

pub fn snapshots_are_taken_together_or_not_at_all(ground: &impl Ground) {
    ground.play("+ a\n+ b");
    block_on(async {
        let zfs = ground.zfs().await;
        let both = [snapshot(ground, "a@s1"), snapshot(ground, "b@s1")];
        assert!(zfs.ensure_snapshots(GROUP, &both, &[]).await.unwrap());
        assert!(!zfs.ensure_snapshots(GROUP, &both, &[]).await.unwrap(), "they are there");
        let seen = zfs.datasets(&[dataset(ground, "a"), dataset(ground, "b")], false).await.unwrap();
        assert_eq!(by_tag(&seen[0], "s1").createtxg, by_tag(&seen[1], "s1").createtxg);
        assert_eq!(by_tag(&seen[0], "s1").owner, Owner::Zerfaux(GROUP.into()));
        let some = [snapshot(ground, "a@s1"), snapshot(ground, "b@s2")];
        assert!(zfs.ensure_snapshots(GROUP, &some, &[]).await.is_err());
        assert_eq!(tags(&look(&zfs, &dataset(ground, "b")).await), ["s1"], "none was taken");
        let missing = complaint(zfs.ensure_snapshots(GROUP, &[snapshot(ground, "nosuch@s1")], &[]).await);
        assert!(matches!(missing, Complaint::DatasetMissing(_)), "{missing:?}");
    });
}

pub fn a_snapshot_of_anothers_is_not_taken_for_ones_own(ground: &impl Ground) {
    ground.play("+ a zerfaux:group=g1\n@ a hand");
    block_on(async {
        let zfs = ground.zfs().await;
        let seen = look(&zfs, &dataset(ground, "a")).await;
        assert_eq!(by_tag(&seen, "hand").owner, Owner::Foreign, "an inherited mark is none");
        assert!(zfs.ensure_snapshots(GROUP, &[snapshot(ground, "a@hand")], &[]).await.is_err());
        let refused = zfs.destroy_snapshots(&dataset(ground, "a"), GROUP, &[by_tag(&seen, "hand")]).await;
        assert!(refused.is_err());
        zfs.mark_snapshots(GROUP, &[snapshot(ground, "a@hand")]).await.unwrap();
        assert_eq!(
            by_tag(&look(&zfs, &dataset(ground, "a")).await, "hand").owner,
            Owner::Zerfaux(GROUP.into())
        );
    });
}

pub fn holds_keep_snapshots(ground: &impl Ground) {
    ground.play("+ a");
    block_on(async {
        let zfs = ground.zfs().await;
        let (a, one) = (dataset(ground, "a"), [snapshot(ground, "a@s1")]);
        zfs.ensure_snapshots(GROUP, &one, &[]).await.unwrap();
        let tag: HoldTag = "zerfaux:g1".parse().unwrap();
        for _ in 0..2 {
            zfs.hold(&tag, &one).await.unwrap();
        }
        let holds = zfs.holds(&one).await.unwrap();
        assert_eq!((holds.len(), holds[0].tag.as_str()), (1, "zerfaux:g1"));
        let seen = look(&zfs, &a).await;
        let kept = zfs.destroy_snapshots(&a, GROUP, &[by_tag(&seen, "s1")]).await.unwrap();
        assert_eq!(kept[0].outcome, Outcome::Kept(KeptBecause::Holds(1)));
        let (status, stderr) = ground.shell(&format!("zfs destroy '{}'", one[0]));
        assert_eq!((status, zerfaux::zfs::classify(&stderr)), (1, Complaint::HasHolds));
        for _ in 0..2 {
            zfs.release(&tag, &one).await.unwrap();
        }
        let gone = zfs.destroy_snapshots(&a, GROUP, &[by_tag(&seen, "s1")]).await.unwrap();
        assert_eq!(gone[0].outcome, Outcome::Destroyed);
        assert!(complaint(zfs.hold(&tag, &one).await) == Complaint::DatasetMissing(Some(one[0].to_string())));
    });
}

pub fn bookmarks_remember_a_guid(ground: &impl Ground) {
    ground.play("+ a\n@ a s1\n@ a s2");
    block_on(async {
        let zfs = ground.zfs().await;
        let mark = bookmark(ground, "a#mark");
        for _ in 0..2 {
            zfs.bookmark(&snapshot(ground, "a@s1"), &mark).await.unwrap();
        }
        assert!(zfs.bookmark(&snapshot(ground, "a@s2"), &mark).await.is_err(), "it is another's");
        ground.play("- a@s1");
        let seen = look(&zfs, &dataset(ground, "a")).await;
        assert_eq!((tags(&seen), seen.bookmarks.len()), (vec!["s2"], 1));
        for _ in 0..2 {
            zfs.destroy_bookmark(&mark).await.unwrap();
        }
        let missing = complaint(zfs.bookmark(&snapshot(ground, "a@s1"), &mark).await);
        assert!(matches!(missing, Complaint::DatasetMissing(_)), "{missing:?}");
    });
}

pub fn a_clone_keeps_its_origin_and_promote_turns_it_round(ground: &impl Ground) {
    ground.play("+ a\nw a one 64K");
    block_on(async {
        let zfs = ground.zfs().await;
        let (a, clone, origin) = (dataset(ground, "a"), dataset(ground, "clone"), snapshot(ground, "a@s1"));
        zfs.ensure_snapshots(GROUP, std::slice::from_ref(&origin), &[]).await.unwrap();
        let off = [Property::new("canmount", "noauto").unwrap()];
        for _ in 0..2 {
            zfs.clone_snapshot(&origin, &clone, &off).await.unwrap();
        }
        let seen = look(&zfs, &a).await;
        assert_eq!(by_tag(&seen, "s1").clones, std::slice::from_ref(&clone));
        let kept = zfs.destroy_snapshots(&a, GROUP, &[by_tag(&seen, "s1")]).await.unwrap();
        assert_eq!(kept[0].outcome, Outcome::Kept(KeptBecause::Clones(vec![clone.clone()])));
        assert_eq!(look(&zfs, &clone).await.origin, Some(origin.to_string()));
        for _ in 0..2 {
            zfs.promote(&clone).await.unwrap();
        }
        let (seen, was) = (look(&zfs, &clone).await, look(&zfs, &a).await);
        assert_eq!((tags(&seen), seen.origin.clone()), (vec!["s1"], None));
        assert_eq!((tags(&was), was.origin.clone()), (vec![], Some(ground.name("clone@s1"))));
        let missing =
            complaint(zfs.clone_snapshot(&snapshot(ground, "a@nosuch"), &dataset(ground, "x"), &[]).await);
        assert!(matches!(missing, Complaint::DatasetMissing(_)), "{missing:?}");
    });
}

pub fn a_promote_with_a_name_on_both_sides_is_a_conflict(ground: &impl Ground) {
    ground.play("+ a\n@ a s1\nc a s1 clone\n@ clone s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let told = complaint(zfs.promote(&dataset(ground, "clone")).await);
        assert_eq!(told, Complaint::PromoteConflict(Some("s1".into())));
    });
}

pub fn rename_keeps_the_guid_and_refuses_a_taken_name(ground: &impl Ground) {
    ground.play("+ a/b\n+ taken");
    block_on(async {
        let zfs = ground.zfs().await;
        let (a, z) = (dataset(ground, "a"), dataset(ground, "z"));
        let guid = look(&zfs, &a).await.guid;
        assert_eq!(
            complaint(zfs.rename(&a, &dataset(ground, "taken"), guid).await),
            Complaint::AlreadyExists
        );
        for _ in 0..2 {
            zfs.rename(&a, &z, guid).await.unwrap();
        }
        assert_eq!(look(&zfs, &z).await.guid, guid);
        assert!(zfs.exists(&dataset(ground, "z/b")).await.unwrap() && !zfs.exists(&a).await.unwrap());
        assert!(zfs.rename(&dataset(ground, "taken"), &a, guid).await.is_err(), "another's GUID");
    });
}

pub fn a_volume_is_renamed_too(ground: &impl Ground) {
    ground.play("v disk 1M");
    block_on(async {
        let zfs = ground.zfs().await;
        let disk = dataset(ground, "disk");
        let seen = look(&zfs, &disk).await;
        assert_eq!((seen.kind, seen.mounted), (DatasetKind::Volume, false));
        zfs.rename(&disk, &dataset(ground, "disk2"), seen.guid).await.unwrap();
        assert_eq!(complaint(zfs.mount(&dataset(ground, "disk2")).await), Complaint::WrongKind);
    });
}

pub fn only_empty_datasets_are_destroyed(ground: &impl Ground) {
    ground.play("+ a/b\n+ snapped\n@ snapped s1");
    block_on(async {
        let zfs = ground.zfs().await;
        for full in ["a", "snapped"] {
            let guid = look(&zfs, &dataset(ground, full)).await.guid;
            assert_eq!(
                complaint(zfs.destroy_empty(&dataset(ground, full), guid).await),
                Complaint::HasChildren
            );
        }
        let guid = look(&zfs, &dataset(ground, "a/b")).await.guid;
        for _ in 0..2 {
            zfs.destroy_empty(&dataset(ground, "a/b"), guid).await.unwrap();
        }
        assert!(zfs.destroy_empty(&dataset(ground, "a"), guid).await.is_err(), "another's GUID");
    });
}

pub fn parents_are_made_unmounted(ground: &impl Ground) {
    block_on(async {
        let zfs = ground.zfs().await;
        let deep = dataset(ground, "p1/p2/leaf");
        for _ in 0..2 {
            zfs.create_parents(&deep).await.unwrap();
        }
        assert!(!zfs.exists(&deep).await.unwrap());
        assert!(!look(&zfs, &dataset(ground, "p1/p2")).await.mounted);
        let canmount: PropertyName = "canmount".parse().unwrap();
        assert_eq!(zfs.get_local(&dataset(ground, "p1"), &canmount).await.unwrap().as_deref(), Some("off"));
        assert_eq!(complaint(zfs.mount(&dataset(ground, "p1")).await), Complaint::NotMountable);
    });
}

pub fn mounting_may_be_repeated(ground: &impl Ground) {
    ground.play("+ a");
    block_on(async {
        let zfs = ground.zfs().await;
        let a = dataset(ground, "a");
        for _ in 0..2 {
            zfs.unmount(&a).await.unwrap();
        }
        assert!(!look(&zfs, &a).await.mounted);
        for _ in 0..2 {
            zfs.mount(&a).await.unwrap();
        }
        assert!(look(&zfs, &a).await.mounted);
    });
}

pub fn a_full_stream_brings_every_byte(ground: &impl Ground) {
    ground.play("+ a\nw a one 1M\nw a \"two words\" 100\n@ a s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let estimate = zfs.estimate(&full(ground, "a@s1")).await.unwrap();
        assert!((1 << 20..5 << 18).contains(&estimate), "{estimate}");
        assert_eq!(pipe(ground, &zfs, &full(ground, "a@s1"), &replica(ground, "copy"), None), None);
        let (here, there) =
            (look(&zfs, &dataset(ground, "a")).await, look(&zfs, &dataset(ground, "copy")).await);
        let (one, other) = (by_tag(&here, "s1"), by_tag(&there, "s1"));
        assert_eq!((one.guid, one.created_at), (other.guid, other.created_at));
        assert_ne!(here.guid, there.guid, "a dataset of its own");
        assert!(there.readonly && !there.mounted && there.partial.is_none() && there.written == 0);
        assert_eq!(other.owner, Owner::Foreign);
    });
    let (here, there) = (ground.files("a@s1"), ground.files("copy@s1"));
    assert_eq!((here.len(), &here), (2, &there));
}

pub fn increments_with_and_without_what_lies_between(ground: &impl Ground) {
    ground.play("+ a\nw a one 512K\n@ a s1\nw a two 64K\n@ a s2\nx a one\nw a two 32K\n@ a s3");
    block_on(async {
        let zfs = ground.zfs().await;
        for (copy, all, expected) in
            [("all", true, vec!["s1", "s2", "s3"]), ("some", false, vec!["s1", "s3"])]
        {
            assert_eq!(pipe(ground, &zfs, &full(ground, "a@s1"), &replica(ground, copy), None), None);
            let next = since(ground, "s1", "a@s3", all);
            assert!(zfs.estimate(&next).await.unwrap() < 256 << 10);
            assert_eq!(pipe(ground, &zfs, &next, &replica(ground, copy), None), None);
            assert_eq!(tags(&look(&zfs, &dataset(ground, copy)).await), expected);
            assert_eq!(ground.files(&format!("{copy}@s3")), ground.files("a@s3"));
        }
    });
}

pub fn a_bookmark_is_enough_of_a_base(ground: &impl Ground) {
    ground.play("+ a\nw a one 256K\n@ a s1\nb a s1 mark");
    block_on(async {
        let zfs = ground.zfs().await;
        assert_eq!(pipe(ground, &zfs, &full(ground, "a@s1"), &replica(ground, "copy"), None), None);
        ground.play("- a@s1\nw a two 64K\nx a one\n@ a s2");
        assert_eq!(
            pipe(ground, &zfs, &since(ground, "#mark", "a@s2", false), &replica(ground, "copy"), None),
            None
        );
        let missing = complaint(zfs.estimate(&since(ground, "#nosuch", "a@s2", false)).await);
        assert!(matches!(missing, Complaint::IncrementalSourceMissing(_)), "{missing:?}");
    });
    assert_eq!(ground.files("copy@s2"), ground.files("a@s2"));
}

fn token_of(told: Option<Complaint>) -> ResumeToken {
    match told {
        Some(Complaint::ResumeStateLeft(Some(token))) => token,
        other => panic!("no token: {other:?}"),
    }
}

pub fn a_stream_that_broke_off_is_resumed(ground: &impl Ground) {
    ground.play("+ a\nw a one 3M\n@ a s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let (send, how) = (full(ground, "a@s1"), replica(ground, "copy"));
        let whole = zfs.estimate(&send).await.unwrap();
        let token = token_of(pipe(ground, &zfs, &send, &how, Some(1_500_000)));
        let partial = look(&zfs, &dataset(ground, "copy")).await.partial.unwrap();
        assert_eq!(partial.token, token.as_str());
        let contents = partial.contents.unwrap();
        let source = look(&zfs, &dataset(ground, "a")).await;
        assert_eq!((contents.to_guid, contents.from_guid), (by_tag(&source, "s1").guid, None));
        assert!(contents.bytes > 500_000 && contents.bytes < 1_500_000, "{}", contents.bytes);
        zfs.check_token(&token).await.unwrap();
        let rest = SendArgs::resume(token);
        assert!(zfs.estimate(&rest).await.unwrap() < whole - 500_000);
        assert_eq!(pipe(ground, &zfs, &rest, &how, None), None);
        assert!(look(&zfs, &dataset(ground, "copy")).await.partial.is_none());
    });
    assert_eq!(ground.files("copy@s1"), ground.files("a@s1"));
}

pub fn a_partial_receive_keeps_its_base_and_can_be_aborted(ground: &impl Ground) {
    ground.play("+ a\nw a one 64K\n@ a s1\nw a two 2M\n@ a s2");
    block_on(async {
        let zfs = ground.zfs().await;
        let (how, copy) = (replica(ground, "copy"), dataset(ground, "copy"));
        assert_eq!(pipe(ground, &zfs, &full(ground, "a@s1"), &how, None), None);
        zfs.mark_snapshots(GROUP, &[snapshot(ground, "copy@s1")]).await.unwrap();
        let next = since(ground, "s1", "a@s2", false);
        token_of(pipe(ground, &zfs, &next, &how, Some(1_000_000)));
        let seen = look(&zfs, &copy).await;
        assert!(by_tag(&seen, "s1").clones.is_empty(), "the hidden clone is nobody's");
        let kept = zfs.destroy_snapshots(&copy, GROUP, &[by_tag(&seen, "s1")]).await.unwrap();
        assert_eq!(kept[0].outcome, Outcome::Kept(KeptBecause::PartialReceive));
        assert_eq!(pipe(ground, &zfs, &next, &how, None), Some(Complaint::PartialInTheWay));
        for _ in 0..2 {
            zfs.abort_receive(&copy).await.unwrap();
        }
        assert_eq!(tags(&look(&zfs, &copy).await), ["s1"]);
        // Of a first receive nothing is left.
        token_of(pipe(ground, &zfs, &full(ground, "a@s2"), &replica(ground, "first"), Some(1_000_000)));
        zfs.abort_receive(&dataset(ground, "first")).await.unwrap();
        assert!(!zfs.exists(&dataset(ground, "first")).await.unwrap());
    });
}

pub fn a_token_whose_snapshot_is_gone_is_stale(ground: &impl Ground) {
    ground.play("+ a\nw a one 2M\n@ a s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let token =
            token_of(pipe(ground, &zfs, &full(ground, "a@s1"), &replica(ground, "copy"), Some(1_000_000)));
        ground.play("- a@s1");
        assert_eq!(complaint(zfs.check_token(&token).await), Complaint::TokenStale);
        assert!(zfs.token_contents(&token).await.unwrap().is_some(), "what it says can still be read");
        let garbage: ResumeToken = "1-abc-8-0102030405060708".parse().unwrap();
        assert_eq!(complaint(zfs.check_token(&garbage).await), Complaint::TokenCorrupt);
    });
}

pub fn a_destination_that_was_written_to_is_not_overwritten(ground: &impl Ground) {
    ground.play("+ a\nw a one 64K\n@ a s1\nw a two 64K\n@ a s2");
    block_on(async {
        let zfs = ground.zfs().await;
        let how = replica(ground, "copy");
        assert_eq!(pipe(ground, &zfs, &full(ground, "a@s1"), &how, None), None);
        ground.play("p copy readonly=off\nm copy\nw copy mine 64K\nu copy");
        let next = since(ground, "s1", "a@s2", false);
        assert_eq!(pipe(ground, &zfs, &next, &how, None), Some(Complaint::DestinationModified));
        assert!(zfs.written_since(&dataset(ground, "copy"), &"s1".parse().unwrap()).await.unwrap() > 0);
    });
}

pub fn a_missing_or_foreign_base_is_refused(ground: &impl Ground) {
    ground.play("+ a\nw a one 64K\n@ a s1\n@ a s2\n+ alien\n@ alien x");
    block_on(async {
        let zfs = ground.zfs().await;
        let next = since(ground, "s1", "a@s2", false);
        assert_eq!(pipe(ground, &zfs, &next, &replica(ground, "alien"), None), Some(Complaint::NotTheBase));
        let none = pipe(ground, &zfs, &next, &replica(ground, "none"), None);
        assert!(matches!(none, Some(Complaint::DatasetMissing(_))), "{none:?}");
        let wrong_way = complaint(zfs.estimate(&since(ground, "s2", "a@s1", false)).await);
        assert_eq!(wrong_way, Complaint::NotAnEarlierSnapshot);
    });
}

pub fn a_full_stream_onto_something_is_refused(ground: &impl Ground) {
    ground.play("+ a\n@ a s1\n+ there");
    block_on(async {
        let zfs = ground.zfs().await;
        let told = pipe(ground, &zfs, &full(ground, "a@s1"), &replica(ground, "there"), None);
        assert_eq!(told, Some(Complaint::DestinationExists));
    });
}

pub fn a_volume_is_sent_and_received(ground: &impl Ground) {
    ground.play("v disk 2M\nd disk 512K\n@ disk s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let how = ReceiveArgs::replica(dataset(ground, "copy"), DatasetKind::Volume);
        assert_eq!(pipe(ground, &zfs, &full(ground, "disk@s1"), &how, None), None);
        let seen = look(&zfs, &dataset(ground, "copy")).await;
        assert_eq!((seen.kind, seen.readonly), (DatasetKind::Volume, true));
        let wrong = pipe(ground, &zfs, &full(ground, "disk@s1"), &replica(ground, "other"), None);
        assert_eq!(wrong, Some(Complaint::WrongKind), "a volume has no canmount");
    });
}

pub fn nothing_is_received_without_a_parent(ground: &impl Ground) {
    ground.play("+ a\n@ a s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let told = pipe(ground, &zfs, &full(ground, "a@s1"), &replica(ground, "nope/deeper"), None);
        assert!(matches!(told, Some(Complaint::DatasetMissing(_))), "{told:?}");
    });
}

pub fn what_is_no_stream_is_refused(ground: &impl Ground) {
    block_on(async {
        let zfs = ground.zfs().await;
        let how = replica(ground, "x");
        let receive = zfs.receive_argv(&how).unwrap().to_shell();
        for input in ["echo this is no stream", "true"] {
            let (status, stderr) = ground.shell(&format!("{input} | {receive}"));
            let error = zfs.judge_receive(&how, Exit::Code(1), &stderr);
            assert_eq!((status, error.complaint()), (1, Some(&Complaint::NotAStream)), "{stderr}");
        }
    });
}

pub fn raw_streams_stay_locked_and_keys_open_them(ground: &impl Ground) {
    ground.play("e secret correct-horse\nw secret one 256K\n@ secret s1");
    block_on(async {
        let zfs = ground.zfs().await;
        let raw = SendArgs::full(snapshot(ground, "secret@s1"), SendFlags::MODERN.with_raw());
        assert_eq!(pipe(ground, &zfs, &raw, &replica(ground, "copy"), None), None);
        let copy = dataset(ground, "copy");
        let locked = Encryption::On { root: copy.clone(), key_loaded: false };
        assert_eq!(look(&zfs, &copy).await.encryption, locked);
        assert_eq!(complaint(zfs.mount(&copy).await), Complaint::KeyUnavailable);
        let wrong = zfs.load_key(&copy, &b"battery-staple".to_vec().into()).await;
        assert_eq!(complaint(wrong), Complaint::KeyWrong);
        let is_key = async |key: &[u8]| zfs.is_key(&copy, &key.to_vec().into()).await.unwrap();
        assert!(is_key(b"correct-horse").await && !is_key(b"battery-staple").await);
        assert_eq!(look(&zfs, &copy).await.encryption, locked, "trying a key loads nothing");
        for _ in 0..2 {
            zfs.load_key(&copy, &b"correct-horse".to_vec().into()).await.unwrap();
        }
        assert_eq!(ground.files("copy@s1"), ground.files("secret@s1"));
        assert!(is_key(b"correct-horse").await && !is_key(b"battery-staple").await, "loaded as well");
        for _ in 0..2 {
            zfs.unload_key(&copy).await.unwrap();
        }
        ground.play("u secret\nl secret");
        let plain = pipe(ground, &zfs, &full(ground, "secret@s1"), &replica(ground, "plain"), None);
        assert!(plain.is_some(), "without its key it can only be sent raw");
    });
}

pub fn written_counts_from_a_snapshot(ground: &impl Ground) {
    ground.play("+ a\nw a one 64K\n@ a s1\n@ a s2");
    block_on(async {
        let zfs = ground.zfs().await;
        let (a, s1) = (dataset(ground, "a"), "s1".parse().unwrap());
        assert_eq!(zfs.written_since(&a, &s1).await.unwrap(), 0);
        ground.play("w a two 256K\n@ a s3");
        assert!(zfs.written_since(&a, &s1).await.unwrap() >= 256 << 10);
        assert!(zfs.written_since(&a, &"nosuch".parse().unwrap()).await.is_err());
    });
}
