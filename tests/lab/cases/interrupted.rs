//! `zerfaux replicate` killed or interrupted in mid-stream: what it leaves, and that the next run goes on from there.

use serde_json::Value;

use crate::lab::{Scene, assert_same, wait_until};
use crate::running::Running;
use crate::zerfaux_cli::{command, ended, replicate, zerfaux};

/// As much as these streams carry in all, and where they are interrupted.
const SIZE: u64 = 24 << 20;
const AT: u64 = 12 << 20;

#[test]
#[ignore = "needs the lab: tests/run"]
fn killed_in_mid_stream_the_next_run_sends_only_the_rest() {
    let scene = interrupted_scene("kill");
    let mut run = start(&scene, &[]);
    run.until_carried(AT);
    run.signal("KILL");
    run.wait().expect(-1);
    assert!(scene.target.tags("copy").is_empty(), "nothing half done looks done");

    let run = replicate(&scene, &["--json"]).expect(0);
    assert_only_the_rest_was_sent(&run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_durable_job_killed_in_mid_stream_is_finished_by_job_run() {
    let scene = interrupted_scene("kill-job");
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut run = start(&scene, &["--data-dir", data_dir]);
    run.until_carried(AT);
    run.signal("KILL");
    run.wait().expect(-1);

    let job = |words: &[&str]| {
        ended(zerfaux().arg("job").args(words).args(["--data-dir", data_dir]).output().unwrap())
    };
    job(&["run"]).expect(0).says(&["replicate succeeded"]);
    let jobs = job(&["list", "--json"]).expect(0).json();
    assert_eq!((jobs.len(), &jobs[0]["state"]), (1, &"succeeded".into()), "{jobs:?}");
    assert_only_the_rest_was_sent(&jobs[0]["result"]);
    assert_eq!(scene.source.tags("data").len(), 1, "it did not take a second snapshot");
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn ctrl_c_stops_at_a_point_from_which_the_next_run_goes_on() {
    let scene = interrupted_scene("ctrl-c");
    let mut run = start(&scene, &[]);
    run.until_carried(AT);
    run.signal("INT");
    let stopped = run.wait().expect(130);
    let last = stopped.json().pop().unwrap();
    let ended = (&last["event"], &last["state"]);
    assert_eq!(ended, (&"result".into(), &"cancelled".into()), "{stopped:?}");
    stopped.says(&["Stopped after", "What arrived is kept, and the next run goes on from there"]);
    assert!(scene.target.tags("copy").is_empty());
    // The receive ends by itself once its connection is gone, which on a busy host takes a moment.
    wait_until("what arrived can be gone on from", || scene.target.resume_token("copy").is_some());

    let run = replicate(&scene, &["--json"]).expect(0);
    assert_only_the_rest_was_sent(&run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn an_increment_is_resumed_too_and_ctrl_c_is_answered_in_words() {
    let scene = Scene::new("ctrl-c-inc");
    scene.source.play("+ data\nw data one 256K");
    replicate(&scene, &[]).expect(0);
    scene.source.play(&format!("w data two {SIZE}"));
    let slowly = ["--bwlimit", "1M", "--log", "off"];
    let run = Running::start(command(&scene, "root", ("data", "copy"), &slowly));
    // The first token shows before anything was written, and a receive that wrote nothing leaves none behind.
    let token = || scene.target.resume_token("copy");
    wait_until("the increment has begun", || token().is_some());
    let first = token();
    wait_until("some of the increment was written", || token() != first);
    run.signal("INT");
    let stopped = run.wait().expect(130);
    assert!(stopped.stdout.is_empty(), "a result would mean success: {stopped:?}");
    stopped.says(&["Stopping. Press Ctrl-C again to leave at once.", "zerfaux: Stopped after"]);

    let run = replicate(&scene, &["--json"]).expect(0);
    assert_eq!(run.result()["resumed"], 1, "{}", run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

fn interrupted_scene(case: &str) -> Scene {
    let scene = Scene::new(case);
    scene.source.play(&format!("+ data\nw data big {SIZE}"));
    scene
}

/// So slowly that it can be interrupted.
fn start(scene: &Scene, options: &[&str]) -> Running {
    let options = [&["--json", "--bwlimit", "3M"], options].concat();
    Running::start(command(scene, "root", ("data", "copy"), &options))
}

#[track_caller]
fn assert_only_the_rest_was_sent(result: &Value) {
    assert_eq!(result["resumed"], 1, "{result}");
    let bytes = result["bytes"].as_u64().unwrap();
    assert!(bytes < SIZE - (8 << 20), "{bytes} were sent again of {SIZE}");
}
