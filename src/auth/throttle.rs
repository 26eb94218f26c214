//! How fast somebody may guess: the first few attempts are free, then each costs twice the wait of the one before.
//!
//! An attempt is counted before its password is looked at, and kept in the database, so that neither a thousand
//! guesses at the same time nor a restart get around it. Nobody is locked out for good: the wait has an end, and a
//! right password clears the account's count.

use jiff::{SignedDuration, Timestamp};

use super::secret::digest;
use crate::store::Attempts;

/// Attempts on one account before the first wait.
const FREE_ACCOUNT: i64 = 5;
/// Attempts from one address before the first wait; more, because several people may share it.
const FREE_ADDRESS: i64 = 10;
/// The first wait.
const FIRST: SignedDuration = SignedDuration::from_secs(2);
/// The longest.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);
/// After so long without an attempt the count begins anew.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);

/// Where attempts on this account are counted. Not under its name: what is typed as one may be a password in the wrong
/// field, and that must not be written down.
pub fn account(name: &str) -> String {
    format!("account:{}", digest(&["zerfaux account", name]))
}

/// Where attempts from this address are counted.
pub fn address(address: &str) -> String {
    format!("address:{address}")
}

/// What to keep about one more attempt from `source`.
///
/// # Errors
/// With the time before which no attempt from there is looked at.
pub fn next(source: &str, known: Option<Attempts>, now: Timestamp) -> Result<Attempts, Timestamp> {
    let free = if source.starts_with("account:") { FREE_ACCOUNT } else { FREE_ADDRESS };
    // A count from the future is what a clock that was set back leaves behind; it must not block for years.
    let known = known.filter(|known| {
        let since = now.duration_since(known.last_at);
        since < FORGOTTEN && since > -LONGEST
    });
    if let Some(known) = known
        && now < known.blocked_until
    {
        return Err(known.blocked_until);
    }
    let attempts = known.map_or(0, |known| known.attempts).saturating_add(1);
    Ok(Attempts {
        attempts,
        last_at: now,
        blocked_until: now.saturating_add(wait(attempts - free)).unwrap_or(now),
    })
}

/// The wait after the attempt that is `beyond` the free ones.
fn wait(beyond: i64) -> SignedDuration {
    match u32::try_from(beyond) {
        Ok(beyond) if beyond > 0 => {
            let doubled = 2_i32.checked_pow(beyond - 1).and_then(|factor| FIRST.checked_mul(factor));
            doubled.map_or(LONGEST, |wait| wait.min(LONGEST))
        }
        _ => SignedDuration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(source: &str, guesses: usize, pause: SignedDuration) -> usize {
        let (mut now, mut known, mut looked_at) = (Timestamp::UNIX_EPOCH, None, 0);
        for _ in 0..guesses {
            if let Ok(kept) = next(source, known, now) {
                (known, looked_at) = (Some(kept), looked_at + 1);
            }
            now += pause;
        }
        looked_at
    }

    #[test]
    fn of_a_thousand_guesses_as_fast_as_they_go_a_handful_is_looked_at() {
        assert_eq!(evaluated("account:anna", 1000, SignedDuration::ZERO), 6);
        assert_eq!(evaluated("address:10.0.0.7", 1000, SignedDuration::ZERO), 11);
        assert!(evaluated("account:anna", 1000, SignedDuration::from_millis(100)) <= 12);
    }

    #[test]
    fn the_wait_ends_and_an_hour_without_attempts_clears_the_count() {
        let mut known = None;
        let mut now = Timestamp::UNIX_EPOCH;
        for _ in 0..40 {
            match next("account:anna", known, now) {
                Ok(kept) => known = Some(kept),
                Err(until) => {
                    assert!(until.duration_since(now) <= LONGEST);
                    now = until;
                }
            }
        }
        let later = now + FORGOTTEN + SignedDuration::from_secs(1);
        assert_eq!(next("account:anna", known, later).unwrap().attempts, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lock_anybody_out() {
        let ahead = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365);
        let known = Attempts { attempts: 30, last_at: ahead, blocked_until: ahead + LONGEST };
        assert_eq!(next("account:anna", Some(known), Timestamp::UNIX_EPOCH).unwrap().attempts, 1);
    }
}
