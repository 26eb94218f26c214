//! The command line, as somebody meets it who types something wrong, or has nothing set up yet.
//!
//! Needs no ZFS and no host: what is refused is refused before anything is reached.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/sshd.rs"]
#[allow(dead_code)] // what this binary does not use
mod sshd;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use assert_cmd::assert::{Assert, OutputAssertExt};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use zerfaux::store::Store;

/// The program in an environment of its own: an empty home, no agent, no settings.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerfaux"));
        command.args(arguments).env_clear().env("HOME", self.0.path()).env("PATH", "/nowhere");
        command.current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Assert {
        self.command(arguments).assert()
    }

    /// Wrong usage: status 2, nothing on stdout, and a message that holds each of these.
    #[track_caller]
    fn wrong(&self, arguments: &[&str], says: &[&str]) {
        let mut assert = self.run(arguments).code(2).stdout("");
        for said in says {
            assert = assert.stderr(contains(*said));
        }
    }

    /// A private key, for what is only looked at after there is one.
    fn key(&self) -> String {
        let key = self.path("key");
        if !Path::new(&key).exists() {
            let text = zerfaux::ssh::KeyPair::generate().unwrap();
            fs::write(&key, text.to_openssh().unwrap().as_str()).unwrap();
        }
        key
    }

    /// A `zfs` that says this and fails.
    fn failing_zfs(&self, says: &str) -> String {
        let bin = self.0.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let script = bin.join("zfs");
        fs::write(&script, format!("#!/bin/sh\necho '{says}' >&2\nexit 1\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:/usr/bin:/bin", bin.display())
    }
}

fn json_of(assert: &Assert) -> Value {
    serde_json::from_slice(&assert.get_output().stdout).unwrap()
}

#[test]
fn help_names_every_command_and_every_option_of_each() {
    let desk = Desk::new();
    for command in ["replicate", "job", "backup", "restore", "demo", "sim", "version"] {
        desk.run(&["--help"]).success().stdout(contains(format!("  {command} ")));
        desk.run(&[command, "--help"]).success().stdout(contains("Usage: zerfaux")).stderr("");
    }
    let mut help = desk.run(&["replicate", "--help"]).success();
    for option in [
        "--identity",
        "--known-hosts",
        "--accept-new-host-keys",
        "--replication-address",
        "--transport",
        "--bwlimit",
        "--recursive",
        "--no-snapshot",
        "--only-newest",
        "--keep-source",
        "--keep-destination",
        "--on-conflict",
        "--dry-run",
        "--json",
        "--data-dir",
        "--config",
        "--log-format",
        "--log",
        "ZERFAUX_IDENTITY_PASSPHRASE",
        "Exit status",
        "Examples",
    ] {
        help = help.stdout(contains(option));
    }
    let mut help = desk.run(&["job", "--help"]).success();
    for verb in ["list", "show", "run", "retry", "cancel", "cleanup"] {
        help = help.stdout(contains(format!("  {verb} ")));
    }
    desk.run(&["job", "retry", "--help"]).success().stdout(contains("<ID>"));
}

#[test]
fn the_version_is_the_packages() {
    let desk = Desk::new();
    let version = env!("CARGO_PKG_VERSION");
    desk.run(&["version"]).success().stdout(format!("zerfaux {version}\n"));
    desk.run(&["--version"]).success().stdout(format!("zerfaux {version}\n"));
    let found = json_of(&desk.run(&["version", "--json"]).success());
    assert_eq!(found, serde_json::json!({ "name": "zerfaux", "version": version }));
}

