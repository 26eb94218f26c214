//! Answers of a vCenter that no server should send: mutated ones, from a seed. `tests/run` tries some, the campaign
//! `soap` a million.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zerfaux::vsphere::fuzz::read_answer;

/// The random numbers of a test: xorshift (Marsaglia), because they must be the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

const PIECES: &[&str] = &[
    "<",
    ">",
    "</",
    "/>",
    "&",
    "&amp;",
    "&#0;",
    "&#xD800;",
    "&#99999999;",
    "&x;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE a>",
    "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]>",
    "&c;",
    "<a>",
    "<?xml version=\"9\"?>",
    "\u{0}",
    "\u{fffe}",
    "\u{10ffff}",
    "xsi:type=\"",
    "type=\"",
    "\"",
    "'",
    "<val>",
    "</val>",
    "<objects>",
    "</objects>",
    "<returnval>",
    "99999999999999999999",
    "-1",
    "true",
    "xmlns=\"",
    "xmlns:xsi=\"\"",
    "<token/>",
    "<obj type=\"\"></obj>",
    "\r\n",
    "<e:Body>",
    "</e:Envelope>",
];

fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = seed.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(text.len() + 1);
        match random.below(7) {
            0 => text.truncate(at),
            1 if at < text.len() => text[at] = (random.next() & 0xff) as u8,
            2 if at < text.len() => {
                let end = (at + random.below(200)).min(text.len());
                text.drain(at..end);
            }
            3 => {
                let (from, length) = (random.below(text.len() + 1), random.below(400));
                let copied = text[from..(from + length).min(text.len())].to_vec();
                text.splice(at..at, copied);
            }
            // What multiplies: depth, elements, text, attributes.
            4 if random.below(20) == 0 => {
                let piece = PIECES[random.below(PIECES.len())].repeat(random.below(20_000));
                text.splice(at..at, piece.bytes());
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                text.splice(at..at, piece.bytes());
            }
        }
    }
    text
}

/// Reads `wanted` answers, drawn from `drawn`, on all processors. Panics with the first one that makes the reader panic,
/// or if memory grows by 100 MiB.
pub fn try_answers(wanted: usize, drawn: u64) {
    let seeds: Vec<&[u8]> = vec![
        include_bytes!("../golden/vsphere/retrieve.xml"),
        include_bytes!("../golden/vsphere/updates.xml"),
        include_bytes!("../golden/vsphere/fault.xml"),
    ];
    for seed in &seeds {
        assert!(read_answer(seed) > 0, "a seed is read as it is");
    }
    let began = std::time::Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let before = resident();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (next, seeds) = (next.clone(), seeds.clone());
            std::thread::spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= wanted {
                        return;
                    }
                    let mut random = Random(
                        0x9e37_79b9_7f4a_7c15
                            ^ drawn.wrapping_add(number as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d),
                    );
                    let text = mutated(seeds[number % seeds.len()], &mut random);
                    if std::panic::catch_unwind(|| read_answer(&text)).is_err() {
                        panic!("number {number} made the reader panic: {:?}", String::from_utf8_lossy(&text));
                    }
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let grown = most().saturating_sub(before);
    eprintln!(
        "fuzz: {wanted} answers in {:.0} s, 0 panics, memory grew by {:.1} MiB",
        began.elapsed().as_secs_f64(),
        grown as f64 / f64::from(1 << 20)
    );
    assert!(grown < 100 << 20, "memory grew by {grown} bytes");
}

/// The most bytes of memory that this process has had in use; 0 where that cannot be read.
fn most() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) * 1024
}

/// Bytes of memory that this process has in use; 0 where that cannot be read.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
