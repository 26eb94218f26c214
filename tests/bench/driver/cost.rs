//! What something cost: wall time, processor time, memory; medians and how they are shown.

use std::fs;
use std::process::Command;
use std::time::Instant;

/// Linux counts processor time in these for programs, whatever the kernel's own tick is.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds on the clock and of the processor.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: f64,
    pub cpu: f64,
}

/// Runs a command to its end: what it and all that it waited for cost.
pub fn of(command: &mut Command) -> Cost {
    let (began, before) = (Instant::now(), children_cpu());
    let status = command.status().unwrap();
    let cost = Cost { wall: began.elapsed().as_secs_f64(), cpu: children_cpu() - before };
    assert!(status.success(), "{command:?} ended with {status}");
    cost
}

/// Processor seconds of all children that have ended and were waited for, and of theirs.
pub fn children_cpu() -> f64 {
    ticks(13..15)
}

/// Processor seconds of this process.
pub fn own_cpu() -> f64 {
    ticks(11..13)
}

/// Sums fields of proc_pid_stat(5), counted from 0 after the program's name.
fn ticks(fields: std::ops::Range<usize>) -> f64 {
    ticks_of("self", fields).unwrap()
}

fn ticks_of(process: &str, fields: std::ops::Range<usize>) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let all: Vec<&str> = rest.split_whitespace().collect();
    let sum: f64 = all.get(fields)?.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(sum / TICKS_A_SECOND)
}

/// Processor seconds of another process, while there is one.
pub fn processor(pid: u32) -> Option<f64> {
    ticks_of(&pid.to_string(), 11..13)
}

/// Resident memory of a process in bytes, while there is one.
pub fn resident(pid: u32) -> Option<u64> {
    memory(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, in bytes.
pub fn peak(pid: u32) -> Option<u64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// `reached` or `MISSED`, and whether.
pub fn verdict(name: &str, value: f64, target: &str, reached: bool) -> bool {
    println!("{name}: {value:.3}, target {target}: {}", if reached { "reached" } else { "MISSED" });
    reached
}

/// Date, processor, its number, how busy it is, and what is measured against what.
pub fn machine() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = text("/proc/cpuinfo");
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, m)| m);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = text("/proc/loadavg");
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        output
            .map(|o| String::from_utf8_lossy(&[o.stdout, o.stderr].concat()).trim().to_owned())
            .unwrap_or_default()
    };
    format!(
        "{} | {} | {cores} cores, load {} | Linux {} | {} | commit {}",
        now(),
        model.unwrap_or("unknown processor"),
        load.split_whitespace().next().unwrap_or("?"),
        text("/proc/sys/kernel/osrelease").trim(),
        run("ssh", &["-V"]).split(',').next().unwrap_or_default(),
        run("git", &["describe", "--always", "--dirty"]),
    )
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}
