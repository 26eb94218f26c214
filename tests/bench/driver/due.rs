//! P7: from "due" to the first payload byte at the destination, in round trips.
//!
//! Two runs in one process, the first of which opened all that stays open: once without and once with the delay. What
//! the delay adds, divided by it, is the number of round trips one after another, however busy the machine is.

use std::fs;
use std::path::Path;

use serde_json::json;
use zerfaux::app::App;
use zerfaux::app::replications::ReplicateInput;

use crate::carry::nanoseconds;
use crate::cost::verdict;
use crate::ground::Ground;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::sshd::user;
use crate::zfs_model::prepare;

pub fn p7(options: &Options) -> bool {
    let (rounds, round_trip) = (options.number("rounds", 5), options.number("rtt-ms", 50));
    let ground = Ground::new();
    prepare(&ground.home("a"), true, 1 << 20);
    prepare(&ground.home("b"), false, 0);
    let (a, b) = (Proxy::start(ground.a.endpoint().port), Proxy::start(ground.b.endpoint().port));
    ground.know(&ground.a, a.port());
    ground.know(&ground.b, b.port());
    let end = |port: u16, dataset: &str| {
        json!({ "host": { "ssh": {
            "endpoint": format!("{}@127.0.0.1:{port}", user()),
            "identities": [{ "file": ground.key() }],
            "host_keys": { "known_hosts": { "path": ground.known_hosts(), "accept_new": false } },
        } }, "dataset": dataset })
    };
    let input = json!({ "source": end(a.port(), "tank/data"), "destination": end(b.port(), "tank/copy") });
    let input: ReplicateInput = serde_json::from_value(input).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let app = runtime.block_on(async { zerfaux::boot::passing(None).unwrap() });
    println!(
        "P7 due to first payload byte, {round_trip} ms to either host (delaying proxies), {rounds} rounds\n"
    );
    // The first two make the destination and all connections that stay.
    for _ in 0..2 {
        runtime.block_on(once(&app, &input, &ground));
    }
    let (mut near, mut far) = (Vec::new(), Vec::new());
    let mut last = Vec::new();
    for round in 1..=rounds {
        for (delay, times) in [(0, &mut near), (round_trip, &mut far)] {
            a.delay(delay);
            b.delay(delay);
            let timeline = runtime.block_on(once(&app, &input, &ground));
            let first = timeline.iter().find(|(_, _, what)| what.starts_with("first byte"));
            let (first, ..) = first.expect("a stream arrived");
            println!("round {round}, {delay} ms: first payload byte after {:.1} ms", first / 1e6);
            times.push(first / 1e6);
            last = timeline;
        }
    }
    println!("\nWhat the last run did, in round trips after it was due ({round_trip} ms each):\n");
    for (at, host, what) in &last {
        let short: String = what.chars().take(96).collect();
        println!("{:6.1}  {host}  {short}", at / 1e6 / round_trip as f64);
        if what.starts_with("first byte") {
            break;
        }
    }
    // A busy machine only adds to either.
    let least = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let trips = (least(far) - least(near)) / round_trip as f64;
    println!();
    verdict(
        "P7 round trips from due to the first payload byte at the destination",
        trips,
        "≤ 3",
        trips <= 3.0,
    )
}

/// One run; what happened on which host how many nanoseconds after it was due.
async fn once(app: &App, input: &ReplicateInput, ground: &Ground) -> Vec<(f64, char, String)> {
    let due = nanoseconds();
    let id = app.start_replication(input, "benchmark").await.unwrap();
    app.run_until_idle().await.unwrap();
    let mut watched = app.jobs(1).await.unwrap();
    let job = watched.pop().unwrap();
    assert_eq!(job.id, id);
    assert!(job.failure.is_none(), "{:?}", job.failure);
    let mut all: Vec<(f64, char, String)> = Vec::new();
    for host in ['a', 'b'] {
        all.extend(
            since(&ground.home(&host.to_string()), due).into_iter().map(|(at, what)| (at, host, what)),
        );
    }
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    all
}

fn since(home: &Path, due: u64) -> Vec<(f64, String)> {
    let log = fs::read_to_string(home.join("log")).unwrap_or_default();
    let entry = |line: &str| {
        let (at, what) = line.split_once(' ')?;
        let at: u64 = at.parse().ok()?;
        (at >= due).then(|| ((at - due) as f64, what.to_owned()))
    };
    log.lines().filter_map(entry).collect()
}
