//! The contract of a storage host (`tests/support/contract.rs`), kept by the simulated appliance.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;
#[path = "support/contract.rs"]
mod contract;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use appliances::Sim;
use contract::Ground;
use sha2::{Digest, Sha256};
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::host::Host;
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, Link, PinnedFingerprint};
use zerfaux::zfs::Zfs;

struct Place {
    sim: Sim,
    seed: AtomicU64,
}

impl Place {
    fn new() -> Self {
        let sim = Sim::new("lab");
        sim.root("zfs create lab/here");
        Self { sim, seed: AtomicU64::new(1) }
    }

    fn act(&self, words: &[String]) -> Option<String> {
        let name = self.name(words.get(1)?);
        let quoted = |text: &str| format!("'{text}'");
        let part = |mark: &str| Some(quoted(&format!("{name}{mark}{}", words.get(2)?)));
        let options =
            |from: usize| words.iter().skip(from).map(|pair| format!("-o '{pair}' ")).collect::<String>();
        let dataset = quoted(&name);
        Some(match words[0].as_str() {
            "+" => format!("zfs create -p {}{dataset}", options(2)),
            "v" => format!("zfs create -p -s -V {} {dataset}", words.get(2)?),
            "e" => format!(
                "printf %s {} | zfs create -o encryption=on -o keyformat=passphrase {dataset}",
                words.get(2)?
            ),
            "x" => format!("rm \"$(zfs get -H -o value mountpoint {dataset})/{}\"", words.get(2)?),
            "@" => format!("zfs snapshot {}{}", if words.len() > 3 { "-r " } else { "" }, part("@")?),
            "b" => format!("zfs bookmark {} {}", part("@")?, quoted(&format!("{name}#{}", words.get(3)?))),
            "c" => format!("zfs clone {} {}", part("@")?, quoted(&self.name(words.get(3)?))),
            "h" => format!("zfs hold {} {}", words.get(3)?, part("@")?),
            "p" => format!("zfs set {} {dataset}", words.get(2)?),
            "m" => format!("zfs mount {dataset}"),
            "u" => format!("zfs unmount {dataset}"),
            "l" => format!("zfs unload-key {dataset}"),
            "-" => format!("zfs destroy {dataset}"),
            _ => return None,
        })
    }
}

/// Words of a line: separated by spaces; `"two words"` is one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(index, part)| match index % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

fn size(text: &str) -> usize {
    let digits: usize = text.trim_end_matches(['K', 'M']).parse().unwrap();
    digits
        << if text.ends_with('M') {
            20
        } else if text.ends_with('K') {
            10
        } else {
            0
        }
}

impl Ground for Place {
    fn name(&self, relative: &str) -> String {
        if relative == "." { "lab/here".to_owned() } else { format!("lab/here/{relative}") }
    }

    fn play(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words = words(line);
            let seed = self.seed.fetch_add(1, Ordering::Relaxed);
            match words[0].as_str() {
                "w" => self.sim.fill(&self.name(&words[1]), &words[2], size(&words[3]), seed),
                "d" => self.sim.fill(&self.name(&words[1]), "", size(&words[2]), seed),
                _ => drop(self.sim.root(&self.act(&words).unwrap_or_else(|| panic!("not a line: {line}")))),
            }
        }
    }

    fn shell(&self, script: &str) -> (i32, String) {
        let ran = self.sim.run(script);
        (ran.status, ran.stderr)
    }

    fn files(&self, snapshot: &str) -> BTreeMap<String, String> {
        let hash = |bytes: Vec<u8>| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let files = self.sim.files(&self.name(snapshot)).into_iter();
        files.filter_map(|(path, content)| Some((path, hash(content?)))).collect()
    }

    async fn zfs(&self) -> Zfs {
        let address = self.sim.address();
        let endpoint = Endpoint::new("zfsadmin", &address.ip().to_string(), address.port()).unwrap();
        let key = Identity::Key(KeyPair::generate().unwrap());
        let host_key = PinnedFingerprint::new(&self.sim.host_key_fingerprint());
        let link = Link::new(endpoint, ConnectOptions::new(vec![key], Arc::new(host_key)));
        Zfs::detect(Host::remote(link)).await.unwrap()
    }
}

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            contract::$name(&Place::new());
        })*
    };
}

contract_cases!(tests);
