//! "Did you mean": the known word that a mistyped one is closest to.

/// The candidate that `word` was most likely meant to be: the one with the smallest edit distance,
/// if that is at most a third of the longer word's length (and at least 1). Case is ignored. Of
/// equals the first candidate wins.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let distance = edit_distance(&word, &candidate.to_lowercase());
        let longer = word.chars().count().max(candidate.chars().count());
        let close_enough = distance <= (longer / 3).max(1);
        if close_enough && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many characters have to be inserted, removed or replaced to turn `a` into `b` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (row, from) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in b.iter().enumerate() {
            let replaced = previous[column] + usize::from(from != *to);
            let removed = previous[column + 1] + 1;
            let inserted = current[column] + 1;
            current.push(replaced.min(removed).min(inserted));
        }
        previous = current;
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_nonsense_finds_none() {
        let known = ["last", "hourly", "daily", "weekly", "monthly"];
        let cases = [
            ("dayly", Some("daily")),
            ("Hourly", Some("hourly")),
            ("hurly", Some("hourly")),
            ("montly", Some("monthly")),
            ("lsat", None),
            ("yearly", None),
            ("", None),
            ("täglich", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, &known), expected, "{word:?}");
        }
    }
}
