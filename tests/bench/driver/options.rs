//! `--name VALUE` pairs; what a benchmark does not ask for is an error of nobody.

use std::collections::HashMap;

/// What was given on the command line.
pub struct Options(HashMap<String, String>);

impl Options {
    pub fn parse(words: &[String]) -> Self {
        let mut found = HashMap::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").unwrap_or_else(|| wrong(word));
            let value = words.next().unwrap_or_else(|| wrong(word));
            found.insert(name.to_owned(), value.clone());
        }
        Self(found)
    }

    /// A number, or this one.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        match self.0.get(name) {
            None => default,
            Some(text) => text.parse().unwrap_or_else(|_| wrong(name)),
        }
    }

    /// A seed that was given, else that of `tests/campaign`, else a new one.
    pub fn seed(&self) -> u64 {
        let from_campaign = std::env::var("ZERFAUX_CAMPAIGN_SEED").ok();
        let given = self.0.get("seed").or(from_campaign.as_ref());
        given.map_or_else(
            || std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64,
            |text| text.parse().unwrap_or_else(|_| wrong("seed")),
        )
    }
}

fn wrong(word: &str) -> ! {
    eprintln!("not understood: {word} (options are --name NUMBER)");
    std::process::exit(2);
}
