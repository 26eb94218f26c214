//! The change of direction of a group, without vSphere: there and back twice, by increments, with everything that was ever
//! written still to be read somewhere.

use std::collections::{BTreeMap, BTreeSet};

use zerfaux::domain::dataset::{Dataset, Guid, Role};
use zerfaux::jobs::direction;
use zerfaux::plan::direction::{Commit, Layout, Rest, Return, comes_back, commit};
use zerfaux::zfs::{Property, Zfs};

use super::{GROUP, Ground, block_on, dataset, look, pipe, replica, since, snapshot};

/// The two sites, each a place of its own on the one host.
struct Sites<'a, G> {
    ground: &'a G,
    zfs: Zfs,
    /// Every snapshot that was ever seen, by site.
    ledger: BTreeSet<(&'static str, Guid)>,
    number: u32,
}

const LIVE: &str = "zerfaux/live/g1";
const REPLICA: &str = "zerfaux/replica/g1";
const RUN: &str = "zerfaux/run/g1";

impl<G: Ground> Sites<'_, G> {
    fn layout(&self, site: &str) -> Layout {
        Layout { root: dataset(self.ground, &format!("{site}/zerfaux")), group: GROUP.to_owned() }
    }

    async fn look(&self, name: &str) -> Dataset {
        look(&self.zfs, &dataset(self.ground, name)).await
    }

    fn files(&self, snapshot: &str) -> BTreeMap<String, String> {
        self.ground.files(snapshot)
    }

    /// Nothing that was there is gone.
    async fn nothing_is_gone(&mut self) {
        let mut now = BTreeSet::new();
        for site in ["A", "B"] {
            let root = dataset(self.ground, site);
            for found in self.zfs.datasets(std::slice::from_ref(&root), true).await.unwrap() {
                now.extend(found.snapshots.iter().map(|one| (site, one.guid)));
            }
        }
        let gone: Vec<_> = self.ledger.difference(&now).collect();
        assert!(gone.is_empty(), "{gone:?}");
        self.ledger.extend(now);
    }

    /// The clone on which the group runs at a site.
    async fn runs(&mut self, site: &str, checkpoint: &str) {
        self.number += 1;
        let origin = snapshot(self.ground, &format!("{site}/{REPLICA}@{checkpoint}"));
        let name = dataset(self.ground, &format!("{site}/{RUN}"));
        self.zfs.create_parents(&name).await.unwrap();
        // It never changes while somebody works on it.
        let path = format!("/srv/{}-{}", name.as_str().replace('/', "-"), self.number);
        let properties = [("readonly", "off"), ("canmount", "on"), ("mountpoint", &path)];
        let properties = properties.map(|(name, value)| Property::new(name, value).unwrap());
        self.zfs.clone_snapshot(&origin, &name, &properties).await.unwrap();
        self.zfs.mount(&name).await.unwrap();
        assert!(self.look(&format!("{site}/{RUN}")).await.mounted);
    }

    async fn commits(&mut self, site: &'static str, counter: u32) -> Commit {
        let (old, clone) =
            (self.look(&format!("{site}/{REPLICA}")).await, self.look(&format!("{site}/{RUN}")).await);
        let at = "2026-11-28T20:00:00Z".parse().unwrap();
        let plan = commit(&old, &clone, &self.layout(site), counter, at).unwrap();
        for _ in 0..2 {
            direction::commit(&self.zfs, &plan, GROUP).await.unwrap();
        }
        let live = self.look(&format!("{site}/{LIVE}")).await;
        assert_eq!((live.guid, live.role, live.origin.as_ref()), (clone.guid, Some(Role::Live), None));
        assert_eq!(live.epoch, Some(format!("{}:{}", counter + 1, live.guid)));
        assert!(live.mounted, "the hosts never notice");
        self.nothing_is_gone().await;
        plan
    }

    async fn returns(&mut self, old: &str, live: &str, at: &str) -> Return {
        let name = dataset(self.ground, old);
        self.zfs.unmount(&name).await.unwrap();
        let (site, _) = old.split_once('/').unwrap();
        let at = at.parse().unwrap();
        let plan = comes_back(&self.look(old).await, &self.look(live).await, &self.layout(site), at).unwrap();
        for _ in 0..2 {
            direction::comes_back(&self.zfs, &plan, GROUP).await.unwrap();
        }
        self.nothing_is_gone().await;
        plan
    }

    /// An increment between the sites: how many bytes travelled.
    async fn brings(&mut self, from: &str, (base, tag): (&str, &str), to: &str) -> u64 {
        let stream = since(self.ground, base, &format!("{from}@{tag}"), true);
        let bytes = self.zfs.estimate(&stream).await.unwrap();
        assert_eq!(pipe(self.ground, &self.zfs, &stream, &replica(self.ground, to), None), None);
        assert_eq!(
            self.files(&format!("{to}@{tag}")),
            self.files(&format!("{from}@{tag}")),
            "{tag} on both sides"
        );
        self.nothing_is_gone().await;
        bytes
    }
}

