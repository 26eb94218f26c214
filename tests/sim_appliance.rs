//! The simulated appliance as others use it: its faults, its command line, and the demo on top of it.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use appliances::Sim;
use serde_json::Value;
use zerfaux::domain::argv::Argv;
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::exit::Exit;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, FaultRule};
use zerfaux::ssh::{ConnectError, ConnectOptions, ExecError, Identity, KeyPair, Link, PinnedFingerprint};

const MINUTE: Duration = Duration::from_secs(60);

fn link(appliance: &Appliance, user: &str, key: KeyPair) -> Link {
    let address = appliance.address();
    let endpoint = Endpoint::new(user, &address.ip().to_string(), address.port()).unwrap();
    let host_key = PinnedFingerprint::new(&appliance.host_key_fingerprint());
    Link::new(endpoint, ConnectOptions::new(vec![Identity::Key(key)], Arc::new(host_key)))
}

fn root(appliance: &Appliance) -> Link {
    link(appliance, "root", KeyPair::generate().unwrap())
}

fn words(words: &[&str]) -> Argv {
    Argv::new(words.iter().copied()).unwrap()
}

fn rule(command: &str) -> FaultRule {
    FaultRule { command: command.to_owned(), ..FaultRule::default() }
}

#[tokio::test]
async fn words_arrive_as_they_were_meant_whatever_is_in_them() {
    let sim = Sim::new("tank");
    let link = root(&sim);
    let hostile =
        words(&["printf", "%s|", "a b", "$(reboot)", "it's", "", "\n", "-n", "é*?", "\\", "\"", "a;b", "#"]);
    let output = link.exec(&hostile, None, MINUTE).await.unwrap();
    assert_eq!(output.stdout_text(), "a b|$(reboot)|it's||\n|-n|é*?|\\|\"|a;b|#|");
    let output = link
        .exec(&words(&["sh", "-c", "cat; echo oops >&2; exit 7"]), Some(b"in\0put"), MINUTE)
        .await
        .unwrap();
    assert_eq!(
        (output.exit, &output.stdout[..], output.stderr.as_slice()),
        (Exit::Code(7), &b"in\0put"[..], &b"oops\n"[..])
    );
    let missing = link.exec(&words(&["no-such-program"]), None, MINUTE).await.unwrap();
    assert_eq!(
        (missing.exit.clone(), missing.stderr_text().contains("command not found")),
        (Exit::Code(127), true)
    );
}

#[test]
fn the_shell_knows_lists_conditions_loops_and_substitution() {
    let sim = Sim::new("tank");
    for (script, said) in [
        ("a='x y'; for i in $a \"$a\"; do echo \"<$i>\"; done", "<x>\n<y>\n<x y>\n"),
        (
            "if [ -n \"$nothing\" ]; then echo yes; elif false; then echo no; else echo neither; fi",
            "neither\n",
        ),
        ("false && echo no || echo \"${nothing:-other} $(echo in; echo side)\"", "other in\nside\n"),
        ("{ echo one; echo two >&2; } 2>/dev/null | wc -l", "1\n"),
        ("echo 'a\nb' > /tmp/x; cat /tmp/x | sort; ! true; echo $?", "a\nb\n1\n"),
        ("sh -c 'echo $0 $1' name value; exit 0; echo never", "name value\n"),
        ("command -v zfs no; echo \"$(id -un)@$(hostname)\"", "/usr/sbin/zfs\nroot@appliance\n"),
    ] {
        let ran = sim.run(script);
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), said, "{script}: {}", ran.stderr);
    }
    let wrong = sim.run("echo 'never ends");
    assert_eq!(
        (wrong.status, wrong.stderr.as_str()),
        (2, "bash: 1: Syntax error: Unterminated quoted string\n")
    );
}

