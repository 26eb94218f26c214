//! R9: what nobody should send. Requests that are mutated, output of `zfs` and `zpool` that is, tokens and names; heads and
//! bodies that do not end, and bodies of 100 MiB. Nothing may panic, and memory may not grow by more than 100 MiB.
//!
//! Beside it: SOAP answers, in `tests/vsphere_wire.rs`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt;
use zerfaux::app::Principal;
use zerfaux::auth::table::RULES;
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::names::{DatasetName, SnapTag, SnapshotName};
use zerfaux::domain::rate::Rate;
use zerfaux::domain::retention::Retention;
use zerfaux::server::{Options as ServerOptions, Tls, router};

use crate::cost;
use crate::options::Options;
use crate::random::Random;
use crate::served::Served;

const MIB: u64 = 1 << 20;
/// What is put into texts at random places.
const PIECES: &[&str] = &[
    "\t",
    "\n",
    "\r\n",
    "-",
    "--",
    "'",
    "\"",
    "`",
    "$(id)",
    ";",
    "|",
    "&",
    "<",
    ">",
    "../",
    "%2e%2e%2f",
    "%00",
    "%",
    "\0",
    "\u{fffd}",
    "\u{10ffff}",
    "@",
    "#",
    "/",
    "//",
    "=",
    "0x",
    "0xffffffffffffffffff",
    "-1",
    "99999999999999999999",
    "1-",
    "1e309",
    "NaN",
    "null",
    "{}",
    "[[[[",
    "]",
    "{\"a\":",
    ",",
    "\\",
    "\\u0000",
    "\\ud800",
    "tank/vm",
    "tank/vm@",
    "toguid = ",
    "bytes = ",
    "cannot open '",
    "': ",
    "permission denied\n",
    "name=",
    "csrf=",
    "&&",
    "?limit=",
    "cursor=",
    "true",
];

pub fn campaign(options: &Options) -> bool {
    let seed = options.seed();
    let count = |name, default| options.number(name, default);
    println!("R9: seed {seed}");
    let panics = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (theirs, usual) = (panics.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        theirs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        usual(info);
    }));
    let before = cost::resident(std::process::id()).unwrap();
    let mut random = Random(seed);
    let texts = outputs(&mut random, count("outputs", 350_000)) + names(&mut random, count("names", 250_000));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let asked = runtime.block_on(requests(&mut random, count("requests", 300_000)));
    drop(runtime);
    let grown = cost::resident(std::process::id()).unwrap().saturating_sub(before) / MIB;
    let panicked = panics.load(std::sync::atomic::Ordering::Relaxed);
    println!("this process grew by {grown} MiB over {texts} texts and {asked} requests");
    let wire = wire(&mut random, count("raw", 20_000));
    let total = (texts + asked + count("raw", 20_000)) as f64;
    println!("R9 inputs in all, without SOAP: {total}");
    let calm = cost::verdict("R9 panics", panicked as f64, "0", panicked == 0);
    cost::verdict("R9 growth in MiB", grown as f64, "≤ 100", grown <= 100) && calm && wire
}

/// A text with a few things done to it.
fn mutated(random: &mut Random, from: &str) -> Vec<u8> {
    let mut bytes = from.as_bytes().to_vec();
    for _ in 0..random.below(1..6) {
        if bytes.is_empty() {
            bytes.push(b' ');
        }
        let at = usize::try_from(random.below(0..bytes.len() as u64 + 1)).unwrap();
        match random.below(0..6) {
            0 => drop(bytes.splice(
                at..at,
                PIECES[usize::try_from(random.below(0..PIECES.len() as u64)).unwrap()].bytes(),
            )),
            1 => {
                let last = bytes.len() - 1;
                bytes[at.min(last)] = random.next() as u8;
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + usize::try_from(random.below(1..40)).unwrap()).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + usize::try_from(random.below(1..200)).unwrap()).min(bytes.len());
                let again = bytes[at..end].to_vec();
                for _ in 0..random.below(1..20) {
                    bytes.splice(at..at, again.iter().copied());
                }
            }
            _ => {
                let more = random.below(1..9);
                let more = random.bytes(usize::try_from(more).unwrap());
                drop(bytes.splice(at..at, more));
            }
        }
    }
    bytes
}

fn pick<'a>(random: &mut Random, from: &'a [String]) -> &'a str {
    &from[usize::try_from(random.below(0..from.len() as u64)).unwrap()]
}

/// What `zfs` and `zpool` said on a real host, as it was recorded.
fn recorded() -> Vec<String> {
    let files = walkdir::WalkDir::new("tests/golden")
        .into_iter()
        .map(Result::unwrap)
        .filter(|file| file.file_type().is_file());
    let texts =
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).filter(|text| text.len() < 8000);
    texts.collect()
}