async fn begin<G: Ground>(ground: &G) -> Sites<'_, G> {
    ground.play("+ A/vm\n+ B\nw A/vm disk 4M\nw A/vm log 64K\n@ A/vm s1");
    let mut sites = Sites { ground, zfs: ground.zfs().await, ledger: BTreeSet::new(), number: 0 };
    let there = dataset(ground, &format!("B/{REPLICA}"));
    sites.zfs.create_parents(&there).await.unwrap();
    let full = super::full(ground, "A/vm@s1");
    assert_eq!(pipe(ground, &sites.zfs, &full, &replica(ground, &format!("B/{REPLICA}")), None), None);
    sites.nothing_is_gone().await;
    sites
}

pub fn a_group_goes_there_and_back_twice_and_nothing_that_was_written_is_lost(ground: &impl Ground) {
    block_on(async {
        let mut sites = begin(ground).await;
        let (mut home, mut base, mut counter) = ("A/vm".to_owned(), "s1".to_owned(), 1);
        let mut travelled = Vec::new();
        for round in 1..=2 {
            let name = |what: &str| format!("{what}{round}");
            // Site A is lost: what it wrote after its last checkpoint never came over.
            ground.play(&format!("w {home} orders 64K\n@ {home} {}", name("s2")));
            let replica = format!("B/{REPLICA}");
            travelled.push(sites.brings(&home, (&base, &name("s2")), &replica).await);
            ground.play(&format!("w {home} lost-{round} 96K"));
            sites.runs("B", &name("s2")).await;
            ground.play(&format!("w B/{RUN} at-b-{round} 64K"));
            let plan = sites.commits("B", counter).await;
            counter += 1;
            assert!(matches!(plan.rest, Rest::Nothing(..)), "{plan:?}");
            ground.play(&format!("w B/{LIVE} more-{round} 32K\n@ B/{LIVE} {}", name("f1")));

            // It comes back, and is turned round: only what was written at B travels.
            let day = format!("2026-12-0{round}T08:00:00Z");
            let plan = sites.returns(&home, &format!("B/{LIVE}"), &day).await;
            let Return::Aside { kept, diverged, .. } = plan else { panic!("it has diverged: {plan:?}") };
            let kept = ground_name(ground, kept.to.as_str());
            let aside = sites.files(&format!("{kept}@{diverged}"));
            assert!(aside.contains_key(&format!("lost-{round}")), "what A had written is kept: {aside:?}");
            let back = format!("A/{REPLICA}");
            travelled.push(sites.brings(&format!("B/{LIVE}"), (&name("s2"), &name("f1")), &back).await);

            // And home again, without losing anything.
            ground.play(&format!("w B/{LIVE} last-{round} 64K\nu B/{LIVE}\n@ B/{LIVE} {}", name("f2")));
            assert_eq!(sites.look(&format!("B/{LIVE}")).await.written, 0, "nothing is missing");
            travelled.push(sites.brings(&format!("B/{LIVE}"), (&name("f1"), &name("f2")), &back).await);
            sites.runs("A", &name("f2")).await;
            let plan = sites.commits("A", counter).await;
            counter += 1;
            assert!(matches!(plan.rest, Rest::Nothing(..)), "{plan:?}");
            home = format!("A/{LIVE}");
            let plan = sites.returns(&format!("B/{LIVE}"), &home, &day).await;
            assert!(matches!(plan, Return::AsItIs { .. }), "nothing to keep aside: {plan:?}");
            ground.play(&format!("w {home} home-{round} 64K\n@ {home} {}", name("a1")));
            travelled.push(sites.brings(&home, (&name("f2"), &name("a1")), &replica).await);
            base = name("a1");
        }
        // Each increment had less than 200 KiB of data, of 4 MiB.
        assert!(travelled.iter().all(|bytes| *bytes < 400 << 10), "{travelled:?}");
        let all = sites.files(&format!("{home}@{base}"));
        for file in ["disk", "orders", "at-b-1", "more-1", "last-1", "at-b-2", "home-2"] {
            assert!(all.contains_key(file), "{file}: {all:?}");
        }
        assert!(!all.contains_key("lost-1"), "only its kept copy has it");
    });
}

