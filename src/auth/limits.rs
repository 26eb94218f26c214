//! How long things are good for.

use jiff::{SignedDuration, Timestamp};

use crate::domain::access::Session;
use crate::domain::settings::Settings;

/// Dangerous actions want the password typed within this time.
pub const CONFIRMED: SignedDuration = SignedDuration::from_mins(5);
/// How exactly it is kept when a session or token was used last.
pub const TOUCH: SignedDuration = SignedDuration::from_mins(1);

/// Whether a session still lets its user in: it was used lately, and is not too old (OWASP ASVS 5.0, V7).
pub fn is_good(session: &Session, now: Timestamp, settings: Settings) -> bool {
    now.duration_since(session.last_seen_at) < settings.session_idle()
        && now.duration_since(session.created_at) < settings.session_absolute()
}

/// Whether the password was typed recently enough for a dangerous action.
pub fn is_confirmed(confirmed_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(confirmed_at) < CONFIRMED
}
