//! A receiver that reads slowly, or that writes down when what arrived.
//!
//! `sink slow BYTES_A_SECOND` · `sink log FILE`

use std::fmt::Write as _;
use std::io::Read;
use std::time::{Duration, Instant};

use crate::carry::nanoseconds;

pub fn main(args: &[String]) {
    let mut stdin = std::io::stdin().lock();
    let mut buffer = vec![0; 32 << 10];
    match (args[0].as_str(), &args[1]) {
        ("slow", rate) => {
            let (rate, began) = (rate.parse::<f64>().unwrap(), Instant::now());
            let mut read = 0;
            while let Ok(count @ 1..) = stdin.read(&mut buffer) {
                read += count;
                let due = Duration::from_secs_f64(read as f64 / rate);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
        ("log", file) => {
            let (mut lines, mut read) = (String::new(), 0);
            while let Ok(count @ 1..) = stdin.read(&mut buffer) {
                read += count;
                writeln!(lines, "{} {read}", nanoseconds()).unwrap();
            }
            std::fs::write(file, lines).unwrap();
        }
        _ => panic!("sink: {args:?}"),
    }
}
