//! P2: what a stream costs this machine that goes from the source to the destination by itself.

use std::fs;
use std::process::Stdio;

use crate::cost::{self, median, verdict};
use crate::ground::Ground;
use crate::options::Options;
use crate::zfs_model::prepare;

const MIB: u64 = 1 << 20;

pub fn p2(options: &Options) -> bool {
    let (rounds, size) = (options.number("rounds", 5), options.number("mib", 2048));
    let ground = Ground::new();
    let (a, b) = (ground.a.endpoint().port, ground.b.endpoint().port);
    for host in ["a", "b"] {
        prepare(&ground.home(host), host == "a", MIB);
        // The disk of this machine is not what is measured.
        fs::write(ground.home(host).join("discard"), "").unwrap();
    }
    // Said outright, because "127.0.0.1" is another machine wherever it is dialled.
    let target = format!("127.0.0.1:{b}");
    let direct_words = ["--json", "--transport", "direct", "--replication-address", &target];
    let first = ground.replicate(a, b, &direct_words).output().unwrap();
    let said = String::from_utf8_lossy(&first.stderr);
    if said.contains("not in this version") {
        println!("P2 left out: this version has no direct transport.");
        return true;
    }
    assert!(first.status.success(), "the first run, which makes the destination, failed: {said}");
    println!(
        "P2 direct, {size} MiB a run, {rounds} rounds; CPU of the process `zerfaux replicate` from start to end\n"
    );
    let run = |words: &[&str], bytes: u64| {
        fs::write(ground.home("a").join("size"), bytes.to_string()).unwrap();
        let mut command = ground.replicate(a, b, words);
        cost::of(command.stdout(Stdio::null()))
    };
    let gib = size as f64 / 1024.0;
    let (mut empty, mut direct, mut relay) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        empty.push(run(&direct_words, 4096));
        direct.push(run(&direct_words, size * MIB));
        relay.push(run(&["--json", "--transport", "relay"], size * MIB));
        println!(
            "round {round}: direct {:.2} s, CPU {:.2} s; with next to nothing to send {:.2} s, CPU {:.2} s; relay {:.2} s, CPU {:.2} s",
            direct.last().unwrap().wall,
            direct.last().unwrap().cpu,
            empty.last().unwrap().wall,
            empty.last().unwrap().cpu,
            relay.last().unwrap().wall,
            relay.last().unwrap().cpu,
        );
    }
    let each = |costs: &[cost::Cost]| median(costs.iter().map(|cost| cost.cpu));
    println!(
        "\nmedians: direct CPU {:.3} s, of which {:.3} s with next to nothing to send; relay CPU {:.2} s/GiB",
        each(&direct),
        each(&empty),
        each(&relay) / gib
    );
    let per_gib = ((each(&direct) - each(&empty)) / gib).max(0.0);
    verdict(
        "P2 direct, CPU s/GiB beyond a run with next to nothing to send",
        per_gib,
        "≤ 0.05",
        per_gib <= 0.05,
    )
}
