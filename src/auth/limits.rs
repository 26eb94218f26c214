//! How long things are good for.

use jiff::{SignedDuration, Timestamp};

use crate::domain::access::Session;

/// A session that is not used for so long is over (OWASP ASVS 5.0, V7).
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// A session ends so long after the sign-in, however much it is used.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(12);
/// Dangerous actions want the password typed within this time.
pub const CONFIRMED: SignedDuration = SignedDuration::from_mins(5);
/// How exactly it is kept when a session or token was used last.
pub const TOUCH: SignedDuration = SignedDuration::from_mins(1);

/// Whether a session still lets its user in.
pub fn is_good(session: &Session, now: Timestamp) -> bool {
    now.duration_since(session.last_seen_at) < IDLE && now.duration_since(session.created_at) < ABSOLUTE
}

/// Whether the password was typed recently enough for a dangerous action.
pub fn is_confirmed(confirmed_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(confirmed_at) < CONFIRMED
}