#[test]
fn wrong_usage_is_named() {
    let desk = Desk::new();
    desk.wrong(&[], &["Usage: zerfaux"]);
    desk.wrong(&["replicat"], &["replicat", "replicate"]);
    desk.wrong(&["replicate"], &["<SRC>", "<DST>"]);
    desk.wrong(&["replicate", "tank/a"], &["<DST>"]);
    desk.wrong(&["replicate", "--recurse", "tank/a", "tank/b"], &["--recurse", "--recursive"]);
    desk.wrong(&["job"], &["list", "retry"]);
    desk.wrong(&["job", "show", "seven"], &["seven"]);
    desk.wrong(&["backup"], &["<FILE>"]);
    desk.wrong(&["restore"], &["<FILE>"]);
    desk.wrong(&["--log-format", "xml", "version"], &["xml", "text", "json"]);
    desk.wrong(&["--config", "missing.toml", "version"], &["missing.toml"]);
}

#[test]
fn a_location_that_cannot_be_is_refused_with_the_forms_that_can() {
    let desk = Desk::new();
    let key = desk.key();
    for (location, says) in [
        ("tank/a@today", "tank/a@today"),
        ("tank//a", "tank//a"),
        ("/tank/a", "/tank/a"),
        ("tank/a b;reboot", "tank/a b;reboot"),
        ("-tank", "tank"),
        ("", "empty"),
        ("ssh://root@nas", "names no dataset"),
        ("ssh://root@nas:99999/tank", "99999"),
        ("root@nas:", "empty"),
        ("root@:tank/a", "host"),
        ("-oProxyCommand=x@nas:tank", "-oProxyCommand"),
    ] {
        for (source, destination) in [(location, "tank/b"), ("tank/b", location)] {
            desk.wrong(
                &["replicate", "--identity", &key, "--", source, destination],
                &[says, "ssh://user@host[:port]/pool/dataset", "pool/dataset for this host"],
            );
        }
    }
}

#[test]
fn a_policy_a_rate_or_a_choice_that_cannot_be_is_refused_with_what_can() {
    let desk = Desk::new();
    for (option, value, says) in [
        ("--keep-source", "dayly=7", &["dayly", "did you mean \"daily\"", "monthly"][..]),
        ("--keep-source", "7", &["rule=number", "daily=7"]),
        ("--keep-destination", "last=-1", &["last", "-1"]),
        ("--keep-destination", "last=0", &["all"]),
        ("--keep-destination", "last=1,last=2", &["twice"]),
        ("--keep-destination", "", &["empty part"]),
        ("--bwlimit", "fast", &["fast", "10M"]),
        ("--bwlimit", "0", &["0"]),
        ("--bwlimit", "10 parsecs", &["parsecs"]),
        ("--on-conflict", "overwrite", &["stop", "keep-and-continue", "keep-and-seed"]),
        ("--transport", "pigeon", &["auto", "relay", "direct"]),
    ] {
        desk.wrong(&["replicate", option, value, "tank/a", "tank/b"], &[&[option], says].concat());
    }
}

#[test]
fn a_transport_that_cannot_be_is_refused_before_anything_is_reached() {
    let desk = Desk::new();
    desk.wrong(
        &["replicate", "--identity", "key", "--transport", "direct", "tank/a", "root@nas:tank/b"],
        &["between two hosts that are reached over SSH", "Leave --transport out"],
    );
    desk.wrong(
        &[
            "replicate",
            "--transport",
            "relay",
            "--replication-address",
            "10.0.0.2",
            "tank/a",
            "root@nas:tank/b",
        ],
        &["--replication-address", "relay was asked for"],
    );
    desk.wrong(
        &["replicate", "--replication-address", "root@10.0.0.2", "tank/a", "root@nas:tank/b"],
        &["--replication-address", "is not a host name or address"],
    );
}

#[test]
fn without_a_key_it_says_how_to_name_one() {
    let desk = Desk::new();
    desk.wrong(&["replicate", "tank/a", "root@nas:tank/b"], &["no SSH key", "--identity", "ssh-agent"]);
    let missing = desk.path("no-such-key");
    let run = desk.run(&["replicate", "--identity", &missing, "root@127.0.0.1:tank/a", "tank/b"]);
    run.code(1).stderr(contains("no-such-key")).stderr(contains("--identity"));
}

