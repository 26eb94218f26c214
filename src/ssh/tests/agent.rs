//! The forwarded agent: it logs one user into one server, once, in time, and does nothing else.

use std::time::{Duration, Instant};

use russh::keys::signature::{Signer as _, Verifier};
use russh::keys::ssh_encoding::{Decode, Encode};
use russh::keys::ssh_key::Signature;

use crate::ssh::agent::{Answer, Conversation, ForwardedAgent, sign_request, signature_in, signed};
use crate::ssh::agent_channel::{TooLong, next_frame};
use crate::ssh::signer::Signer;
use crate::ssh::{KeyPair, wire};

const HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";

/// A target with its host key, the key that logs in there, and the agent for it.
struct Scene {
    host: KeyPair,
    login: KeyPair,
    agent: ForwardedAgent,
    talk: Conversation,
    now: Instant,
}

/// What a log-in says; a test changes one word of it.
#[derive(Clone)]
struct Login {
    session: Vec<u8>,
    request: u8,
    user: String,
    service: String,
    method: String,
    signed: u8,
    algorithm: String,
    key: Vec<u8>,
    host_key: Vec<u8>,
}

fn blob(key: &KeyPair) -> Vec<u8> {
    key.private().public_key().to_bytes().unwrap()
}

/// `session-bind@openssh.com` as OpenSSH sends it.
fn bind(host: &KeyPair, session: &[u8], forwarding: u8) -> Vec<u8> {
    let mut signature = Vec::new();
    host.private().key_data().try_sign(session).unwrap().encode(&mut signature).unwrap();
    let mut frame = vec![27];
    wire::put(&mut frame, b"session-bind@openssh.com");
    wire::put(&mut frame, &blob(host));
    wire::put(&mut frame, session);
    wire::put(&mut frame, &signature);
    frame.push(forwarding);
    frame
}

impl Login {
    fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        wire::put(&mut data, &self.session);
        data.push(self.request);
        wire::put(&mut data, self.user.as_bytes());
        wire::put(&mut data, self.service.as_bytes());
        wire::put(&mut data, self.method.as_bytes());
        data.push(self.signed);
        wire::put(&mut data, self.algorithm.as_bytes());
        wire::put(&mut data, &self.key);
        wire::put(&mut data, &self.host_key);
        data
    }

    fn frame(&self) -> Vec<u8> {
        sign_request(&self.key, &self.data(), 0)
    }
}

impl Scene {
    fn new(signatures: u32) -> Self {
        let (host, login) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let key = host.private().public_key().clone();
        let agent = ForwardedAgent::new(Signer::here(login.private()), "backup", key);
        agent.open_for(signatures, Duration::from_secs(30));
        Self { host, login, agent, talk: Conversation::default(), now: Instant::now() }
    }

    fn bound(signatures: u32) -> Self {
        let mut scene = Self::new(signatures);
        let frame = bind(&scene.host, b"session", 0);
        assert_eq!(scene.ask(&frame), Answer::Say(vec![6]));
        scene
    }

    fn ask(&mut self, frame: &[u8]) -> Answer {
        self.agent.judge(&mut self.talk, frame, self.now)
    }

    fn login(&self) -> Login {
        Login {
            session: b"session".to_vec(),
            request: 50,
            user: "backup".into(),
            service: "ssh-connection".into(),
            method: HOSTBOUND.into(),
            signed: 1,
            algorithm: "ssh-ed25519".into(),
            key: blob(&self.login),
            host_key: blob(&self.host),
        }
    }
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert!(matches!(answer, Answer::Refuse(_)), "{answer:?}");
}

#[tokio::test]
async fn the_log_in_that_is_meant_is_signed_with_the_right_key() {
    let mut scene = Scene::bound(1);
    let login = scene.login();
    let Answer::Sign { data, hash } = scene.ask(&login.frame()) else { panic!("refused") };
    assert_eq!((&data, hash), (&login.data(), None));
    let answer = signed(&scene.agent.signer().sign(&data, hash).await.unwrap());
    let signature = Signature::decode(&mut signature_in(&answer).unwrap()).unwrap();
    let public = scene.login.private();
    Verifier::verify(public.public_key().key_data(), &data, &signature).unwrap();
}