#[tokio::test]
async fn a_command_can_be_made_to_fail_so_often_and_after_so_many() {
    let sim = Sim::new("tank");
    let link = root(&sim);
    sim.add_fault(FaultRule {
        exit: Some(9),
        stderr: "no luck".into(),
        skip: 1,
        count: Some(1),
        ..rule("zfs list*tank")
    });
    let list = words(&["env", "LC_ALL=C", "zfs", "list", "-H", "-o", "name", "tank"]);
    let mut exits = Vec::new();
    for _ in 0..3 {
        exits.push(link.exec(&list, None, MINUTE).await.unwrap().exit);
    }
    assert_eq!(exits, [Exit::Code(0), Exit::Code(9), Exit::Code(0)]);
    assert_eq!(sim.faults_struck(), 1);
    sim.clear_faults();
    sim.add_fault(FaultRule { exit: Some(1), stderr: "no luck".into(), ..rule("zpool") });
    let output = link.exec(&words(&["zpool", "list"]), None, MINUTE).await.unwrap();
    assert_eq!(output.stderr_text(), "no luck");
    assert!(link.exec(&list, None, MINUTE).await.unwrap().exit.is_success(), "other commands are let alone");
}

#[tokio::test]
async fn a_delay_and_a_latency_take_their_time() {
    let sim =
        Sim::with(ApplianceOptions { latency: Duration::from_millis(60), ..ApplianceOptions::default() });
    let link = root(&sim);
    link.connect().await.unwrap();
    sim.add_fault(FaultRule { delay_ms: 150, count: Some(1), ..rule("zfs version") });
    for least in [210, 60] {
        let begun = Instant::now();
        assert!(link.exec(&words(&["zfs", "version"]), None, MINUTE).await.unwrap().exit.is_success());
        assert!(begun.elapsed() >= Duration::from_millis(least), "{:?} < {least} ms", begun.elapsed());
    }
}

#[tokio::test]
async fn output_and_input_can_be_cut_and_the_connection_with_them() {
    let sim = Sim::new("tank");
    sim.root("zfs create tank/a");
    sim.fill("tank/a", "f", 1 << 20, 1);
    sim.root("zfs snapshot tank/a@s");
    let link = root(&sim);
    sim.add_fault(FaultRule { cut_stdout: Some(100_000), count: Some(1), ..rule("zfs send") });
    let lost = link.exec(&words(&["zfs", "send", "tank/a@s"]), None, MINUTE).await.unwrap_err();
    assert!(matches!(lost, ExecError::Lost { .. }) && lost.is_transient(), "{lost}");

    let stream = link.exec(&words(&["zfs", "send", "tank/a@s"]), None, MINUTE).await.unwrap().stdout;
    assert!(stream.len() > 1 << 20, "the next one is whole");
    sim.add_fault(FaultRule { cut_stdin: Some(500_000), count: Some(1), ..rule("zfs receive") });
    let receive = words(&["zfs", "receive", "-s", "-u", "tank/b"]);
    let lost = link.exec(&receive, Some(&stream), MINUTE).await.unwrap_err();
    assert!(matches!(lost, ExecError::Lost { .. }), "{lost}");
    // The receive itself ends a moment later.
    let deadline = Instant::now() + MINUTE;
    while sim.root("zfs get -H -o value receive_resume_token tank/b") == "-\n" {
        assert!(Instant::now() < deadline, "what arrived is kept");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sim.faults_struck(), 2);
}

#[tokio::test]
async fn connections_can_be_refused_and_broken() {
    let sim = Sim::new("tank");
    sim.add_fault(FaultRule { refuse_connection: true, count: Some(1), ..FaultRule::default() });
    let link = root(&sim);
    let error = link.connect().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    link.connect().await.unwrap();
    let (waiting, link) = (link.clone(), link);
    let sleeper = tokio::spawn(async move { waiting.exec(&words(&["sleep", "1000"]), None, MINUTE).await });
    while !sim.commands().iter().any(|line| line == "sleep 1000") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sim.break_connections();
    assert!(matches!(sleeper.await.unwrap(), Err(ExecError::Lost { .. })));
    assert!(
        link.exec(&words(&["true"]), None, MINUTE).await.unwrap().exit.is_success(),
        "a new one is opened"
    );
}