#[test]
fn a_host_where_nothing_listens_is_named_with_its_port() {
    let desk = Desk::new();
    let run = desk.run(&[
        "replicate",
        "--dry-run",
        "--identity",
        &desk.key(),
        "ssh://root@127.0.0.1:1/tank/a",
        "ssh://root@127.0.0.1:1/tank/b",
    ]);
    run.code(1).stdout("").stderr(contains("root@127.0.0.1:1")).stderr(contains("refused"));
}

#[test]
fn an_unknown_host_is_refused_with_its_fingerprint_and_the_option_that_accepts_it() {
    let Some(sshd) = sshd::Sshd::start() else { return };
    let desk = Desk::new();
    let from = format!("ssh://{}@127.0.0.1:{}/no-such-pool/a", sshd::user(), sshd.endpoint().port);
    let (key, known) = (desk.key(), desk.path("known_hosts"));
    let arguments =
        ["replicate", "--dry-run", "--identity", &key, "--known-hosts", &known, &from, "no-such-pool/b"];
    let run = desk.run(&arguments).code(1).stdout("");
    run.stderr(contains(sshd.host_key("ed25519").fingerprint())).stderr(contains("--accept-new-host-keys"));
    assert!(!Path::new(&known).exists(), "nothing was added");
    assert!(!sshd.log().contains("publickey"), "nobody logged in");
}

#[test]
fn a_machine_without_zfs_says_so() {
    let desk = Desk::new();
    if ["/usr/sbin/zfs", "/sbin/zfs", "/usr/local/sbin/zfs"].iter().any(|zfs| Path::new(zfs).exists()) {
        eprintln!("SKIPPED: this machine has ZFS");
        return;
    }
    let mut command = desk.command(&["replicate", "--dry-run", "tank/a", "tank/b"]);
    command.env("PATH", "/usr/bin:/bin").assert().code(1).stdout("").stderr(contains("zfs"));
}

#[test]
fn what_a_local_zfs_complains_about_is_passed_on() {
    let desk = Desk::new();
    let path = desk.failing_zfs("The ZFS modules cannot be auto-loaded.");
    let mut command = desk.command(&["replicate", "--dry-run", "tank/a", "tank/b"]);
    command.env("PATH", path).assert().code(1).stdout("").stderr(contains("zfs").or(contains("ZFS")));
}

#[test]
fn an_empty_data_directory_has_no_jobs_and_is_private() {
    let desk = Desk::new();
    let data = desk.path("data");
    desk.run(&["job", "list", "--data-dir", &data]).success().stdout("There are no jobs yet.\n");
    desk.run(&["job", "list", "--json", "--data-dir", &data]).success().stdout("");
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&format!("{data}/zerfaux.db"))), (0o700, 0o600));
    let id = "01937c5e-0000-7000-8000-0000c0ffee00";
    for verb in ["show", "retry", "cancel", "cleanup"] {
        desk.run(&["job", verb, id, "--data-dir", &data]).code(1).stdout("").stderr(contains(id));
    }
    desk.run(&["job", "run", "--data-dir", &data]).success().stdout("");
}

#[test]
fn the_environment_names_the_data_directory_and_the_command_line_wins() {
    let desk = Desk::new();
    let (one, two) = (desk.path("one"), desk.path("two"));
    desk.command(&["job", "list"]).env("ZERFAUX_DATA_DIR", &one).assert().success();
    assert!(Path::new(&one).join("zerfaux.db").exists());
    desk.command(&["job", "list", "--data-dir", &two]).env("ZERFAUX_DATA_DIR", &one).assert().success();
    assert!(Path::new(&two).join("zerfaux.db").exists());
}