#[test]
fn it_lists_the_one_key_and_understands_nothing_that_would_change_it() {
    let mut scene = Scene::new(1);
    let mut listed = vec![12, 0, 0, 0, 1];
    wire::put(&mut listed, &blob(&scene.login));
    wire::put(&mut listed, b"zerfaux");
    assert_eq!(scene.ask(&[11]), Answer::Say(listed));
    // All other requests of the protocol: add, remove, lock, unlock, smartcards, extensions, version 1.
    for kind in (0..=255).filter(|kind| *kind != 11) {
        assert_refused(&scene.ask(&[kind]));
        assert_refused(&scene.ask(&[kind, 0, 0, 0, 1, b'x']));
    }
    assert_refused(&scene.ask(&[]));
    assert_refused(&scene.ask(&[11, 0]));
    let mut query = vec![27];
    wire::put(&mut query, b"query");
    assert_refused(&scene.ask(&query));
}

#[test]
fn one_signature_is_made_and_no_second_one_on_any_connection() {
    let mut scene = Scene::bound(1);
    let frame = scene.login().frame();
    assert!(matches!(scene.ask(&frame), Answer::Sign { .. }));
    assert_refused(&scene.ask(&frame));
    scene.talk = Conversation::default();
    assert!(matches!(scene.ask(&bind(&scene.host.clone(), b"session", 0)), Answer::Say(_)));
    assert_refused(&scene.ask(&frame));
}

#[test]
fn before_its_command_runs_and_after_its_time_it_says_nothing() {
    let mut scene = Scene::bound(1);
    let frame = scene.login().frame();
    let in_time = scene.now;
    scene.now += Duration::from_secs(31);
    assert_refused(&scene.ask(&frame));
    assert_refused(&scene.ask(&[11]));
    scene.now = in_time;
    assert!(matches!(scene.ask(&frame), Answer::Sign { .. }));

    let key = scene.host.private().public_key().clone();
    let closed = ForwardedAgent::new(Signer::here(scene.login.private()), "backup", key);
    assert_refused(&closed.judge(&mut Conversation::default(), &[11], Instant::now()));
    assert!(!closed.admits_channel());
}

#[test]
fn connections_to_it_are_counted() {
    let scene = Scene::new(1);
    let admitted = (0..100).filter(|_| scene.agent.admits_channel()).count();
    assert_eq!(admitted, 4);
}

#[test]
fn another_host_another_user_another_key_and_another_kind_of_signature_are_refused() {
    let other = KeyPair::generate().unwrap();
    let mut scene = Scene::bound(9);
    let right = scene.login();
    type Change<'a> = Box<dyn Fn(&mut Login) + 'a>;
    let changes: Vec<(&str, Change<'_>)> = vec![
        ("host", Box::new(|login| login.host_key = blob(&other))),
        ("no host", Box::new(|login| login.host_key.clear())),
        ("user", Box::new(|login| login.user = "root".into())),
        ("key", Box::new(|login| login.key = blob(&other))),
        ("session", Box::new(|login| login.session = b"another".to_vec())),
        ("unbound method", Box::new(|login| login.method = "publickey".into())),
        ("service", Box::new(|login| login.service = "ssh-userauth".into())),
        ("request", Box::new(|login| login.request = 51)),
        ("query", Box::new(|login| login.signed = 0)),
        ("algorithm", Box::new(|login| login.algorithm = "ssh-rsa".into())),
    ];
    for (what, change) in changes {
        let mut wrong = right.clone();
        change(&mut wrong);
        let answer = scene.ask(&wrong.frame());
        assert!(matches!(answer, Answer::Refuse(_)), "{what}: {answer:?}");
    }
    // Not SSH at all, such as a signature for git or a file.
    let mut file = b"SSHSIG".to_vec();
    wire::put(&mut file, b"file");
    assert_refused(&scene.ask(&sign_request(&right.key, &file, 0)));
    let mut longer = right.data();
    longer.push(0);
    assert_refused(&scene.ask(&sign_request(&right.key, &longer, 0)));
    assert_refused(&scene.ask(&sign_request(&right.key, &right.data(), 2)));
    // None of them cost one of the signatures.
    assert!((0..9).all(|_| matches!(scene.ask(&right.frame()), Answer::Sign { .. })));
}

