//! `zfs send`.

use std::io;
use std::sync::Arc;

use super::super::machine::Machine;
use super::super::shell::Io;
use super::super::stream::{Record, write, write_magic};
use super::plan::{Package, length, plan};
use super::refuse::suspended;
use super::{Options, Reply, human};

const LONG: &[(&str, &str)] = &[
    ("--raw", "-w"),
    ("--replicate", "-R"),
    ("--props", "-p"),
    ("--large-block", "-L"),
    ("--embed", "-e"),
    ("--compressed", "-c"),
    ("--dryrun", "-n"),
    ("--verbose", "-v"),
    ("--parsable", "-P"),
];

pub(super) fn run(machine: &Arc<Machine>, words: &[String], io: &Io) -> i32 {
    let short = |word: &String| {
        LONG.iter()
            .find(|(long, _)| *long == word)
            .map_or_else(|| word.clone(), |(_, short)| (*short).to_owned())
    };
    let words: Vec<String> = words.iter().map(short).collect();
    let options = match Options::read(&words, "DLPRVbcehnpsvwi:I:t:d:X:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error).tell(io),
    };
    let (dry, verbose) = (options.has('n'), options.has('v') || options.has('P'));
    let planned = {
        let state = machine.state();
        if let Some(reply) = suspended(&state, "send", &words) {
            return reply.tell(io);
        }
        plan(&state, &options)
    };
    // A dry run speaks on standard output, a real one beside its stream.
    let tell = |text: &str| {
        if dry {
            io.say(text);
        } else if verbose {
            io.complain(text.trim_end_matches('\n'));
        }
    };
    let (packages, printed) = match planned {
        Ok(planned) => planned,
        Err(refused) => {
            if verbose && !refused.printed.is_empty() {
                tell(&refused.printed);
            }
            // A dry run asks the kernel at once, whose errno is all that it can tell of a bookmark that is not there.
            let told = match refused.told.split_once(": incremental source (") {
                Some((before, base)) if dry && base.contains('#') => format!("{before}: No such process"),
                _ => refused.told,
            };
            io.complain(told);
            return refused.exit;
        }
    };
    if verbose {
        tell(&(printed + &describe(&packages, options.has('P'))));
    }
    if dry {
        return 0;
    }
    match stream(&packages, io) {
        Ok(()) => 0,
        Err(error) => {
            // Nobody reads any more: the signal SIGPIPE says nothing.
            if error.kind() != io::ErrorKind::BrokenPipe {
                io.complain(format_args!("warning: cannot send: {error}"));
            }
            1
        }
    }
}

fn describe(packages: &[Package], exact: bool) -> String {
    let mut text = String::new();
    for package in packages {
        let (name, size) = (&package.begin.to_name, package.length());
        text.push_str(&match (&package.base, exact) {
            (Some(base), true) => format!("incremental\t{base}\t{name}\t{size}\n"),
            (None, true) => format!("full\t{name}\t{size}\n"),
            (Some(base), false) => format!("send from {base} to {name} estimated size is {}\n", human(size)),
            (None, false) => format!("full send of {name} estimated size is {}\n", human(size)),
        });
    }
    let total = length(packages);
    text.push_str(&if exact {
        format!("size\t{total}\n")
    } else {
        format!("total estimated size is {}\n", human(total))
    });
    text
}

fn stream(packages: &[Package], io: &Io) -> io::Result<()> {
    let mut sink = |bytes: &[u8]| io.write(bytes);
    write_magic(&mut sink)?;
    for package in packages {
        write(&Record::Begin(Box::new(package.begin.clone())), &mut sink)?;
        write(&Record::Names(package.names()), &mut sink)?;
        for block in &package.blocks {
            write(&package.record(block), &mut sink)?;
        }
        write(&Record::End, &mut sink)?;
    }
    Ok(())
}
