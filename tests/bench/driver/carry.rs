//! The process that only carries: the library's relay and nothing else, as `zerfaux replicate` uses it.
//!
//! `carry KEY KNOWN_HOSTS PORT_A PORT_B SEND RECEIVE [TIMES [RATE@SECONDS,…]]`

use std::io::Write;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zerfaux::domain::argv::Argv;
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::host::{Host, Meter, RelayRequest, relay};
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, KnownHosts, Link};

use crate::cost;
use crate::sshd::user;

pub fn main(args: &[String]) {
    let [key, known, from, to, send, receive, rest @ ..] = args else { panic!("carry: too few words") };
    let key = KeyPair::from_file(key.as_ref(), None).unwrap();
    let host = |port: &str| {
        let known = KnownHosts::new(vec![known.into()], false);
        let options = ConnectOptions::new(vec![Identity::Key(key.clone())], Arc::new(known));
        let endpoint = Endpoint::new(&user(), "127.0.0.1", port.parse().unwrap()).unwrap();
        Host::remote(Link::new(endpoint, options))
    };
    let (source, destination) = (host(from), host(to));
    let times: usize = rest.first().map_or(1, |text| text.parse().unwrap());
    let rates = rest.get(1).map(|text| steps(text)).unwrap_or_default();
    let (limit, limited) = watch::channel(rates.first().map(|step| step.0));
    let request = |send: &str, receive: &str| RelayRequest {
        source: source.clone(),
        send: Argv::new(["sh", "-c", send]).unwrap(),
        destination: destination.clone(),
        receive: Argv::new(["sh", "-c", receive]).unwrap(),
        meter: Arc::new(Meter::new()),
        limit: limited.clone(),
        cancel: CancellationToken::new(),
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        if times > 1 || !rates.is_empty() {
            // What a process needs once is not what a transfer needs.
            relay(request("true", "cat > /dev/null")).await.unwrap();
            say("resident", cost::resident(std::process::id()).unwrap());
        }
        let all: Vec<_> = (0..times).map(|_| tokio::spawn(relay(request(send, receive)))).collect();
        for (rate, seconds) in rates {
            let _ = limit.send(Some(rate));
            say(&format!("rate {rate}"), nanoseconds());
            tokio::time::sleep(seconds).await;
        }
        if rest.len() > 1 {
            // The measurement is over, the stream need not be.
            std::process::exit(0);
        }
        for one in all {
            one.await.unwrap().unwrap();
        }
    });
}

/// Nanoseconds of the wall clock, for comparing between processes.
pub fn nanoseconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

fn say(what: &str, value: u64) {
    println!("{what} {value}");
    std::io::stdout().flush().unwrap();
}

fn steps(text: &str) -> Vec<(NonZeroU64, Duration)> {
    let step = |step: &str| {
        let (rate, seconds) = step.split_once('@')?;
        Some((rate.parse().ok()?, Duration::from_secs(seconds.parse().ok()?)))
    };
    text.split(',').map(|text| step(text).unwrap()).collect()
}
