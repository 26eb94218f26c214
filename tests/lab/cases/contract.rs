//! The contract of a storage host (`tests/support/contract.rs`), kept by real OpenZFS.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::contract::{self, Ground};
use crate::contract_cases;
use crate::lab::{Entry, Side, hosts};
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::host::Host;
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, KnownHosts, Link};
use zerfaux::zfs::Zfs;

struct Place(Side);

impl Ground for Place {
    fn name(&self, relative: &str) -> String {
        self.0.name(relative)
    }

    fn play(&self, lines: &str) {
        self.0.play(lines);
    }

    fn shell(&self, script: &str) -> (i32, String) {
        let answer = self.0.host.try_as("root", script);
        (answer.status, answer.stderr)
    }

    fn files(&self, snapshot: &str) -> BTreeMap<String, String> {
        let files = self.0.files(snapshot).into_iter();
        files
            .filter_map(|(path, entry)| match entry {
                Entry::File(hash) => Some((path, hash)),
                Entry::Other(_) => None,
            })
            .collect()
    }

    async fn zfs(&self) -> Zfs {
        let host = self.0.host;
        let endpoint = Endpoint { user: "zfsadmin".into(), host: host.address.clone(), port: host.port };
        let key = Identity::Key(KeyPair::from_file(&host.key, None).unwrap());
        let known = KnownHosts::new(vec![host.known_hosts.clone()], false);
        let options = ConnectOptions::new(vec![key], Arc::new(known));
        Zfs::detect(Host::remote(Link::new(endpoint, options))).await.unwrap()
    }
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        #[ignore = "needs the lab: tests/run"]
        fn $name() {
            contract::$name(&Place(Side::new(hosts().0, "contract")));
        })*
    };
}

contract_cases!(cases);
