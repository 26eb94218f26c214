//! P4: memory of a transfer whose receiver is much slower than its sender.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cost;
use crate::ground::{Ground, driver};
use crate::options::Options;
use crate::proxy::Proxy;

const MIB: f64 = (1 << 20) as f64;

pub fn p4(options: &Options) -> bool {
    let (seconds, many) = (options.number("seconds", 40), options.number("transfers", 32));
    let slower = options.number("slower", 200);
    // Each has a connection of its own on either side, all opened at once.
    let ground = Ground::with(&["MaxStartups 200"]);
    let (a, b) = (ground.a.endpoint().port, ground.b.endpoint().port);
    let calibration = cost::of(&mut ground.carry(a, b, "head -c 268435456 /dev/zero", "cat > /dev/null"));
    let speed = 256.0 * MIB / calibration.wall;
    let receiver = speed / slower as f64;
    println!(
        "P4 memory: one transfer alone carries {:.0} MiB/s; receivers read {:.2} MiB/s each, for {seconds} s\n",
        speed / MIB,
        receiver / MIB
    );
    let receive = format!("'{}' sink slow {receiver}", driver().display());
    let far = Proxy::start(a);
    far.delay(50);
    ground.know(&ground.a, far.port());
    let measure = |from: u16, times: u64, what: &str| {
        let mut command = ground.carry(from, b, "cat /dev/zero", &receive);
        command.args([times.to_string(), format!("1000000000000@{seconds}")]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let before: u64 = said.next().unwrap().unwrap().strip_prefix("resident ").unwrap().parse().unwrap();
        let (began, mut peak) = (Instant::now(), before);
        while began.elapsed() < Duration::from_secs(seconds) && child.try_wait().unwrap().is_none() {
            peak = peak.max(cost::resident(child.id()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(50));
        }
        child.wait().unwrap();
        let each = (peak - before) as f64 / MIB / times as f64;
        println!(
            "{what}: before {:.1} MiB, most {:.1} MiB, growth {each:.2} MiB each",
            before as f64 / MIB,
            peak as f64 / MIB
        );
        (each, peak as f64 / MIB)
    };
    let (alone, _) = measure(a, 1, "1 transfer");
    let (at_50_ms, _) = measure(far.port(), 1, "1 transfer, 50 ms to the source");
    let (each, all) = measure(a, many, &format!("{many} transfers"));
    println!();
    let worst = alone.max(at_50_ms).max(each);
    let good = cost::verdict("P4 growth of each transfer, MiB, at worst", worst, "≤ 8", worst <= 8.0);
    cost::verdict(&format!("P4 {many} at once, MiB in all"), all, "≤ 256", all <= 256.0) && good
}
