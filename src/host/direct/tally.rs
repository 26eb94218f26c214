//! What comes back from a source in direct transport: the count, how each command ended, and who said what.

use crate::host::Meter;
use crate::ssh::HeadTail;

/// Longer lines are not ours.
const LINE: usize = 4096;

/// Reads standard output of the stream's script.
#[derive(Debug, Default)]
pub(super) struct Tally {
    line: Vec<u8>,
    /// Bytes counted so far.
    pub(super) bytes: u64,
    /// The exit status of the command that wrote the stream.
    pub(super) send: Option<u32>,
    /// Of the one that counted it.
    pub(super) meter: Option<u32>,
    /// Of `ssh`, which is that of the command at the target, or 255.
    pub(super) receive: Option<u32>,
}

impl Tally {
    /// Takes the next bytes and counts on `meter` what they tell.
    pub(super) fn push(&mut self, bytes: &[u8], meter: &Meter) {
        let before = self.bytes;
        for byte in bytes {
            match byte {
                // dd overwrites its line on a terminal.
                b'\n' | b'\r' => self.take_line(),
                _ if self.line.len() < LINE => self.line.push(*byte),
                _ => {}
            }
        }
        if self.bytes > before {
            meter.add(self.bytes - before);
        }
    }

    fn take_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("send"), Some(status)) => self.send = status.parse().ok(),
            (Some("meter"), Some(status)) => self.meter = status.parse().ok(),
            (Some("receive"), Some(status)) => self.receive = status.parse().ok(),
            // dd: `123 bytes (…) copied, …`; pv -n -b: the number alone.
            (Some(number), None | Some("bytes")) => {
                if let Ok(bytes) = number.parse::<u64>() {
                    self.bytes = self.bytes.max(bytes);
                }
            }
            _ => {}
        }
    }
}

/// Reads its standard error: lines that begin with whose they are.
#[derive(Debug)]
pub(super) struct Voices {
    line: Vec<u8>,
    pub(super) send: HeadTail,
    pub(super) receive: HeadTail,
}

impl Voices {
    pub(super) fn new() -> Self {
        let log = || HeadTail::new(HeadTail::STDERR);
        Self { line: Vec::new(), send: log(), receive: log() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.line.len() < 16 * LINE {
                self.line.push(*byte);
            }
            if *byte == b'\n' {
                self.take_line();
            }
        }
    }

    fn take_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if let Some(said) = line.strip_prefix(b"send ") {
            self.send.push(said);
        } else if let Some(said) = line.strip_prefix(b"receive ") {
            self.receive.push(said);
        }
        // What has no mark is the shell's: it remarks on processes that were ended.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Tally, u64) {
        let (mut tally, meter) = (Tally::default(), Meter::new());
        // Byte by byte, for it comes in any pieces.
        text.as_bytes().iter().for_each(|byte| tally.push(&[*byte], &meter));
        (tally, meter.bytes())
    }

    #[test]
    fn the_count_of_dd_and_of_pv_is_followed_to_the_last_byte() {
        let dd = "\r50 bytes copied, 1 s\r131072 bytes (131 kB, 128 KiB) copied, 2 s\nsend 0\n\n1+0 records in\n1+0 \
                  records out\n131080 bytes (131 kB, 128 KiB) copied, 2 s, 65 kB/s\n\nmeter 0\n\nreceive 0\n";
        let (tally, counted) = read(dd);
        assert_eq!((tally.bytes, counted), (131_080, 131_080));
        assert_eq!((tally.send, tally.meter, tally.receive), (Some(0), Some(0), Some(0)));
        let (tally, counted) = read("1000\n2000\n2345\n\nsend 1\n\nmeter 141\n");
        assert_eq!((tally.bytes, counted), (2345, 2345));
        assert_eq!((tally.send, tally.meter, tally.receive), (Some(1), Some(141), None));
    }

    #[test]
    fn nonsense_is_passed_over_in_bounded_memory() {
        let (tally, counted) =
            read(&format!("{}\nsend x\nmeter\n-5\n99999999999999999999 bytes\n", "z".repeat(10_000)));
        assert_eq!((tally.bytes, counted, tally.send, tally.meter), (0, 0, None, None));
        assert!(tally.line.capacity() <= 2 * LINE);
    }

    #[test]
    fn each_side_is_heard_apart() {
        let mut voices = Voices::new();
        voices.push(b"send warning: a\nTerminated\nreceive cannot receive");
        voices.push(b" new stream: x\nsend b\n");
        assert_eq!(voices.send.into_text(), "warning: a\nb");
        assert_eq!(voices.receive.into_text(), "cannot receive new stream: x");
    }
}