#[test]
fn a_replication_that_failed_stays_in_the_data_directory_and_can_be_tried_again() {
    let desk = Desk::new();
    let (data, key) = (desk.path("data"), desk.key());
    let (from, to) = ("ssh://root@127.0.0.1:1/tank/a", "ssh://root@127.0.0.1:1/tank/b");
    let run = desk.run(&["replicate", "--json", "--data-dir", &data, "--identity", &key, from, to]).code(1);
    let output = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    let last: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["state"].as_str()), (Some("result"), Some("failed")));
    assert_eq!(last["failed_phase"], "look");
    let list = json_of(&desk.run(&["job", "list", "--json", "--data-dir", &data]).success());
    let id = list["id"].as_str().unwrap();
    let show = desk.run(&["job", "show", id, "--data-dir", &data]).success();
    show.stdout(contains("failed in look")).stdout(contains("refused"));
    desk.run(&["job", "retry", id, "--data-dir", &data]).code(1).stdout(contains("failed in look"));
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let desk = Desk::new();
    let data = desk.path("data");
    desk.run(&["job", "list", "--data-dir", &data]).success();
    let database = rusqlite::Connection::open(format!("{data}/zerfaux.db")).unwrap();
    database
        .execute("INSERT INTO refinery_schema_history VALUES (999, 'later', '2030-01-01', '1')", [])
        .unwrap();
    drop(database);
    for command in [&["job", "list"][..], &["replicate", "tank/a", "tank/b"]] {
        let run = desk.run(&[command, &["--data-dir", &data]].concat()).code(3).stdout("");
        run.stderr(contains("schema version 999")).stderr(contains("Use the version of Zerfaux"));
    }
}

#[test]
fn a_data_directory_that_another_process_holds_is_refused_with_its_number() {
    let desk = Desk::new();
    let data = desk.path("data");
    let store = Store::open(Path::new(&data)).unwrap();
    let run = desk.run(&["job", "list", "--data-dir", &data]).code(1).stdout("");
    run.stderr(contains(format!("in use by process {}", std::process::id()))).stderr(contains("Stop that"));
    drop(store);
}

#[test]
fn a_key_file_that_others_can_read_or_that_is_none_is_refused() {
    let desk = Desk::new();
    let data = desk.path("data");
    desk.run(&["job", "list", "--data-dir", &data]).success();
    let key = Path::new(&data).join("zerfaux.key");
    fs::write(&key, "mine").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    desk.run(&["job", "list", "--data-dir", &data]).code(1).stderr(contains("mode 0644"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    desk.run(&["job", "list", "--data-dir", &data]).code(1).stderr(contains("line 1 of the key file"));
}

#[test]
fn a_backup_is_made_beside_a_running_process_restored_elsewhere_and_never_overwrites() {
    let desk = Desk::new();
    let (data, elsewhere) = (desk.path("data"), desk.path("elsewhere"));
    let (from, to) = ("ssh://root@127.0.0.1:1/tank/a", "ssh://root@127.0.0.1:1/tank/b");
    desk.run(&["replicate", "--data-dir", &data, "--identity", &desk.key(), from, to]).code(1);
    let list = desk.run(&["job", "list", "--data-dir", &data]).success().get_output().stdout.clone();
    let store = Store::open(Path::new(&data)).unwrap();
    desk.run(&["backup", "copy.db", "--data-dir", &data]).success().stdout(contains("copy.db"));
    drop(store);
    desk.run(&["backup", "copy.db", "--data-dir", &data]).code(1).stderr(contains("exists"));
    desk.run(&["restore", "copy.db", "--data-dir", &data]).code(3).stderr(contains("has a database already"));
    desk.run(&["restore", "copy.db", "--data-dir", &elsewhere]).success().stdout(contains("generation 2"));
    let found = desk.run(&["job", "list", "--data-dir", &elsewhere]).success().get_output().stdout.clone();
    assert_eq!(found, list);
    desk.run(&["backup", "other.db", "--data-dir", &desk.path("none")])
        .code(1)
        .stderr(contains("no database"));
    assert!(!Path::new(&desk.path("none")).exists() && !Path::new(&desk.path("other.db")).exists());
    desk.run(&["restore", "none.db", "--data-dir", &desk.path("new")]).code(1).stderr(contains("none.db"));
}
