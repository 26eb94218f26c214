//! When a protection group is looked over again, and what of a look is new. A result is kept with its time, so a restart looks
//! at nothing anew; and a clock that jumps makes each group due once, not more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::obstacles::Obstacle;
use crate::domain::preflight::{DatasetSeen, KnownObstacle, Preflight};

/// From one look to the next.
pub const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The same after one in which the source appliance did not answer.
pub const AGAIN: Duration = Duration::from_secs(15 * 60);
/// So far ahead of now a look may be dated before the clock is taken for put back.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// The kind of the obstacle that says that the source appliance did not answer. It has its own place among what needs somebody.
pub const NOT_LOOKED_AT: &str = "not_looked_at";

/// Whether a group is to be looked over now.
pub fn is_due(last: Option<&Preflight>, now: Timestamp) -> bool {
    let Some(last) = last else { return true };
    let age = now.duration_since(last.checked_at);
    let wait = if last.seen.is_some() { EVERY } else { AGAIN };
    age < -AHEAD || age >= SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)
}

/// Whether a look without the appliance, with what it showed last, finds something else than the last one found.
pub fn differs(last: &Preflight, found: &[Obstacle]) -> bool {
    found.len() != last.obstacles.len()
        || found.iter().any(|one| !last.obstacles.iter().any(|old| is(old, one) && old.why == one.why))
}

/// What is kept of a look. What was known keeps its time; what was not is new, unless this is the first look of all. While the
/// source appliance does not answer, what it showed last is taken to stand.
pub fn preflight(
    last: Option<&Preflight>,
    found: Vec<Obstacle>,
    seen: Option<DatasetSeen>,
    (ready, vms): (u64, u64),
    now: Timestamp,
) -> Preflight {
    let mut obstacles: Vec<KnownObstacle> = Vec::new();
    for one in found {
        let before = last.and_then(|last| last.obstacles.iter().find(|old| is(old, &one)));
        let news = last.is_some() && one.kind != NOT_LOOKED_AT;
        obstacles.push(KnownObstacle {
            since: before.map_or(now, |old| old.since),
            is_new: before.map_or(news, |old| old.is_new),
            kind: one.kind.to_owned(),
            object: one.object,
            why: one.why,
            advice: one.advice,
        });
    }
    if let (None, Some(last)) = (&seen, last) {
        let of_dataset = |one: &&KnownObstacle| OF_DATASET.contains(&one.kind.as_str());
        obstacles.extend(last.obstacles.iter().filter(of_dataset).cloned());
    }
    Preflight { checked_at: now, seen, obstacles, ready, vms }
}

/// What only the source appliance can show.
const OF_DATASET: [&str; 4] = ["no_dataset", "child_dataset", "encryption", "encryption_untried"];

fn is(old: &KnownObstacle, one: &Obstacle) -> bool {
    old.kind == one.kind && old.object == one.object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(100_000 + hours)
    }

    fn obstacle(kind: &'static str, object: &str) -> Obstacle {
        Obstacle { kind, object: object.into(), why: "It hurts.".into(), advice: "Mend it.".into() }
    }

    fn sound(last: Option<&Preflight>, found: Vec<Obstacle>, now: Timestamp) -> Preflight {
        preflight(last, found, Some(DatasetSeen::default()), (1, 2), now)
    }

    #[test]
    fn a_group_is_looked_over_once_a_day_and_soon_again_where_the_appliance_was_silent() {
        let last = sound(None, Vec::new(), at(0));
        assert!(is_due(None, at(0)));
        assert!(!is_due(Some(&last), at(23)) && is_due(Some(&last), at(24)));
        let silent = Preflight { seen: None, ..last };
        assert!(!is_due(Some(&silent), at(0)) && is_due(Some(&silent), at(1)));
    }

    #[test]
    fn however_the_clock_jumps_a_group_is_due_at_most_once_for_it() {
        let last = sound(None, Vec::new(), at(0));
        for jump in [-24 * 3650, -25, -1, 1, 25, 24 * 3650] {
            let now = at(jump);
            if is_due(Some(&last), now) {
                let then = sound(Some(&last), Vec::new(), now);
                assert!(!is_due(Some(&then), now + SignedDuration::from_secs(60)), "{jump}");
            } else {
                assert!((0..24).contains(&jump), "{jump}: it would stay unlooked at for longer than a day");
            }
        }
        assert!(
            !is_due(Some(&last), at(0) - SignedDuration::from_secs(30)),
            "clocks are never quite the same"
        );
    }

    #[test]
    fn what_comes_later_is_new_until_it_is_seen_and_what_was_there_at_first_is_not() {
        let first = sound(None, vec![obstacle("snapshot", "a")], at(0));
        assert_eq!(first.new_ones(), 0);
        let found = vec![obstacle("snapshot", "a"), obstacle("snapshot", "b")];
        assert!(differs(&first, &found) && !differs(&first, &found[..1]));
        let second = sound(Some(&first), found.clone(), at(1));
        assert_eq!((second.new_ones(), second.obstacles[0].since), (1, at(0)));
        let third = sound(Some(&second), found, at(2));
        assert_eq!((third.new_ones(), third.obstacles[1].since), (1, at(1)), "it stays new");
        let gone = sound(Some(&third), Vec::new(), at(3));
        let back = sound(Some(&gone), vec![obstacle("snapshot", "b")], at(4));
        assert_eq!((gone.new_ones(), back.new_ones()), (0, 1));
    }

    #[test]
    fn a_silent_appliance_is_no_new_obstacle_and_hides_none() {
        let child = obstacle("child_dataset", "tank/erp/x");
        let first = sound(None, vec![child.clone()], at(0));
        let silent = preflight(Some(&first), vec![obstacle(NOT_LOOKED_AT, "tank/erp")], None, (0, 2), at(24));
        let kinds: Vec<&str> = silent.obstacles.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!((kinds, silent.new_ones()), (vec![NOT_LOOKED_AT, "child_dataset"], 0));
        let again = sound(Some(&silent), vec![child], at(25));
        assert_eq!((again.new_ones(), again.obstacles[0].since), (0, at(0)));
    }
}
