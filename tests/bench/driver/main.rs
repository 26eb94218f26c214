//! What stands behind `tests/bench/run` and the stream campaigns: rival and ours in turn, on one machine.
//!
//! One executable in many roles, so that nothing has to be installed: the benchmarks themselves, the process that
//! only carries (its memory and processor time are Zerfaux's alone), a receiver that reads slowly, and a small `zfs`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod browse;
mod busy;
mod carry;
mod cold;
mod commits;
mod cost;
mod crowd;
mod cycle;
mod due;
mod fake_zfs;
mod fuzz;
mod ground;
mod groups;
mod inventory;
mod limit;
mod memory;
mod options;
mod proxy;
mod random;
mod recovery;
mod relayed;
mod served;
mod sink;
mod stalls;
mod straight;
mod streams;
mod zfs_model;

#[path = "../../support/soap_fuzz.rs"]
mod soap_fuzz;
#[path = "../../support/sshd.rs"]
#[allow(dead_code)]
mod sshd;

#[path = "../../support/vcenter/mod.rs"]
#[allow(dead_code)]
mod vcenter;

use options::Options;

fn main() {
    // `cargo bench` adds --bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let Some((role, rest)) = args.split_first() else {
        eprintln!(
            "name a benchmark: P1 P2 P3 P4 P5 P7 P8 P9 P10 P11 P12 P13, or a campaign: soap streams stalls fuzz"
        );
        std::process::exit(2);
    };
    match role.as_str() {
        "carry" => return carry::main(rest),
        "cycle" => return cycle::main(rest),
        "sink" => return sink::main(rest),
        "sync" => return inventory::sync(rest),
        "zfs" => std::process::exit(fake_zfs::main(rest)),
        _ => {}
    }
    let options = Options::parse(rest);
    println!("{}", cost::machine());
    let good = match role.as_str() {
        "P1" => relayed::p1(&options),
        "P2" => straight::p2(&options),
        "P3" => relayed::p3(&options),
        "P4" => memory::p4(&options),
        "P5" => limit::p5(&options),
        "P7" => due::p7(&options),
        "P8" => groups::p8(&options),
        "P9" => inventory::p9(&options),
        "soap" => {
            let wanted = usize::try_from(options.number("answers", 1_000_000)).unwrap();
            soap_fuzz::try_answers(wanted, options.seed());
            true
        }
        "P10" => recovery::p10(&options),
        "P11" => commits::p11(&options),
        "P12" => browse::p12(&options),
        "P13" => cold::p13(&options),
        "streams" => streams::campaign(&options),
        "stalls" => stalls::campaign(&options),
        "fuzz" => fuzz::campaign(&options),
        other => {
            eprintln!(
                "there is no {other}: P1 P2 P3 P4 P5 P7 P8 P9 P10 P11 P12 P13 soap streams stalls fuzz"
            );
            std::process::exit(2);
        }
    };
    if !good {
        std::process::exit(1);
    }
}
