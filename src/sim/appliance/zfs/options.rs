//! Options as getopt(3) reads them, and figures as people read them.

/// The options and operands of a command.
#[derive(Debug, Default)]
pub(crate) struct Options {
    flags: Vec<(char, String)>,
    pub(crate) rest: Vec<String>,
}

impl Options {
    /// Reads `words`; a letter of `letters` followed by `:` takes a value. The error is getopt's.
    pub(crate) fn read(words: &[String], letters: &str) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(cluster) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
                options.rest.push(word.clone());
                continue;
            };
            if cluster == "-" {
                options.rest.extend(words.cloned());
                break;
            }
            let mut cluster = cluster.chars();
            while let Some(letter) = cluster.next() {
                let Some(at) = letters.find(letter).filter(|_| letter != ':') else {
                    return Err(format!("invalid option '{letter}'"));
                };
                if letters[at + 1..].starts_with(':') {
                    let attached: String = cluster.by_ref().collect();
                    let value = if attached.is_empty() { words.next().cloned() } else { Some(attached) };
                    let value = value.ok_or_else(|| format!("missing argument for '{letter}' option"))?;
                    options.flags.push((letter, value));
                } else {
                    options.flags.push((letter, String::new()));
                }
            }
        }
        Ok(options)
    }

    pub(crate) fn has(&self, letter: char) -> bool {
        self.flags.iter().any(|(flag, _)| *flag == letter)
    }

    pub(crate) fn value(&self, letter: char) -> Option<&str> {
        self.values(letter).last()
    }

    pub(crate) fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(move |(flag, _)| *flag == letter).map(|(_, value)| value.as_str())
    }

    /// The values of an option as `name=value`.
    pub(crate) fn pairs(&self, letter: char) -> Vec<(String, String)> {
        let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.values(letter).filter_map(pair).collect()
    }
}

/// `8.03M`, as `zfs` prints sizes without `-p`.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "K", "M", "G", "T", "P", "E"];
    let mut unit = 0_u32;
    while unit < 6 && bytes >> (10 * (unit + 1)) > 0 {
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes}B");
    }
    // As OpenZFS says it: a whole number without decimals.
    if bytes.trailing_zeros() >= 10 * unit {
        return format!("{}{}", bytes >> (10 * unit), UNITS[usize::try_from(unit).unwrap_or(0)]);
    }
    // Two decimals do not need the last of 64 bits.
    #[allow(clippy::cast_precision_loss)]
    let value = bytes as f64 / (1u64 << (10 * unit)) as f64;
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}{}", UNITS[usize::try_from(unit).unwrap_or(0)])
}
