//! A transfer to or from another simulated machine: `rsync --server` there, started over the remote shell.
//!
//! Messages: length (4), tag (1), JSON; after that of a file, its bytes.

use std::io::{Read, Write};
use std::sync::{Arc, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::carry::Entry;
use super::super::{Io, Shell};
use super::Failure;
use super::options::{Options, Plan};
use super::sides::{Linked, Receiver, Sender, Wanted, digest, keep, wanted};
use super::told::Figures;
use crate::sim::appliance::shell::pipe::{Reader, Writer, pipe};
use crate::sim::appliance::shell::process::Process;

/// No honest message is longer.
const MOST: u32 = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    plan: Plan,
    to: String,
    list: Vec<(Entry, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    plan: Plan,
    from: String,
}

/// A file with the places of its bytes, which follow.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    entry: Entry,
    extents: Vec<(u64, u64)>,
}

fn write(to: &mut dyn Write, tag: u8, message: &impl Serialize) -> std::io::Result<()> {
    let json = serde_json::to_vec(message)?;
    to.write_all(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    to.write_all(&[tag])?;
    to.write_all(&json)
}

fn read(from: &mut dyn Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    if length > MOST {
        return Err(std::io::Error::other("not a message"));
    }
    let mut json = vec![0; length as usize];
    from.read_exact(&mut json)?;
    Ok((head[4], json))
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> std::io::Result<T> {
    Ok(serde_json::from_slice(json)?)
}

fn write_entry(to: &mut dyn Write, entry: &Entry) -> std::io::Result<()> {
    let extents = entry.extents.iter().map(|(offset, bytes)| (*offset, bytes.len() as u64)).collect();
    write(to, b'E', &Head { entry: entry.clone(), extents })?;
    entry.extents.iter().try_for_each(|(_, bytes)| to.write_all(bytes))
}

fn read_entry(json: &[u8], from: &mut dyn Read) -> std::io::Result<Entry> {
    let Head { mut entry, extents } = parse(json)?;
    for (offset, length) in extents {
        let mut bytes = vec![0; usize::try_from(length.min(u64::from(MOST))).unwrap_or(0)];
        from.read_exact(&mut bytes)?;
        entry.extents.push((offset, bytes));
    }
    Ok(entry)
}

/// One word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `rsync --server` on another machine.
pub(super) struct Remote<'a> {
    options: &'a Options,
    to: String,
    input: Option<Writer>,
    output: Reader,
    process: Arc<Process>,
    received: u64,
}

impl<'a> Remote<'a> {
    fn start(shell: &Shell, options: &'a Options, host: &str, path: &str, io: &Io) -> Result<Self, Failure> {
        let remote = format!("{} --server .", options.program);
        let script = format!("{} {} {}", options.shell, quote(host), quote(&remote));
        let ((stdin, input), (output, stdout)) = (pipe(), pipe());
        let mut own = Io::new(stdin, stdout, std::io::sink());
        own.stderr = Arc::clone(&io.stderr);
        let process = shell.machine.new_process();
        let (mut shell, started) = (shell.clone(), Arc::clone(&process));
        let work = move || {
            started.run(|| shell.run_text(&script, &own));
        };
        let thread = std::thread::Builder::new().name("sim-rsync-ssh".to_owned()).spawn(work);
        thread.map_err(|error| Failure::new(14, format!("rsync: fork failed: {error}")))?;
        Ok(Self { options, to: path.to_owned(), input: Some(input), output, process, received: 0 })
    }

    /// To send files there.
    pub(super) fn push(
        shell: &Shell,
        options: &'a Options,
        host: &str,
        path: &str,
        io: &Io,
    ) -> Result<Self, Failure> {
        Self::start(shell, options, host, path, io)
    }

    /// The other end is gone: what became of the remote shell says why.
    fn lost(&self) -> Failure {
        let said = format!(
            "rsync: connection unexpectedly closed ({} bytes received so far) [sender]",
            self.received
        );
        match self.process.wait() {
            0 => Failure::new(12, said),
            code => Failure::new(code, said),
        }
    }

    fn say(&mut self, tag: u8, message: &impl Serialize) -> Result<(), Failure> {
        let written = self.input.as_mut().map(|input| write(input, tag, message));
        if matches!(written, Some(Ok(()))) {
            return Ok(());
        }
        // It may have said why before it left.
        self.hear().and_then(|_| Err(self.lost()))
    }

    fn hear(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let (tag, json) = read(&mut self.output).map_err(|_| self.lost())?;
        self.received += json.len() as u64 + 5;
        match tag {
            b'F' => {
                let (code, said) = parse(&json).unwrap_or((12, String::new()));
                Err(Failure { code, said })
            }
            tag => Ok((tag, json)),
        }
    }

    /// The remote shell's end; how many bytes came from there.
    pub(super) fn finish(mut self) -> Result<u64, Failure> {
        self.input = None;
        match self.process.wait() {
            0 => Ok(self.received),
            _ => Err(self.lost()),
        }
    }
}

impl Receiver for Remote<'_> {
    fn offer(&mut self, list: &[Entry]) -> Result<Wanted, Failure> {
        let list = list.iter().map(|entry| (entry.clone(), digest(entry))).collect();
        self.say(b'L', &Offer { plan: self.options.plan.clone(), to: self.to.clone(), list })?;
        let (_, json) = self.hear()?;
        parse(&json).map_err(|error| Failure::new(12, error.to_string()))
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Failure> {
        let written = self.input.as_mut().map(|input| write_entry(input, entry));
        if matches!(written, Some(Ok(()))) {
            return Ok(());
        }
        // It may have said why before it left.
        self.hear().and_then(|_| Err(self.lost()))
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.say(b'Z', &())?;
        self.hear().map(drop)
    }
}

/// Gets files from there. True if something was not there.
pub(super) fn pull(
    shell: &Shell,
    options: &Options,
    (host, from): (&str, &str),
    to: &str,
    figures: &mut Figures,
    io: &Io,
) -> Result<bool, Failure> {
    if options.verbose {
        io.say("receiving incremental file list\n");
    }
    let mut remote = Remote::start(shell, options, host, from, io)?;
    remote.say(b'P', &Request { plan: options.plan.clone(), from: from.to_owned() })?;
    let (_, json) = remote.hear()?;
    let broken = |error: std::io::Error| Failure::new(12, error.to_string());
    let list: Option<Vec<(Entry, u64)>> = parse(&json).map_err(broken)?;
    let Some(list) = list else {
        io.complain(super::not_there(from));
        return Ok(true);
    };
    let (list, contents): (Vec<Entry>, Vec<u64>) = list.into_iter().unzip();
    let wanted = wanted(&mut shell.machine.state(), to, &options.plan, &list, &contents)?;
    figures.note_deleted(&wanted.deleted, options, io);
    for change in &wanted.changes {
        figures.note(&list[change.number], change, options, io);
    }
    figures.count(&list);
    let numbers: Vec<usize> = wanted.changes.iter().map(|change| change.number).collect();
    let numbers = if options.plan.dry_run { Vec::new() } else { numbers };
    remote.say(b'N', &numbers)?;
    let mut linked = Linked::default();
    for _ in &numbers {
        let (_, json) = remote.hear()?;
        let entry = read_entry(&json, &mut remote.output).map_err(|_| remote.lost())?;
        figures.received += entry.extents.iter().map(|(_, bytes)| bytes.len() as u64 + 16).sum::<u64>() + 60;
        keep(&mut shell.machine.state(), to, &options.plan, &entry, &mut linked)?;
    }
    remote.finish()?;
    Ok(false)
}

/// `rsync --server`, at the other end.
pub(super) fn serve(shell: &Shell, words: &[String], io: &Io) -> i32 {
    if words.len() < 2 {
        io.complain("rsync error: syntax or usage error (code 1) at main.c(1795) [server=3.2.7]");
        return 1;
    }
    match conversation(shell, io) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => {
            let mut out = io.stdout.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever is gone needs no reason.
            let _ = write(&mut *out, b'F', &(failure.code, &failure.said));
            failure.code
        }
        Err(_) => 12,
    }
}

