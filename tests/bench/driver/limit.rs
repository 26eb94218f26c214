//! P5: how exactly a bandwidth limit is kept, seen from the receiver.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::cost;
use crate::ground::{Ground, driver};
use crate::options::Options;

const SECOND: u64 = 1_000_000_000;

pub fn p5(options: &Options) -> bool {
    let (seconds, fast) = (options.number("seconds", 25), options.number("rate", 40_000_000));
    let ground = Ground::new();
    let (a, b) = (ground.a.endpoint().port, ground.b.endpoint().port);
    let (mut short, mut long, mut changed): (f64, f64, f64) = (0.0, 0.0, 0.0);
    println!("P5 limit, {seconds} s at each rate, windows every 10 ms, seen from the receiver\n");
    println!("| MB/s | worst 1 s | worst 10 s | first whole second after the change |\n|---|---|---|---|");
    for rates in [[fast / 40, fast / 4, fast], [fast, fast / 4, fast / 40]] {
        let log = ground.file("arrivals");
        let _ = fs::remove_file(&log);
        let receive = format!("'{}' sink log '{}'", driver().display(), log.display());
        let steps: Vec<String> = rates.iter().map(|rate| format!("{rate}@{seconds}")).collect();
        let mut command = ground.carry(a, b, "cat /dev/zero", &receive);
        let mut child = command.args(["1", &steps.join(",")]).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let begins: Vec<u64> = said
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("rate ")?.split_once(' ')?.1.parse().ok())
            .collect();
        child.wait().unwrap();
        // Its receiver ends a moment after its connection.
        while !log.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let arrivals = read(&fs::read_to_string(&log).unwrap());
        for (index, (rate, begin)) in rates.iter().zip(&begins).enumerate() {
            let (from, until) = (begin + SECOND, begin + (seconds * SECOND) - SECOND / 10);
            let off = |span: u64| -> f64 {
                let wanted = (*rate as f64) * (span as f64 / SECOND as f64);
                (from..until - span)
                    .step_by(10_000_000)
                    .map(|at| ((within(&arrivals, at, at + span) as f64 - wanted) / wanted).abs())
                    .fold(0.0, f64::max)
            };
            let (one, ten) = (off(SECOND), off(10 * SECOND));
            // The first rate has the start of both commands before it.
            let first = (index > 0).then(|| {
                let there = within(&arrivals, begin + SECOND, begin + 2 * SECOND) as f64;
                (there - *rate as f64).abs() / *rate as f64
            });
            println!(
                "| {:.1} | {:.2} % | {:.2} % | {} |",
                *rate as f64 / 1e6,
                one * 100.0,
                ten * 100.0,
                first.map_or("-".to_owned(), |off| format!("{:.2} % off", off * 100.0))
            );
            short = short.max(one);
            long = long.max(ten);
            changed = changed.max(first.unwrap_or(0.0));
        }
    }
    println!();
    let mut good = cost::verdict("P5 worst 10 s, part off", long, "≤ 0.02", long <= 0.02);
    good &= cost::verdict("P5 worst 1 s, part off", short, "≤ 0.10", short <= 0.1);
    good & cost::verdict("P5 second after a change, part off", changed, "≤ 0.10", changed <= 0.1)
}

/// When how much had arrived in all.
fn read(text: &str) -> Vec<(u64, u64)> {
    let pair = |line: &str| {
        let (at, bytes) = line.split_once(' ')?;
        Some((at.parse().ok()?, bytes.parse().ok()?))
    };
    text.lines().map(|line| pair(line).unwrap()).collect()
}

/// Bytes that arrived in this span.
fn within(arrivals: &[(u64, u64)], from: u64, until: u64) -> u64 {
    let before = |time: u64| match arrivals.partition_point(|(at, _)| *at < time) {
        0 => 0,
        n => arrivals[n - 1].1,
    };
    before(until) - before(from)
}
