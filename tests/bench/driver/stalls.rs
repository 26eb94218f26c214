//! R4: a receiver that stands still for minutes behind a living sshd. That is nobody's failure.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fake_zfs::{arriving, received};
use crate::ground::Ground;
use crate::options::Options;
use crate::random::Random;
use crate::streams::Run;
use crate::zfs_model::{Payload, prepare, with};

const SIZE: u64 = 64 << 20;

pub fn campaign(options: &Options) -> bool {
    let (seed, seconds) = (options.seed(), options.number("seconds", 600));
    println!("R4: zfs receive stands still for {seconds} s behind a living sshd, seed {seed}\n");
    let mut random = Random(seed);
    let kinds: [(&str, &[&str]); 2] = [
        ("sshd as it comes", &[]),
        (
            "ClientAliveInterval 15, ClientAliveCountMax 3",
            &["ClientAliveInterval 15", "ClientAliveCountMax 3"],
        ),
    ];
    let lanes: Vec<_> = kinds
        .into_iter()
        .map(|(name, config)| {
            let at = random.below(1 << 20..SIZE / 4);
            std::thread::spawn(move || (name, at, stall(config, at, Duration::from_secs(seconds))))
        })
        .collect();
    let mut wrong = 0;
    for lane in lanes {
        let (name, at, outcome) = lane.join().unwrap();
        match outcome {
            Ok(how) => println!("{name}, after {at} bytes: {how}"),
            Err(why) => {
                wrong += 1;
                println!("{name}, after {at} bytes: WRONG: {why}");
            }
        }
    }
    println!("\nR4: {wrong} wrong, seed {seed}");
    wrong == 0
}

/// How it came through, or what was wrong.
fn stall(config: &[&str], at: u64, time: Duration) -> Result<String, String> {
    let ground = Ground::with(config);
    let (a, b) = (ground.home("a"), ground.home("b"));
    prepare(&a, true, SIZE);
    prepare(&b, false, 0);
    let mut run = Run::with(
        &ground,
        (ground.a.endpoint().port, ground.b.endpoint().port),
        &["--json", "--transport", "relay", "--bwlimit", "16M"],
    );
    let snapshot = loop {
        if run.child.try_wait().unwrap().is_some() {
            return Err(format!("it ended before it could be stopped: {:?}", run.end()));
        }
        let newest = with(&a, |model| model.datasets["tank/data"].snapshots.last().cloned());
        let landed = |guid| fs::metadata(arriving(&b, guid)).map_or(0, |file| file.len());
        if let Some(snapshot) = newest.filter(|snapshot| landed(snapshot.guid) >= at) {
            break snapshot;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let log = fs::read_to_string(b.join("log")).unwrap();
    let pid = log.lines().rev().find_map(|line| line.rsplit_once(" by ")?.1.parse().ok());
    let pid = Pid::from_raw(pid.ok_or("no receiver in the log")?).ok_or("no process")?;
    kill_process(pid, Signal::STOP).map_err(|error| error.to_string())?;
    let began = Instant::now();
    while began.elapsed() < time {
        if run.child.try_wait().unwrap().is_some() {
            let _ = kill_process(pid, Signal::CONT);
            return Err(format!("after {:.0} s of it: {:?}", began.elapsed().as_secs_f64(), run.end()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // It may have been given up and ended meanwhile.
    let _ = kill_process(pid, Signal::CONT);
    let end = run.end();
    if end.status != Some(0) {
        return Err(format!("{end:?}"));
    }
    let arrived = fs::read(received(&b, snapshot.guid)).unwrap_or_default();
    let mut payload = Payload::of(&snapshot, 0);
    let mut rest = &arrived[..];
    while let Some(block) = payload.next() {
        rest = rest.strip_prefix(block).ok_or("FALSE SUCCESS: what arrived is not what was sent")?;
    }
    Ok(match end.result["resumed"].as_u64() {
        Some(0) | None => "survived".to_owned(),
        Some(times) => format!("resumed {times} times"),
    })
}
