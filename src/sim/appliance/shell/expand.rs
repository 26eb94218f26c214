//! Words to arguments: variables, command substitution, field splitting (POSIX.1-2017, XCU 2.6).

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::parse::{Piece, Word};
use super::run::{Io, Output, Shell};

impl Shell {
    /// The arguments that a word becomes: none, one, or several where an unquoted expansion holds blanks.
    pub(super) fn fields(&mut self, word: &Word, io: &Io) -> Vec<String> {
        let mut fields: Vec<String> = Vec::new();
        let mut current: Option<String> = None;
        for piece in word {
            let (text, splits) = self.piece(piece, io);
            if !splits {
                // `""` makes an argument; an unquoted expansion to nothing does not.
                current.get_or_insert_default().push_str(&text);
                continue;
            }
            let mut parts = text.split([' ', '\t', '\n']);
            if let Some(first) = parts.next().filter(|first| !first.is_empty()) {
                current.get_or_insert_default().push_str(first);
            }
            for part in parts {
                fields.extend(current.take());
                if !part.is_empty() {
                    current = Some(part.to_owned());
                }
            }
        }
        fields.extend(current);
        fields
    }

    /// The word as one text, as in an assignment or a redirection.
    pub(super) fn text(&mut self, word: &Word, io: &Io) -> String {
        word.iter().map(|piece| self.piece(piece, io).0).collect()
    }

    /// The text of a piece, and whether it is split.
    fn piece(&mut self, piece: &Piece, io: &Io) -> (String, bool) {
        match piece {
            Piece::Text { text, .. } => (text.clone(), false),
            Piece::Variable { name, otherwise, quoted } => {
                let value = self.variable(name);
                let value = value.filter(|value| otherwise.is_none() || !value.is_empty());
                (value.or_else(|| otherwise.clone()).unwrap_or_default(), !quoted)
            }
            Piece::Output { script, quoted } => {
                let text = self.output_of(script, io);
                (text.trim_end_matches('\n').to_owned(), !quoted)
            }
        }
    }

    fn output_of(&mut self, script: &str, io: &Io) -> String {
        let collected = Arc::new(Mutex::new(Vec::new()));
        let writer: Output = Arc::new(Mutex::new(Box::new(Collector(Arc::clone(&collected)))));
        let mut inner = self.clone();
        self.status = inner.run_text(script, &Io { stdout: writer, ..io.clone() });
        let bytes = collected.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

struct Collector(Arc<Mutex<Vec<u8>>>);

impl Write for Collector {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
