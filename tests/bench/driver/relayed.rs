//! P1 and P3: a stream through this machine, beside the pipe of two `ssh` that everybody uses.

use std::fs;
use std::process::Command;

use crate::cost::{self, Cost, median, verdict};
use crate::ground::Ground;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::random::Random;

const GCM: &str = "aes128-gcm@openssh.com";
const MIB: u64 = 1 << 20;
/// The recorded stream is this long and is played as often as wanted.
const PIECE: u64 = 64;

/// P1: processor seconds per GiB, wall time.
pub fn p1(options: &Options) -> bool {
    let (rounds, size) = (options.number("rounds", 5), options.number("mib", 1024));
    let ground = Ground::new();
    let (a, b) = (ground.a.endpoint().port, ground.b.endpoint().port);
    println!(
        "P1 relay, {size} MiB a round, {rounds} rounds, each way once a round; CPU without the two sshd\n"
    );
    let found =
        alternate(&ground, (a, b), size, rounds, &["ssh|ssh aes128-gcm", "ssh|ssh default", "Zerfaux"]);
    let [gcm, default, ours] = &found[..] else { unreachable!() };
    let cpu = ratio(ours, gcm, |c| c.cpu);
    let mut good = verdict("P1 CPU, Zerfaux / ssh|ssh aes128-gcm", cpu, "≤ 0.65", cpu <= 0.65);
    let wall = ratio(gcm, ours, |c| c.wall);
    good &= verdict("P1 speed, Zerfaux / ssh|ssh aes128-gcm", wall, "≥ 1.0 on an idle machine", wall >= 1.0);
    let wall = ratio(default, ours, |c| c.wall);
    good & verdict("P1 speed, Zerfaux / ssh|ssh default cipher", wall, "≥ 1.5", wall >= 1.5)
}

/// P3: speed with a delay on the source's side.
pub fn p3(options: &Options) -> bool {
    let (rounds, size) = (options.number("rounds", 5), options.number("mib", 128));
    let round_trip = options.number("rtt-ms", 50);
    let ground = Ground::new();
    let proxy = Proxy::start(ground.a.endpoint().port);
    proxy.delay(round_trip);
    ground.know(&ground.a, proxy.port());
    println!(
        "P3 relay, {round_trip} ms round trip to the source (a delaying proxy), {size} MiB, {rounds} rounds\n"
    );
    let ports = (proxy.port(), ground.b.endpoint().port);
    let found = alternate(&ground, ports, size, rounds, &["ssh|ssh aes128-gcm", "Zerfaux"]);
    let speed = ratio(&found[0], &found[1], |c| c.wall);
    verdict("P3 speed, Zerfaux / ssh|ssh", speed, "≥ 1.8", speed >= 1.8)
}

/// Each way once a round; the figures of each, way by way.
fn alternate(ground: &Ground, (a, b): (u16, u16), size: u64, rounds: u64, ways: &[&str]) -> Vec<Vec<Cost>> {
    let piece = size.min(PIECE);
    let file = ground.file("stream");
    fs::write(&file, Random(1).bytes((piece * MIB) as usize)).unwrap();
    let send = format!("cat{}", format!(" {}", file.display()).repeat((size / piece) as usize));
    let size = size / piece * piece;
    let receive = "cat > /dev/null";
    let mut found = vec![Vec::new(); ways.len()];
    for round in 0..rounds {
        for (way, costs) in ways.iter().zip(&mut found) {
            let mut command = match way.strip_prefix("ssh|ssh ") {
                None => ground.carry(a, b, &send, receive),
                Some(cipher) => {
                    let cipher = (cipher == "aes128-gcm").then_some(GCM);
                    let mut shell = Command::new("sh");
                    let pipe =
                        format!("{} | {}", ground.ssh(a, cipher, &send), ground.ssh(b, cipher, receive));
                    shell.arg("-c").arg(pipe);
                    shell
                }
            };
            let cost = cost::of(&mut command);
            println!("round {} {way}: {:.2} s, CPU {:.2} s", round + 1, cost.wall, cost.cpu);
            costs.push(cost);
        }
    }
    println!("\n| way | wall s, median | MiB/s | CPU s/GiB, median | least–most |\n|---|---|---|---|---|");
    for (way, costs) in ways.iter().zip(&found) {
        let gib = size as f64 / 1024.0;
        let wall = median(costs.iter().map(|c| c.wall));
        let cpu: Vec<f64> = costs.iter().map(|c| c.cpu / gib).collect();
        println!(
            "| {way} | {wall:.2} | {:.0} | {:.2} | {:.2}–{:.2} |",
            size as f64 / wall,
            median(cpu.iter().copied()),
            cpu.iter().copied().fold(f64::MAX, f64::min),
            cpu.iter().copied().fold(0.0, f64::max),
        );
    }
    println!();
    found
}

/// The median of the ratios within the rounds: what disturbs a round disturbs both.
fn ratio(over: &[Cost], under: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    median(over.iter().zip(under).map(|(a, b)| of(a) / of(b)))
}
