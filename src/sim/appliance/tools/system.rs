//! What the machine says of itself: `id`, `uname`, `hostname`, `date`, …

use super::{Io, Shell, find};

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    Some(match program {
        "id" => {
            let uid = if shell.is_root() { 0 } else { 1000 };
            io.say(match words.first().map(String::as_str) {
                Some("-u") => format!("{uid}\n"),
                Some("-un") => format!("{}\n", shell.user),
                _ => format!("uid={uid}({0}) gid={uid}({0}) groups={uid}({0})\n", shell.user),
            });
            0
        }
        "uname" => {
            io.say(match words.first().map(String::as_str) {
                Some("-n") => format!("{}\n", shell.machine.hostname),
                Some("-r") => "6.1.0-sim-amd64\n".to_owned(),
                Some("-m") => "x86_64\n".to_owned(),
                Some("-a") => format!("Linux {} 6.1.0-sim-amd64 x86_64 GNU/Linux\n", shell.machine.hostname),
                _ => "Linux\n".to_owned(),
            });
            0
        }
        "hostname" => {
            io.say(format!("{}\n", shell.machine.hostname));
            0
        }
        "nproc" => {
            io.say("2\n");
            0
        }
        "date" => {
            let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(shell.machine.skew());
            io.say(match words.iter().find_map(|word| word.strip_prefix('+')) {
                Some("%s") => format!("{}\n", now.as_second()),
                Some("%s.%N") => format!("{}.{:09}\n", now.as_second(), now.subsec_nanosecond()),
                Some("%s%N") => format!("{}{:09}\n", now.as_second(), now.subsec_nanosecond()),
                _ => format!("{now:.0}\n"),
            });
            0
        }
        "sleep" => {
            let seconds: f64 = words.first().and_then(|word| word.parse().ok()).unwrap_or(0.0);
            let end =
                std::time::Instant::now() + std::time::Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
            // In pieces, so that a connection that is gone, or a kill, does not keep it.
            while std::time::Instant::now() < end
                && !shell.session.hangup.is_cancelled()
                && !crate::sim::appliance::shell::process::is_killed()
            {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            0
        }
        "which" => match words.first().and_then(|name| find(shell, name)) {
            Some(path) => {
                io.say(path + "\n");
                0
            }
            None => 1,
        },
        _ => return None,
    })
}
