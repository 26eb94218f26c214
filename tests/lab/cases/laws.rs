//! The laws (`tests/support/laws`) for the job kind `replicate`, on real OpenZFS and, where a process is
//! killed, with the real binary.

use std::sync::Arc;

use serde_json::Value;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::replicate;

use crate::lab;
use crate::laws::{
    self, fail_at_each_step, kill_around_each_event, retry_after_each_failure, run_each_step_twice,
    undo_each_step_twice,
};
use crate::replicated::{self, COLUMNS, Ground, JobRun, Things, kept};
use crate::zerfaux_cli::location;

impl Ground for lab::Scene {
    const SAME_HOSTS: bool = true;

    fn new(later: bool) -> Self {
        let scene = lab::Scene::new(if later { "laws-later" } else { "laws-first" });
        scene.source.play("+ data\nw data one 256K\n@ data by-hand\nw data two 128K");
        scene
    }

    fn write_more(&self) {
        self.source.play("w data three 64K");
    }

    fn locations(&self) -> (Value, Value) {
        (location(&self.source, "root", "data"), location(&self.target, "root", "backup/data"))
    }

    fn seen(&self) -> (Things, Things) {
        (seen(&self.source), seen(&self.target))
    }
}

type Replication = replicated::Replication<lab::Scene>;

/// Everything below a side's root.
fn seen(side: &lab::Side) -> Things {
    let root = side.name(".");
    let text = side.host.root(&format!(
        "zfs list -Hpr -t filesystem,volume,snapshot,bookmark -o {COLUMNS} {root}
         echo ==
         zfs get -Hpr -s local -t filesystem,snapshot -o name,property,value zerfaux:group,zerfaux:role {root}
         echo ==
         zfs list -Hpr -t snapshot -o name,userrefs {root} | awk -F'\\t' '$2 > 0 {{ print $1 }}' |
           tr '\\n' '\\0' | xargs -0r zfs holds -H | cut -f1,2"
    ));
    let mut parts = text.split("==\n");
    let (list, marks, holds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    replicated::read(&root, list, marks, holds)
}

async fn the_laws_of_steps(later: bool) {
    let world = Replication::new(later);
    let sample = |offset| crate::sample(17, offset + usize::from(later));
    kept("each step run twice", &run_each_step_twice(&world).await);
    if !later && !crate::is_campaign() {
        eprintln!("the other laws of steps are tried in this world by tests/campaign laws");
        return;
    }
    kept("a failure at each step, taken back", &fail_at_each_step(&world, sample(0)).await);
    kept("a failure at each step, tried again", &retry_after_each_failure(&world, sample(2)).await);
    kept("each undo run twice", &undo_each_step_twice(&world, sample(4)).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_first_replication_keeps_the_laws_of_steps() {
    the_laws_of_steps(false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_later_replication_keeps_the_laws_of_steps() {
    the_laws_of_steps(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_first_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(false), &JobRun, crate::sample(24, 13)).await;
    kept("killed around each event, first run", &report);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_later_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(true), &JobRun, crate::sample(24, 3)).await;
    kept("killed around each event, later run", &report);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_definition_is_sound() {
    let definition = replicate::definition(Arc::new(Hosts::new(None, None)));
    assert_eq!(laws::defects(&definition), Vec::<String>::new());
}