fn outputs(random: &mut Random, count: u64) -> u64 {
    let seeds = recorded();
    assert!(seeds.len() > 10, "the recordings are there");
    let mut understood = 0;
    for _ in 0..count {
        let bytes = {
            let seed = pick(random, &seeds).to_owned();
            mutated(random, &seed)
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        understood += catch_unwind(AssertUnwindSafe(|| zerfaux::zfs::fuzz::read_output(&text))).unwrap_or(0);
    }
    println!("{count} outputs of zfs and zpool, {understood} parts of them understood");
    count
}

fn names(random: &mut Random, count: u64) -> u64 {
    let seeds: Vec<String> = [
        "tank/vm",
        "tank/vm@zx-web-20261127T120000Z-1",
        "zx-web-20261127T120000Z-1",
        "ssh://root@zfs-a:22/tank/vm",
        "root@[::1]:tank/vm",
        "1-e604ea4bf-e0-789c63643c7a636c6d6c7620760c62",
        "10MiB/s",
        "last=3,hourly=24,daily=7,weekly=4,monthly=12",
        "tank/a b:c.d-e_f",
    ]
    .map(str::to_owned)
    .into();
    let mut good = 0_u64;
    for _ in 0..count {
        let bytes = {
            let seed = pick(random, &seeds).to_owned();
            mutated(random, &seed)
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let read = catch_unwind(AssertUnwindSafe(|| {
            let mut good = 0;
            // What was accepted is what it is shown as, and is accepted again.
            if let Ok(name) = text.parse::<DatasetName>() {
                assert_eq!(name.to_string().parse::<DatasetName>().as_ref(), Ok(&name));
                good += 1;
            }
            if let Ok(name) = text.parse::<SnapshotName>() {
                assert_eq!(name.to_string().parse::<SnapshotName>().as_ref(), Ok(&name));
                good += 1;
            }
            good += u64::from(text.parse::<SnapTag>().is_ok());
            good += u64::from(text.parse::<zerfaux::zfs::ResumeToken>().is_ok());
            good += u64::from(text.parse::<Rate>().is_ok());
            good += u64::from(text.parse::<Retention>().is_ok());
            good += u64::from(Endpoint::parse(&text, "root").is_ok());
            good += u64::from(zerfaux::domain::location::Address::parse(&text, "root").is_ok());
            good
        }));
        good += read.unwrap_or(0);
    }
    println!("{count} names, tokens, rates, policies and addresses, {good} accepted");
    count
}

/// Through all layers, in this process: every route that does not dial out, by an admin's token and by nobody.
async fn requests(random: &mut Random, count: u64) -> u64 {
    let data = tempfile::tempdir().unwrap();
    let app = zerfaux::boot::serving(data.path(), None).await.unwrap();
    let who = Principal::command_line();
    let (_, token) = app.create_token(&who, "fuzz", "admin", None).await.unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = ServerOptions { listen, tls: Tls::Off, simulated: false };
    let routes = router(app.clone(), &options, Default::default()).router;
    let dials = |path: &str| {
        ["/vcenters", "/targets", "/appliances", "/replications", "templates"]
            .iter()
            .any(|one| path.contains(one))
    };
    let rules: Vec<_> = RULES
        .iter()
        .filter(|(method, path, _)| !path.ends_with("/events") && (*method == "GET" || !dials(path)))
        // It would end itself, and a thousand guesses at a password are another matter.
        .filter(|(_, path, _)| {
            !["/tokens/{name}", "/sign-in", "/setup", "/step-up"].iter().any(|one| path.ends_with(one))
        })
        .collect();
    let bodies: Vec<String> = [
        r#"{"name":"lab","generate":"ed25519"}"#,
        r#"{"name":"lab","private_key":"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n","passphrase":null}"#,
        r#"{"role":"viewer","disabled":true}"#,
        r#"{"name":"ci","role":"viewer","expires_days":3}"#,
        "csrf=x&name=lab&generate=ed25519&theme=dark&back=/jobs&confirm=lab",
        "",
    ]
    .map(str::to_owned)
    .into();
    let (mut by_status, mut sent) = (std::collections::BTreeMap::<u16, u64>::new(), 0);
    while sent < count {
        let (method, path, _) = rules[usize::try_from(random.below(0..rules.len() as u64)).unwrap()];
        let query = [
            "",
            "?limit=10",
            "?q=tank&page=2&state=failed",
            "?cursor=1&limit=1000",
            "?sort=-memory&vcenter=x",
        ];
        let path = path.replace("{id}", "01937c5e-0000-7000-8000-000000000001").replace("{*path}", "app.css")
            + query[usize::try_from(random.below(0..5)).unwrap()];
        // What an address may consist of at all, hyper has seen to before the router does.
        let bytes = if random.below(0..3) == 0 { path.clone().into_bytes() } else { mutated(random, &path) };
        let address: String =
            String::from_utf8_lossy(&bytes).chars().filter(|c| c.is_ascii_graphic()).collect();
        let body = {
            let seed = pick(random, &bodies).to_owned();
            mutated(random, &seed)
        };
        let kind = [
            "application/json",
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data; boundary=x",
        ];
        let header = {
            let bytes = mutated(random, "W/\"abc\", en;q=0.5");
            String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).collect::<String>()
        };
        let mut request =
            Request::builder().method(*method).uri(format!("/{}", address.trim_start_matches('/')));
        request = request
            .header("content-type", kind[usize::try_from(random.below(0..4)).unwrap()])
            .header("host", "x");
        request = match random.below(0..5) {
            0 => request.header("cookie", format!("zerfaux-session={header}; zerfaux-visitor={header}")),
            1 => request.header("authorization", header.clone()),
            _ => request.header("authorization", format!("Bearer {}", token.reveal())),
        };
        request = request.header("idempotency-key", header.clone()).header("accept", header);
        let Ok(request) = request.body(Body::from(if *method == "GET" { Vec::new() } else { body })) else {
            continue;
        };
        sent += 1;
        let answer = routes.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        *by_status.entry(status).or_default() += 1;
        if status < 500 {
            let _read = to_bytes(answer.into_body(), 4 << 20).await;
        } else {
            let text = to_bytes(answer.into_body(), 4 << 20).await.unwrap_or_default();
            println!(
                "{method} {address}: {status} {}",
                String::from_utf8_lossy(&text).chars().take(300).collect::<String>()
            );
        }
    }
    println!("{sent} requests by status: {by_status:?}");
    assert!(by_status.keys().all(|status| *status < 500), "an answer of 5xx");
    app.close().await;
    sent
}

/// Over a socket: bytes that are hardly HTTP, heads and bodies that do not end, 100 MiB. The service goes on.
fn wire(random: &mut Random, count: u64) -> bool {
    let data = tempfile::tempdir().unwrap();
    let server = Served::start(data.path());
    let address = server.address.strip_prefix("http://").unwrap().to_owned();
    let open = || {
        let socket = TcpStream::connect(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket
    };
    let before = cost::resident(server.child.id()).unwrap();
    let whole = "POST /api/replication/ssh-keys HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 35\r\nConnection: close\r\n\r\n{\"name\":\"lab\",\"generate\":\"ed25519\"}";
    for _ in 0..count {
        let mut socket = open();
        let _gone = socket.write_all(&mutated(random, whole));
        let _gone = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = [0; 2048];
        let _gone = socket.read(&mut answer);
    }
    println!("{count} raw requests");

    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..100).map(|_| open()).collect();
    for socket in &mut slow {
        socket.write_all(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n").unwrap();
    }
    let mut open_still = slow.len();
    while open_still > 0 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_secs(2));
        // A byte of a head now and then.
        slow.retain_mut(|socket| {
            let mut byte = [0; 1];
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let closed = matches!(socket.read(&mut byte), Ok(0)) || socket.write_all(b"x").is_err();
            !closed
        });
        open_still = slow.len();
    }
    let waited = began.elapsed().as_secs_f64();
    println!("100 heads that do not end: {open_still} still open after {waited:.0} s");

    let mut cut = 0;
    for chunked in [false, true, false, true] {
        let mut socket = open();
        let length = if chunked {
            "Transfer-Encoding: chunked".to_owned()
        } else {
            format!("Content-Length: {}", 100 * MIB)
        };
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        let part = vec![b'a'; usize::try_from(MIB).unwrap()];
        let mut written = 0;
        while written < 100 * MIB {
            let sent = if chunked {
                socket
                    .write_all(format!("{:x}\r\n", part.len()).as_bytes())
                    .and_then(|()| socket.write_all(&part))
                    .and_then(|()| socket.write_all(b"\r\n"))
            } else {
                socket.write_all(&part)
            };
            if sent.is_err() {
                break;
            }
            written += MIB;
        }
        let mut answer = [0; 64];
        let read = socket.read(&mut answer).unwrap_or(0);
        let text = String::from_utf8_lossy(&answer[..read]).into_owned();
        println!(
            "a body of 100 MiB, chunked: {chunked}: {} MiB taken, answer {:?}",
            written / MIB,
            text.lines().next().unwrap_or("none")
        );
        cut += u64::from(written < 100 * MIB || text.contains(" 4"));
    }
    let grown = cost::resident(server.child.id()).unwrap().saturating_sub(before) / MIB;
    let mut socket = open();
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut alive = String::new();
    let _read = socket.read_to_string(&mut alive);
    let log = std::fs::read_to_string(data.path().join("service.log")).unwrap();
    let panicked = log.contains("panicked");
    server.stop();
    [
        cost::verdict("R9 heads that do not end, still open", open_still as f64, "0", open_still == 0),
        cost::verdict("R9 bodies of 100 MiB that were cut or refused", cut as f64, "4", cut == 4),
        cost::verdict("R9 growth of the service in MiB", grown as f64, "≤ 100", grown <= 100),
        cost::verdict("R9 panics of the service", f64::from(u8::from(panicked)), "0", !panicked),
        cost::verdict(
            "R9 answers afterwards",
            f64::from(u8::from(alive.contains("200 OK"))),
            "1",
            alive.contains("200 OK"),
        ),
    ]
    .into_iter()
    .all(|good| good)
}