#[test]
fn a_session_counts_only_with_the_pinned_servers_own_signature() {
    let stranger = KeyPair::generate().unwrap();
    let scene = || Scene::new(9);
    // Without any, with the stranger's, and with the stranger's under the target's name.
    let mut unbound = scene();
    let frame = unbound.login().frame();
    assert_refused(&unbound.ask(&frame));
    let mut strange = scene();
    assert_refused(&strange.ask(&bind(&stranger, b"session", 0)));
    let mut forged = scene();
    let mut frame = vec![27];
    let mut signature = Vec::new();
    stranger.private().key_data().try_sign(b"session").unwrap().encode(&mut signature).unwrap();
    wire::put(&mut frame, b"session-bind@openssh.com");
    wire::put(&mut frame, &blob(&forged.host));
    wire::put(&mut frame, b"session");
    wire::put(&mut frame, &signature);
    frame.push(0);
    assert_refused(&forged.ask(&frame));
    // Forwarded further, and bound twice.
    let mut onward = scene();
    assert_refused(&onward.ask(&bind(&onward.host.clone(), b"session", 1)));
    let mut twice = Scene::bound(9);
    assert_refused(&twice.ask(&bind(&twice.host.clone(), b"other", 0)));
}

/// A generator that gives the same numbers on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }
}

#[test]
fn whatever_is_changed_in_a_request_nothing_is_signed_and_nothing_breaks() {
    let mut scene = Scene::bound(u32::MAX);
    let login = scene.login().frame();
    for position in 0..login.len() {
        assert_refused(&scene.ask(&login[..position]));
        for bit in 0..8 {
            let mut changed = login.clone();
            changed[position] ^= 1 << bit;
            assert_refused(&scene.ask(&changed));
        }
    }
    let binding = bind(&scene.host, b"session", 0);
    let mut dice = Dice(20_261_121);
    for round in 0..50_000 {
        scene.talk = Conversation::default();
        let mut frame = match round % 3 {
            0 => (0..dice.below(200)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect(),
            1 => login.clone(),
            _ => binding.clone(),
        };
        for _ in 0..=dice.below(4) {
            if frame.is_empty() {
                break;
            }
            let position = dice.below(frame.len());
            match dice.below(4) {
                0 => frame.truncate(position),
                1 => frame.insert(position, u8::try_from(dice.below(256)).unwrap()),
                2 => frame[position] = [0, 0xff, 0x7f, 0x80][dice.below(4)],
                _ => drop(frame.remove(position)),
            }
        }
        let answer = scene.ask(&frame);
        assert!(!matches!(answer, Answer::Sign { .. }), "{frame:?}");
        assert!(frame == binding || frame == [11] || matches!(answer, Answer::Refuse(_)), "{frame:?}");
    }
}

#[test]
fn frames_come_in_any_pieces_and_too_long_ones_are_not_waited_for() {
    let mut stream = Vec::new();
    for frame in [&b"\x0b"[..], b"", b"abc"] {
        wire::put(&mut stream, frame);
    }
    let (mut waiting, mut frames) = (Vec::new(), Vec::new());
    for byte in stream {
        waiting.push(byte);
        while let Some(frame) = next_frame(&mut waiting).unwrap() {
            frames.push(frame);
        }
    }
    assert_eq!(frames, [&b"\x0b"[..], b"", b"abc"]);
    assert_eq!(next_frame(&mut vec![0, 0, 0x40, 1]), Err(TooLong));
    assert_eq!(next_frame(&mut vec![0xff; 100]), Err(TooLong));
}
