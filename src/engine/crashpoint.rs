//! Kills this process around the recording of one chosen event, so that tests can restart it from there.
//!
//! Only in debug builds, and only when `ZERFAUX_CRASH_AT` says `<number>:before` or `<number>:after`: the
//! number of the event, counted from 1 over the life of the process, and whether to die before its transaction
//! begins or after it has been confirmed. Dying is a real SIGKILL: no destructor runs, nothing is flushed.

/// The recording of one event.
pub(super) struct Recording {
    #[cfg(debug_assertions)]
    number: u64,
}

impl Recording {
    /// About to record the next event.
    pub(super) fn begin() -> Self {
        #[cfg(debug_assertions)]
        {
            let number = armed::next();
            armed::die_if(number, armed::Moment::Before);
            Self { number }
        }
        #[cfg(not(debug_assertions))]
        Self {}
    }

    /// It is recorded.
    pub(super) fn end(self) {
        #[cfg(debug_assertions)]
        armed::die_if(self.number, armed::Moment::After);
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::process::{Command, Stdio};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Moment {
        Before,
        After,
    }

    static COUNT: AtomicU64 = AtomicU64::new(0);
    static CHOSEN: OnceLock<Option<(u64, Moment)>> = OnceLock::new();

    pub(super) fn next() -> u64 {
        COUNT.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(super) fn die_if(number: u64, moment: Moment) {
        let chosen = CHOSEN.get_or_init(|| parse(&std::env::var("ZERFAUX_CRASH_AT").ok()?));
        if *chosen == Some((number, moment)) {
            die();
        }
    }

    pub(super) fn parse(text: &str) -> Option<(u64, Moment)> {
        let (number, moment) = text.split_once(':')?;
        let moment = match moment {
            "before" => Moment::Before,
            "after" => Moment::After,
            _ => return None,
        };
        Some((number.parse().ok()?, moment))
    }

    /// There is no safe call for a signal to oneself in the standard library, hence the command.
    fn die() -> ! {
        let me = std::process::id().to_string();
        let _ = Command::new("kill").args(["-9", &me]).stdout(Stdio::null()).status();
        std::process::abort()
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::{Moment, parse};

    #[test]
    fn the_variable_names_an_event_and_a_side_of_it() {
        assert_eq!(parse("3:before"), Some((3, Moment::Before)));
        assert_eq!(parse("12:after"), Some((12, Moment::After)));
        assert_eq!(parse("12"), None);
        assert_eq!(parse("x:after"), None);
        assert_eq!(parse("1:during"), None);
    }
}
