//! Programs that a stream passes through: `dd`, `pv`, `tee`.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::{Io, Shell};
use crate::sim::appliance::zfs::human;

/// The status of a program that wrote into a pipe that nobody reads: 128 + SIGPIPE.
pub(super) const BROKEN_PIPE: i32 = 141;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    match program {
        "dd" => Some(dd(shell, words, io).unwrap_or_else(|said| said.tell("dd", io))),
        "pv" => Some(pv(words, io).unwrap_or_else(|said| said.tell("pv", io))),
        "tee" => Some(tee(shell, words, io).unwrap_or_else(|said| said.tell("tee", io))),
        _ => None,
    }
}

/// Why a program stops.
enum Stop {
    /// Nobody reads any more; it says nothing.
    Pipe,
    Says(String),
}

impl Stop {
    fn tell(self, program: &str, io: &Io) -> i32 {
        match self {
            Self::Pipe => BROKEN_PIPE,
            Self::Says(why) => {
                io.complain(format_args!("{program}: {why}"));
                1
            }
        }
    }

    fn of(error: std::io::Error, what: &str) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            Self::Pipe
        } else {
            Self::Says(format!("{what}: {error}"))
        }
    }
}

/// `dd if=… of=… bs=… count=… skip=… seek=… status=… conv=notrunc`, from standard input and to standard output where no
/// file is named.
fn dd(shell: &Shell, words: &[String], io: &Io) -> Result<i32, Stop> {
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let number = |key: &str| value(key).and_then(super::super::model::properties::bytes);
    let block = number("bs=").unwrap_or(512).clamp(1, 64 << 20);
    let count = number("count=");
    let (mut skip, seek) = (number("skip=").unwrap_or(0), number("seek=").unwrap_or(0));
    let mut file = match value("if=") {
        Some(path) => {
            let opened = shell.machine.open_to_read(&shell.absolute(path));
            Some(opened.map_err(|why| Stop::Says(format!("failed to open {why}")))?)
        }
        None => None,
    };
    let mut out = Destination::open(shell, value("of="), words, seek * block)?;
    let (begun, mut told) = (Instant::now(), Instant::now());
    let (mut buffer, mut whole, mut torn, mut bytes) =
        (vec![0; usize::try_from(block).unwrap_or(512)], 0u64, 0u64, 0u64);
    while count.is_none_or(|count| whole + torn < count) {
        let read = match &mut file {
            Some(file) => file.read(&mut buffer),
            None => io.read(&mut buffer),
        };
        let read = read.map_err(|error| Stop::of(error, "error reading"))?;
        if read == 0 {
            break;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        out.write(&buffer[..read], io)?;
        bytes += read as u64;
        if read as u64 == block {
            whole += 1
        } else {
            torn += 1
        }
        if value("status=") == Some("progress") && told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            io.mutter(&format!("\r{}", copied(bytes, begun.elapsed())));
        }
    }
    if value("status=") != Some("none") {
        let ahead = if value("status=") == Some("progress") && told > begun { "\n" } else { "" };
        io.mutter(&format!(
            "{ahead}{whole}+{torn} records in\n{whole}+{torn} records out\n{}\n",
            copied(bytes, begun.elapsed())
        ));
    }
    Ok(0)
}

/// Where `dd` writes to.
enum Destination {
    Stdout,
    File { path: String, at: u64, machine: std::sync::Arc<super::super::machine::Machine> },
}

impl Destination {
    fn open(shell: &Shell, path: Option<&str>, words: &[String], at: u64) -> Result<Self, Stop> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        let (path, machine) = (shell.absolute(path), std::sync::Arc::clone(&shell.machine));
        let keeps = at > 0 || words.iter().any(|word| word.starts_with("conv=") && word.contains("notrunc"));
        let offset = if keeps { Some(at) } else { None };
        let opened = machine.write_file(&path, offset, &[]);
        opened.map_err(|error| Stop::Says(format!("failed to open '{path}': {error}")))?;
        Ok(Self::File { path, at, machine })
    }

    fn write(&mut self, bytes: &[u8], io: &Io) -> Result<(), Stop> {
        match self {
            Self::Stdout => {
                io.write(bytes).map_err(|error| Stop::of(error, "error writing 'standard output'"))
            }
            Self::File { path, at, machine } => {
                let written = machine.write_file(path, Some(*at), bytes);
                *at += bytes.len() as u64;
                written.map_err(|error| Stop::of(error, &format!("error writing '{path}'")))
            }
        }
    }
}

/// `131080 bytes (131 kB, 128 KiB) copied, 2 s, 65 kB/s`
fn copied(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.000_001);
    // A rate needs no more digits than a float has.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rate = (bytes as f64 / seconds) as u64;
    let both = match bytes {
        0..1000 => String::new(),
        _ => format!(" ({}, {}iB)", decimal(bytes), human(bytes)),
    };
    format!("{bytes} bytes{both} copied, {seconds:.6} s, {}/s", decimal(rate))
}

/// `131 kB`
fn decimal(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1000 && unit < 4 {
        value /= 1000;
        unit += 1;
    }
    format!("{value} {}", ["B", "kB", "MB", "GB", "TB"][unit])
}

/// `pv [-n] [-b] [-q] [-i SECONDS] [-L RATE]`
fn pv(words: &[String], io: &Io) -> Result<i32, Stop> {
    let after = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1).map(String::as_str)
    };
    let every =
        Duration::from_secs_f64(after("-i").and_then(|text| text.parse().ok()).unwrap_or(1.0f64).max(0.1));
    let limit = after("-L").and_then(super::super::model::properties::bytes).filter(|rate| *rate > 0);
    let quiet = words.iter().any(|word| word == "-q");
    let (begun, mut told, mut bytes) = (Instant::now(), Instant::now(), 0u64);
    // A tenth of a second at most at once, so that the rate is even.
    let most = limit.map_or(64 << 10, |rate| (rate / 10).clamp(1, 64 << 10));
    let mut buffer = vec![0; usize::try_from(most).unwrap_or(1)];
    loop {
        let read = io.read(&mut buffer).map_err(|error| Stop::of(error, "error reading"))?;
        if read == 0 {
            break;
        }
        io.write(&buffer[..read]).map_err(|error| Stop::of(error, "error writing"))?;
        bytes += read as u64;
        if let Some(rate) = limit {
            let due = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        if !quiet && told.elapsed() >= every {
            told = Instant::now();
            io.complain(bytes);
        }
    }
    if !quiet {
        io.complain(bytes);
    }
    Ok(0)
}

fn tee(shell: &Shell, words: &[String], io: &Io) -> Result<i32, Stop> {
    let append = words.iter().any(|word| word == "-a");
    let mut files = Vec::new();
    for path in words.iter().filter(|word| !word.starts_with('-')) {
        files.push(shell.machine.open_file(&shell.absolute(path), append).map_err(Stop::Says)?);
    }
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = io.read(&mut buffer) {
        io.write(&buffer[..count]).map_err(|error| Stop::of(error, "standard output"))?;
        for file in &mut files {
            file.write_all(&buffer[..count]).map_err(|error| Stop::of(error, "write"))?;
        }
    }
    Ok(0)
}
