//! A text of which only the beginning and the end are kept.

/// Keeps the first and the last `limit / 2` bytes of what is pushed, and how much fell out between them: the
/// cause of a failure stands at the beginning of a standard error, the consequence at the end.
#[derive(Debug, Clone)]
pub struct HeadTail {
    half: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    dropped: u64,
}

impl HeadTail {
    /// Bytes of standard error that are kept of one command.
    pub const STDERR: usize = 256 * 1024;

    /// Keeps about `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { half: limit / 2, head: Vec::new(), tail: Vec::new(), dropped: 0 }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        let room = self.half.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        bytes = &bytes[room..];
        self.tail.extend_from_slice(bytes);
        // Shifting only when twice full keeps the cost per byte constant.
        if self.tail.len() > 2 * self.half {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let excess = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }

    /// What was kept; where bytes are missing, a line says how many.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.cut();
        let mut all = self.head;
        if self.dropped > 0 {
            all.extend_from_slice(format!("\n[... {} bytes left out ...]\n", self.dropped).as_bytes());
        }
        all.extend_from_slice(&self.tail);
        all
    }

    /// What was kept as text, without blank space at its ends; bytes that are not UTF-8 are replaced.
    pub fn into_text(self) -> String {
        String::from_utf8_lossy(&self.into_bytes()).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_kept_whole() {
        let mut kept = HeadTail::new(100);
        kept.push(b"cannot open ");
        kept.push(b"'tank/x'\n");
        assert_eq!(kept.into_text(), "cannot open 'tank/x'");
    }

    #[test]
    fn of_a_long_text_both_ends_are_kept_in_bounded_memory() {
        let mut kept = HeadTail::new(1000);
        kept.push(b"first");
        for _ in 0..100_000 {
            kept.push(b"0123456789");
            assert!(kept.head.len() + kept.tail.len() <= 1510);
        }
        kept.push(b"last");
        let text = kept.into_text();
        assert!(text.starts_with("first0123") && text.ends_with("789last"), "{text}");
        assert!(text.contains("[... 999009 bytes left out ...]"), "{text}");
    }
}
