//! P13: from the start of the process to the first page over a large database; the program's size, and its memory when
//! nobody asks for anything.

use std::process::Command;
use std::time::Duration;

use crate::cost;
use crate::crowd;
use crate::options::Options;
use crate::served::{Served, Visitor, binary};

const MIB: f64 = (1 << 20) as f64;

pub fn p13(options: &Options) -> bool {
    let (rounds, idle) = (options.number("rounds", 5), options.number("idle", 20));
    println!("P13 cold start to the first page, {rounds} rounds; then {idle} s without a request\n");
    let data = crowd::copy(options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = Served::start(data.path());
    let anna = runtime.block_on(Visitor::sign_in(&server.address, "operator-0", crowd::PASSWORD));
    server.stop();
    let (mut first, mut resting) = (Vec::new(), 0.0_f64);
    for round in 1..=rounds {
        let server = Served::start(data.path());
        let visitor = anna.moved_to(&server.address);
        let seen = runtime.block_on(visitor.get("/replication"));
        let after = server.age().as_secs_f64();
        assert_eq!((seen.status, seen.html), (200, true), "{}", seen.text);
        println!(
            "round {round}: listens after {:.3} s, first page after {after:.3} s",
            server.listens_after.as_secs_f64()
        );
        first.push(after);
        if round == rounds {
            for page in ["/jobs", "/audit", "/users", "/about"] {
                runtime.block_on(visitor.get(page));
            }
            std::thread::sleep(Duration::from_secs(idle));
            resting = cost::resident(server.child.id()).unwrap() as f64 / MIB;
        }
        server.stop();
    }
    let size = std::fs::metadata(binary()).unwrap().len() as f64 / MIB;
    let linked = Command::new("ldd")
        .arg(binary())
        .output()
        .map(|ldd| String::from_utf8_lossy(&ldd.stdout).into_owned());
    let libraries: Vec<String> = linked
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    println!("\nlinks: {}\n", libraries.join(" "));
    let first = cost::median(first);
    [
        cost::verdict("P13 seconds to the first page", first, "≤ 1", first <= 1.0),
        cost::verdict("P13 size of the program, MiB", size, "≤ 25", size <= 25.0),
        cost::verdict("P13 memory at rest, MiB", resting, "≤ 60", resting <= 60.0),
    ]
    .into_iter()
    .all(|good| good)
}