#[tokio::test]
async fn only_authorised_keys_log_in_and_sudo_can_be_withheld() {
    let key = KeyPair::generate().unwrap();
    let options = ApplianceOptions {
        authorized_keys: Some(format!("# of the tests\n{}\n", key.public_key())),
        sudo: false,
        ..ApplianceOptions::default()
    };
    let sim = Sim::with(options);
    let error = link(&sim, "root", KeyPair::generate().unwrap()).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::KeyRejected { .. }), "{error}");
    let output = link(&sim, "zfsadmin", key)
        .exec(&words(&["sudo", "-n", "zfs", "version"]), None, MINUTE)
        .await
        .unwrap();
    assert_eq!(
        (output.exit.clone(), output.stderr_text()),
        (Exit::Code(1), "sudo: a password is required".to_owned())
    );
    let bad = Appliance::start(ApplianceOptions {
        authorized_keys: Some("nonsense".into()),
        ..ApplianceOptions::default()
    });
    assert!(bad.unwrap_err().to_string().contains("nonsense"));
}

#[test]
fn a_raw_stream_holds_nothing_that_can_be_read() {
    let sim = Sim::new("tank");
    sim.root("printf correct-horse | zfs create -o encryption=on -o keyformat=passphrase tank/secret");
    let text = b"the merger is on Friday. ".repeat(1000);
    sim.write("tank/secret", "plan", &text).unwrap();
    sim.root("zfs snapshot tank/secret@s");
    let holds = |bytes: &[u8]| bytes.windows(25).any(|window| window == b"the merger is on Friday. ");
    assert!(holds(&sim.run("zfs send tank/secret@s").stdout));
    let raw = sim.run("zfs send -w tank/secret@s").stdout;
    assert!(raw.len() > text.len() && !holds(&raw));
}

