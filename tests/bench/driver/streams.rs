//! R3: streams cut at random bytes in four ways; each is noticed, resumed by its token, and arrives whole.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cost::median;
use crate::fake_zfs::{arriving, received};
use crate::ground::Ground;
use crate::options::Options;
use crate::proxy::{Cut, Direction, Proxy};
use crate::random::Random;
use crate::zfs_model::{BLOCK, Payload, Snapshot, prepare, with};

/// Much more than what may be under way between the two hosts, so that both are at work wherever it is cut.
const SIZE: u64 = 48 << 20;
/// Two seconds for the whole stream.
const RATE: &str = "24M";
/// Nothing may take longer; a run that does, hangs.
const PATIENCE: Duration = Duration::from_secs(240);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Reset(Side),
    Blackhole(Side),
    Stopped(Side),
    KilledRelay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// One cut and what came of it.
struct Tried {
    way: Way,
    at: u64,
    /// Until it was said that the stream broke; a killed relay says nothing.
    noticed: Option<f64>,
    /// Whole blocks that had arrived then, in bytes.
    kept: u64,
    resumed: u64,
    sent_twice: u64,
    wrong: Vec<String>,
}

pub fn campaign(options: &Options) -> bool {
    let (seed, cuts, lanes) = (options.seed(), options.number("cuts", 20), options.number("lanes", 6));
    let direct = options.number("direct", 0) == 1;
    if direct && !straight_is_there() {
        println!("R3 with direct transport left out: not in this version.");
        return true;
    }
    let mut random = Random(seed);
    let mut todo = Vec::new();
    for number in 0..cuts {
        let side = if number % 2 == 0 { Side::Source } else { Side::Destination };
        // In direct transport the bytes only pass the destination's line.
        let line = if direct { Side::Destination } else { side };
        for way in [Way::Blackhole(line), Way::Stopped(side), Way::Reset(line), Way::KilledRelay] {
            todo.push((way, random.below(64 << 10..SIZE / 2)));
        }
    }
    println!(
        "R3: {cuts} cuts in each of four ways, {}, {} MiB each, seed {seed}, {lanes} at a time\n",
        if direct { "direct" } else { "relay" },
        SIZE >> 20
    );
    let todo = Arc::new(Mutex::new(todo));
    let (sender, tried) = channel();
    let workers: Vec<_> = (0..lanes)
        .map(|_| {
            let (todo, sender) = (Arc::clone(&todo), sender.clone());
            std::thread::spawn(move || {
                loop {
                    let next = todo.lock().unwrap().pop();
                    let Some((way, at)) = next else { return };
                    let _ = sender.send(attempt(way, at, direct));
                }
            })
        })
        .collect();
    drop(sender);
    let mut all = Vec::new();
    for one in tried {
        for wrong in &one.wrong {
            println!("WRONG: {:?} after {} bytes (seed {seed}): {wrong}", one.way, one.at);
        }
        all.push(one);
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    report(&all, seed)
}

fn straight_is_there() -> bool {
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_zerfaux")).args(["replicate", "--help"]).output();
    help.is_ok_and(|help| !String::from_utf8_lossy(&help.stdout).contains("not in this version"))
}

fn report(all: &[Tried], seed: u64) -> bool {
    println!(
        "| way | cuts | noticed s, median | at most | resumed by token | sent beyond the size (with SSH and commands), at most | wrong |\n|---|---|---|---|---|---|---|"
    );
    let mut wrong = 0;
    for (name, of) in [
        ("reset", &(|way| matches!(way, Way::Reset(_))) as &dyn Fn(Way) -> bool),
        ("blackhole", &|way| matches!(way, Way::Blackhole(_))),
        ("sshd of the source stopped", &|way| way == Way::Stopped(Side::Source)),
        ("sshd of the destination stopped", &|way| way == Way::Stopped(Side::Destination)),
        ("relay killed", &|way| way == Way::KilledRelay),
    ] {
        let these: Vec<&Tried> = all.iter().filter(|tried| of(tried.way)).collect();
        let noticed: Vec<f64> = these.iter().filter_map(|tried| tried.noticed).collect();
        let (middle, most) = match noticed.is_empty() {
            true => ("-".into(), "-".into()),
            false => (
                format!("{:.2}", median(noticed.iter().copied())),
                format!("{:.2}", noticed.iter().copied().fold(0.0, f64::max)),
            ),
        };
        let bad = these.iter().filter(|tried| !tried.wrong.is_empty()).count();
        wrong += bad;
        println!(
            "| {name} | {} | {middle} | {most} | {} | {} KiB | {bad} |",
            these.len(),
            these.iter().filter(|tried| tried.resumed > 0).count(),
            these.iter().map(|tried| tried.sent_twice).max().unwrap_or(0) >> 10,
        );
    }
    println!("\nR3: {} cuts, {wrong} wrong, seed {seed}", all.len());
    wrong == 0
}

/// One stream, cut once, and everything that must be true afterwards.
fn attempt(way: Way, at: u64, direct: bool) -> Tried {
    let ground = Ground::new();
    let (a, b) = (ground.home("a"), ground.home("b"));
    prepare(&a, true, SIZE);
    prepare(&b, false, 0);
    let lines = (Proxy::start(ground.a.endpoint().port), Proxy::start(ground.b.endpoint().port));
    ground.know(&ground.a, lines.0.port());
    ground.know(&ground.b, lines.1.port());
    let target = format!("127.0.0.1:{}", lines.1.port());
    let words = match direct {
        true => ["--json", "--transport", "direct", "--replication-address", &target],
        false => ["--json", "--transport", "relay", "--bwlimit", RATE],
    };
    if direct {
        // Nothing that limits the rate stands in its way, so that its source has to.
        fs::write(a.join("rate"), (24 << 20).to_string()).unwrap();
    }
    let run = || Run::with(&ground, (lines.0.port(), lines.1.port()), &words);
    let line = |side| if side == Side::Source { &lines.0 } else { &lines.1 };
    let mut tried = Tried { way, at, noticed: None, kept: 0, resumed: 0, sent_twice: 0, wrong: Vec::new() };

    match way {
        Way::Reset(side) => arm(line(side), Cut::Reset, side, at),
        Way::Blackhole(side) => arm(line(side), Cut::Blackhole, side, at),
        Way::Stopped(_) | Way::KilledRelay => {}
    }
    let mut first = run();
    let cut = match way {
        Way::Reset(side) | Way::Blackhole(side) => wait(|| line(side).cut_at(), &mut first),
        Way::Stopped(side) => {
            let sshd = if side == Side::Source { &ground.a } else { &ground.b };
            wait(|| (landed(&b, &a) >= at).then(Instant::now), &mut first).inspect(|_| {
                if sshd.signal_sessions(Signal::STOP) == 0 {
                    tried.wrong.push("there was no session to stop".into());
                }
            })
        }
        Way::KilledRelay => wait(|| (landed(&b, &a) >= at).then(Instant::now), &mut first).inspect(|_| {
            let _ = first.child.kill();
        }),
    };
    let Some(cut) = cut else {
        tried.wrong.push(format!("it was not cut: {:?}", first.end()));
        return tried;
    };
    let end = if way == Way::KilledRelay {
        let _ = first.child.wait();
        tried.kept = landed(&b, &a) / BLOCK * BLOCK;
        run().end()
    } else {
        let noticed = first.until_broken();
        tried.noticed = noticed.map(|at| at.saturating_duration_since(cut).as_secs_f64());
        tried.kept = landed(&b, &a) / BLOCK * BLOCK;
        for sshd in [&ground.a, &ground.b] {
            sshd.signal_sessions(Signal::CONT);
        }
        lines.0.heal();
        lines.1.heal();
        first.end()
    };
    judge(&mut tried, end, (&a, &b));
    // A relay that was killed is followed by a run that takes a snapshot of its own.
    let sizes = with(&a, |model| model.datasets["tank/data"].snapshots.len() as u64) * SIZE;
    let carried = if direct { lines.1.sent_to_server() } else { lines.0.sent_by_server() };
    tried.sent_twice = carried.saturating_sub(sizes);
    tried
}

fn arm(line: &Proxy, cut: Cut, side: Side, at: u64) {
    let direction = if side == Side::Source { Direction::FromServer } else { Direction::ToServer };
    line.arm(cut, direction, at);
}

/// Bytes of the stream that lie at the destination.
fn landed(b: &Path, a: &Path) -> u64 {
    let guid = with(a, |model| model.datasets["tank/data"].snapshots.last().map(|snapshot| snapshot.guid));
    guid.and_then(|guid| fs::metadata(arriving(b, guid)).ok()).map_or(0, |file| file.len())
}

fn wait(mut what: impl FnMut() -> Option<Instant>, run: &mut Run) -> Option<Instant> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(at) = what() {
            return Some(at);
        }
        if run.child.try_wait().unwrap().is_some() {
            return what();
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    None
}

fn judge(tried: &mut Tried, end: End, (a, b): (&Path, &Path)) {
    let limit = match tried.way {
        Way::Reset(_) => Some(1.0),
        Way::Blackhole(_) | Way::Stopped(_) => Some(30.0),
        Way::KilledRelay => None,
    };
    match (limit, tried.noticed) {
        (Some(_), None) => tried.wrong.push("it was never said that the stream broke".into()),
        (Some(limit), Some(noticed)) if noticed > limit => {
            tried.wrong.push(format!("noticed after {noticed:.1} s, more than {limit} s"));
        }
        _ => {}
    }
    let snapshots = with(a, |model| model.datasets["tank/data"].snapshots.clone());
    let there = with(b, |model| model.datasets.get("tank/copy").map(|copy| copy.snapshots.clone()))
        .unwrap_or_default();
    let whole = snapshots.iter().all(|snapshot| {
        let bytes = fs::read(received(b, snapshot.guid)).unwrap_or_default();
        there.iter().any(|other| other.guid == snapshot.guid)
            && Sha256::digest(bytes)[..] == expected(snapshot)[..]
    });
    match (end.status, whole) {
        (Some(0), true) => {}
        (Some(0), false) => tried.wrong.push("FALSE SUCCESS: what arrived is not what was sent".into()),
        (status, _) => tried.wrong.push(format!("it ended with {status:?}: {}", end.said)),
    }
    tried.resumed = end.result["resumed"].as_u64().unwrap_or(0);
    if tried.resumed == 0 && tried.kept > 0 {
        tried.wrong.push(format!("it was not resumed by a token: {}", end.said));
    }
}

fn expected(snapshot: &Snapshot) -> Vec<u8> {
    let (mut payload, mut hash) = (Payload::of(snapshot, 0), Sha256::new());
    while let Some(block) = payload.next() {
        hash.update(block);
    }
    hash.finalize().to_vec()
}

/// `zerfaux replicate --json` under way.
pub struct Run {
    pub child: Child,
    lines: Receiver<(Instant, Value)>,
    seen: Vec<Value>,
}

/// How it ended.
#[derive(Debug)]
pub struct End {
    pub status: Option<i32>,
    pub result: Value,
    pub said: String,
}

impl Run {
    pub fn with(ground: &Ground, (a, b): (u16, u16), options: &[&str]) -> Self {
        let mut command = ground.replicate(a, b, options);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send((Instant::now(), serde_json::from_str(&line).unwrap_or(Value::Null)));
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// When the console first said that something broke; none if it ends without that.
    fn until_broken(&mut self) -> Option<Instant> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (at, line) = self.lines.recv_timeout(left).ok()?;
            let broke = line["event"] == "console"
                && ["warn", "error"].iter().any(|level| line["level"] == *level)
                && line["message"]
                    .as_str()
                    .is_some_and(|said| said.contains("broke") || said.contains("stopped"));
            self.seen.push(line);
            if broke {
                return Some(at);
            }
        }
    }

    /// Waits for its end.
    pub fn end(mut self) -> End {
        let until = Instant::now() + PATIENCE * 8;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((_, line)) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    break;
                }
            }
        }
        let status = self.child.wait().unwrap().code();
        let last =
            self.seen.iter().rev().find(|line| line["event"] == "result").cloned().unwrap_or(Value::Null);
        let console = self.seen.iter().filter(|line| line["event"] == "console");
        let said: Vec<&str> = console.filter_map(|line| line["message"].as_str()).collect();
        End {
            status,
            result: last["result"].clone(),
            said: format!("{} | {}", last["error"], said.join(" | ")),
        }
    }
}