/// The name on this ground of what has that full name.
fn ground_name(ground: &impl Ground, full: &str) -> String {
    let root = ground.name(".");
    full.strip_prefix(&root).and_then(|rest| rest.strip_prefix('/')).unwrap_or(full).to_owned()
}

pub fn a_commit_and_a_return_that_were_cut_short_go_on_where_they_were(ground: &impl Ground) {
    block_on(async {
        let mut sites = begin(ground).await;
        ground.play("w A/vm orders 64K\n@ A/vm s2\nw A/vm more 32K\n@ A/vm s3");
        sites.brings("A/vm", ("s1", "s3"), &format!("B/{REPLICA}")).await;
        // The newest checkpoint was no good, so the one before it is what runs now.
        sites.runs("B", "s2").await;
        let (old, clone) = (sites.look(&format!("B/{REPLICA}")).await, sites.look(&format!("B/{RUN}")).await);
        let at = "2026-11-28T20:00:00Z".parse().unwrap();
        let plan = commit(&old, &clone, &sites.layout("B"), 1, at).unwrap();
        let Rest::Kept { replica: kept, newer } = &plan.rest else { panic!("{plan:?}") };
        assert_eq!(newer.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["s3"]);
        // Cut short after each of its parts.
        sites.zfs.promote(&clone.name).await.unwrap();
        sites.nothing_is_gone().await;
        direction::commit(&sites.zfs, &plan, GROUP).await.unwrap();
        let kept = ground_name(ground, kept.to.as_str());
        assert!(sites.files(&format!("{kept}@s3")).contains_key("more"), "what was newer is kept");
        assert_eq!(sites.look(&kept).await.role, Some(Role::Keep));
        sites.nothing_is_gone().await;

        ground.play(&format!("w B/{LIVE} at-b 64K\n@ B/{LIVE} f1"));
        let name = dataset(ground, "A/vm");
        let mounted = comes_back(
            &sites.look("A/vm").await,
            &sites.look(&format!("B/{LIVE}")).await,
            &sites.layout("A"),
            at,
        );
        assert!(mounted.is_err(), "nobody turns round what is mounted");
        sites.zfs.unmount(&name).await.unwrap();
        let (old, live) = (sites.look("A/vm").await, sites.look(&format!("B/{LIVE}")).await);
        let plan = comes_back(&old, &live, &sites.layout("A"), at).unwrap();
        let Return::Aside { base, kept, diverged, replica: place, .. } = &plan else { panic!("{plan:?}") };
        assert_eq!(base.as_str(), "s2", "the newest one of both");
        // Cut short with its last snapshot taken, then with the clone made and not promoted.
        let last = snapshot(ground, &format!("A/vm@{diverged}"));
        sites.zfs.ensure_snapshots(GROUP, std::slice::from_ref(&last), &[]).await.unwrap();
        sites.zfs.create_parents(&kept.to).await.unwrap();
        sites.zfs.rename(&kept.from, &kept.to, kept.guid).await.unwrap();
        sites.zfs.create_parents(place).await.unwrap();
        let off = [Property::new("canmount", "noauto").unwrap()];
        sites.zfs.clone_snapshot(&kept.to.snapshot(base).unwrap(), place, &off).await.unwrap();
        sites.nothing_is_gone().await;
        for _ in 0..2 {
            direction::comes_back(&sites.zfs, &plan, GROUP).await.unwrap();
        }
        let back = sites.look(&format!("A/{REPLICA}")).await;
        assert_eq!((back.origin.as_ref(), back.mounted), (None, false));
        sites.brings(&format!("B/{LIVE}"), ("s2", "f1"), &format!("A/{REPLICA}")).await;
        let kept = ground_name(ground, kept.to.as_str());
        assert!(sites.files(&format!("{kept}@s3")).contains_key("more"));
    });
}
