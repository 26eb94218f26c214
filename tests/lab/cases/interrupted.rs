//! `zerfaux replicate` killed or interrupted in mid-stream: what it leaves, and that the next run goes on from there.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::lab::{Scene, assert_same, wait_until};
use crate::zerfaux_cli::{command, ended, replicate, start_replicating, zerfaux};

/// As much as these streams carry in all.
const SIZE: u64 = 30 << 20;
/// So slowly that there is time to interrupt them.
const SLOWLY: [&str; 2] = ["--bwlimit", "2M"];

#[test]
#[ignore = "needs the lab: tests/run"]
fn killed_in_mid_stream_the_next_run_sends_only_the_rest() {
    let scene = interrupted_scene("kill");
    let child = start_replicating(&scene, &SLOWLY);
    kill_when_much_has_arrived(&scene, child);
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
    let child = start_replicating(&scene, &[&SLOWLY[..], &["--data-dir", data_dir]].concat());
    kill_when_much_has_arrived(&scene, child);

    let job = |words: &[&str]| {
        ended(zerfaux().arg("job").args(words).args(["--data-dir", data_dir]).output().unwrap())
    };
    job(&["run"]).expect(0).says(&["replicate succeeded"]);
    let jobs = job(&["list", "--json"]).expect(0).json();
    assert_eq!((jobs.len(), &jobs[0]["state"]), (1, &"succeeded".into()), "{jobs:?}");
    assert_only_the_rest_was_sent(&jobs[0]["result"]);
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn ctrl_c_stops_at_a_point_from_which_the_next_run_goes_on() {
    let scene = interrupted_scene("ctrl-c");
    let child = start_replicating(&scene, &SLOWLY);
    wait_until("8 MiB have arrived", || arrived(&scene) > 8 << 20);
    signal(&child, "-INT");
    let stopped = ended(child.wait_with_output().unwrap()).expect(130);
    stopped.says(&[
        "Stopping.",
        "Stopped after",
        "What arrived is kept, and the next run goes on from there",
    ]);
    assert!(scene.target.resume_token("copy").is_some());
    assert!(scene.target.tags("copy").is_empty());

    let run = replicate(&scene, &["--json"]).expect(0);
    assert_only_the_rest_was_sent(&run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn an_interrupted_increment_goes_on_too() {
    let scene = Scene::new("ctrl-c-inc");
    scene.source.play("+ data\nw data one 256K");
    replicate(&scene, &[]).expect(0);
    scene.source.play(&format!("w data two {SIZE}"));
    let mut command = command(&scene, "root", ("data", "copy"), &SLOWLY);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the increment is under way", || scene.target.resume_token("copy").is_some());
    signal(&child, "-INT");
    ended(child.wait_with_output().unwrap()).expect(130);
    let run = replicate(&scene, &["--json"]).expect(0);
    assert_eq!(run.result()["resumed"], 1, "{}", run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

fn interrupted_scene(case: &str) -> Scene {
    let scene = Scene::new(case);
    scene.source.play(&format!("+ data\nw data big {SIZE}"));
    scene
}

/// Bytes that the unfinished replica occupies by now.
fn arrived(scene: &Scene) -> u64 {
    let answer =
        scene.target.host.try_as("root", &format!("zfs get -Hp -o value used {}", scene.target.name("copy")));
    String::from_utf8_lossy(&answer.stdout).trim().parse().unwrap_or(0)
}

fn kill_when_much_has_arrived(scene: &Scene, child: Child) {
    wait_until("8 MiB have arrived", || arrived(scene) > 8 << 20);
    signal(&child, "-KILL");
    let killed = ended(child.wait_with_output().unwrap());
    assert_eq!(killed.status, -1, "it was to be killed before its end: {killed:?}");
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap().success());
}

fn assert_only_the_rest_was_sent(result: &Value) {
    assert_eq!(result["resumed"], 1, "{result}");
    let bytes = result["bytes"].as_u64().unwrap();
    assert!(bytes < SIZE - (7 << 20), "{bytes} were sent again of {SIZE}");
}