/// A process whose lines are read as they come, ended if the test ends first.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerfaux"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.env_remove("ZERFAUX_DATA_DIR").spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended: {:?}", self.child.wait());
        line.trim_end().to_owned()
    }

    fn interrupt(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_command_line_starts_one_says_where_and_takes_faults() {
    let directory = tempfile::tempdir().unwrap();
    let (key, keys) = (KeyPair::generate().unwrap(), directory.path().join("authorized_keys"));
    std::fs::write(&keys, key.public_key()).unwrap();
    let mut process = Process::start(&[
        "sim",
        "appliance",
        "--listen",
        "127.0.0.1:0",
        "--authorized-key",
        keys.to_str().unwrap(),
        "--pool",
        "first",
        "--pool",
        "second",
        "--disk",
        "DISK1:500G",
        "--fault",
        r#"{"command": "zfs version", "exit": 5, "count": 1}"#,
    ]);
    let line = process.line();
    let said =
        line.strip_prefix("zerfaux sim: appliance listening on ssh://").unwrap_or_else(|| panic!("{line}"));
    let (address, host_key) = said.split_once(" hostkey ").unwrap();
    assert!(host_key.starts_with("SHA256:"), "{line}");
    let (host, port) = address.rsplit_once(':').unwrap();
    let endpoint = Endpoint::new("admin", host, port.parse().unwrap()).unwrap();
    let options = ConnectOptions::new(vec![Identity::Key(key)], Arc::new(PinnedFingerprint::new(host_key)));
    let link = Link::new(endpoint, options);
    let version = words(&["/usr/sbin/zfs", "version"]);
    assert_eq!(link.exec(&version, None, MINUTE).await.unwrap().exit, Exit::Code(5));
    assert!(link.exec(&version, None, MINUTE).await.unwrap().stdout_text().starts_with("zfs-2.3"));
    let pools =
        link.exec(&words(&["/usr/sbin/zpool", "list", "-H", "-o", "name"]), None, MINUTE).await.unwrap();
    assert_eq!(pools.stdout_text(), "first\nsecond\n");
    let disks = link.exec(&words(&["lsblk", "-dnro", "SERIAL"]), None, MINUTE).await.unwrap();
    assert!(disks.stdout_text().ends_with("DISK1\n"), "{}", disks.stdout_text());
    assert_eq!(process.interrupt(), Some(0));
}

#[test]
fn every_fault_rule_is_used_by_a_test() {
    let Value::Object(fields) = serde_json::to_value(FaultRule::default()).unwrap() else {
        panic!("no object")
    };
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let tests = ["sim_appliance.rs", "sim_direct.rs", "sim_replicate.rs", "sim_tools.rs"];
    let text: String =
        tests.iter().map(|name| std::fs::read_to_string(directory.join(name)).unwrap()).collect();
    for field in fields.keys().chain([&"latency".to_owned()]) {
        assert!(text.contains(&format!("{field}: ")), "no test breaks anything by {field}");
    }
}

#[test]
fn a_wrong_fault_or_key_file_is_wrong_usage() {
    for arguments in [
        ["--fault", r#"{"comand": "zfs"}"#],
        ["--authorized-key", "/no/such/file"],
        ["--disk", "DISK1"],
        ["--disk", "DISK1:12"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerfaux"));
        let output = command.args(["sim", "appliance"]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr)
                .contains(arguments[1].trim_matches(['{', '}']).split(':').next().unwrap().trim_matches('"'))
        );
    }
}

#[test]
fn the_demo_replicates_on_schedule_until_it_is_interrupted() {
    let mut demo = Process::start(&["demo", "--json", "--every", "1"]);
    let mut next = || serde_json::from_str::<Value>(&demo.line()).unwrap();
    let started = next();
    assert_eq!((&started["event"], &started["simulated"]), (&Value::from("started"), &Value::from(true)));
    for run in 1..=2 {
        let line = next();
        assert_eq!(
            (&line["event"], &line["run"], &line["state"]),
            (&"run".into(), &run.into(), &"succeeded".into()),
            "{line}"
        );
        assert!(line["result"]["bytes"].as_u64().unwrap() > 0, "the company works: {line}");
        assert!(line["snapshots_at_destination"].as_u64().unwrap() >= run);
    }
    assert_eq!(demo.interrupt(), Some(0));
    let rest: Vec<String> = std::io::BufRead::lines(&mut demo.lines).map(Result::unwrap).collect();
    assert!(rest.last().unwrap().contains("\"event\":\"ended\""), "{rest:?}");
}

#[test]
fn the_drill_is_true_in_every_fact_and_says_so_by_its_exit_status() {
    let output = Command::new(env!("CARGO_BIN_EXE_zerfaux"))
        .args(["demo", "--drill", "--json"])
        .env_remove("ZERFAUX_DATA_DIR")
        .output()
        .unwrap();
    let told: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let scenes: Vec<&str> = told.iter().filter_map(|one| one["scene"].as_str()).collect();
    assert_eq!(
        scenes,
        [
            "connect",
            "sync",
            "appliances",
            "deploy",
            "datastore",
            "replicate",
            "replicate again",
            "protect",
            "DR shells",
            "test failover",
            "failover",
            "rollback"
        ]
    );
    let wrong: Vec<&Value> = told
        .iter()
        .filter_map(|one| one["facts"].as_array())
        .flatten()
        .filter(|fact| fact["right"] != true)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let end = told.last().unwrap();
    assert_eq!((&end["success"], end["facts"].as_u64().unwrap() > 50), (&Value::from(true), true), "{end}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_demo_says_how_to_sign_in_and_the_simulated_sites_can_be_left_out() {
    let mut demo = Process::start(&["demo", "--json", "--every", "60"]);
    let started: Value = serde_json::from_str(&demo.line()).unwrap();
    assert!(started["address"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{started}");
    assert!(started["username"] == "admin" && started["password"].as_str().unwrap().len() >= 12, "{started}");
    assert_eq!(started["vcenters"], serde_json::json!(["vc-berlin", "vc-potsdam"]));
    assert_eq!(demo.interrupt(), Some(0));
    let output = Command::new("timeout")
        .args(["-s", "INT", "3", env!("CARGO_BIN_EXE_zerfaux"), "demo", "--json"])
        .env("ZERFAUX_USE_STUBS", "false")
        .output()
        .unwrap();
    let first = String::from_utf8(output.stdout).unwrap();
    let started: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!((&started["simulated"], &started["vcenters"]), (&false.into(), &serde_json::json!([])));
}