fn tell(io: &Io, tag: u8, message: &impl Serialize) -> std::io::Result<()> {
    let mut out = io.stdout.lock().unwrap_or_else(PoisonError::into_inner);
    write(&mut *out, tag, message)
}

fn conversation(shell: &Shell, io: &Io) -> std::io::Result<Result<(), Failure>> {
    let mut stdin = io.stdin.lock().unwrap_or_else(PoisonError::into_inner);
    let (tag, json) = read(&mut *stdin)?;
    if tag == b'P' {
        let Request { plan, from } = parse(&json)?;
        let Some(sender) = Sender::new(shell, &shell.absolute(&from), &plan) else {
            tell(io, b'L', &None::<Vec<(Entry, u64)>>)?;
            return Ok(Ok(()));
        };
        let list: Vec<(Entry, u64)> =
            sender.list().into_iter().map(|entry| (entry.clone(), digest(&entry))).collect();
        tell(io, b'L', &Some(list))?;
        let (_, json) = read(&mut *stdin)?;
        for number in parse::<Vec<usize>>(&json)? {
            let mut out = io.stdout.lock().unwrap_or_else(PoisonError::into_inner);
            write_entry(&mut *out, &sender.entry(number))?;
        }
        return Ok(Ok(()));
    }
    let Offer { plan, to, list } = parse(&json)?;
    let to = shell.absolute(&to);
    let (list, contents): (Vec<Entry>, Vec<u64>) = list.into_iter().unzip();
    match wanted(&mut shell.machine.state(), &to, &plan, &list, &contents) {
        Ok(wanted) => tell(io, b'W', &wanted)?,
        Err(failure) => return Ok(Err(failure)),
    }
    let mut linked = Linked::default();
    loop {
        match read(&mut *stdin)? {
            (b'E', json) => {
                let entry = read_entry(&json, &mut *stdin)?;
                if let Err(failure) = keep(&mut shell.machine.state(), &to, &plan, &entry, &mut linked) {
                    return Ok(Err(failure));
                }
            }
            _ => {
                tell(io, b'D', &())?;
                return Ok(Ok(()));
            }
        }
    }
}
