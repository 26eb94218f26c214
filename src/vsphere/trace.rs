//! The last exchanges with a server, for a support bundle. Secrets never enter it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::request::Request;

/// How many exchanges are kept.
const KEPT: usize = 64;
/// How much of each side is kept, in bytes.
const MOST: usize = 16 << 10;
/// Elements whose content is secret, wherever they stand.
const SECRET: &[&str] = &["password", "plainText", "sessionId", "ticket", "token"];

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When it was sent.
    pub at: Timestamp,
    /// The method.
    pub method: &'static str,
    /// The arguments, masked and perhaps cut.
    pub request: String,
    /// How it ended: `answered`, a fault's type, or what broke.
    pub outcome: String,
    /// How long it took.
    pub took: Duration,
}

/// The last exchanges.
#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<VecDeque<Exchange>>);

impl Trace {
    pub(super) fn note(&self, request: &Request, outcome: &str, at: Timestamp, took: Duration) {
        let text = if request.secret { "(left out)".to_owned() } else { masked(&request.arguments) };
        let entry = Exchange { at, method: request.method, request: text, outcome: outcome.to_owned(), took };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(entry);
    }

    pub(super) fn entries(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The text without what stands in secret elements, cut to a length that is still useful.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    'next: while let Some(open) = rest.find('<') {
        for name in SECRET {
            let after = &rest[open + 1..];
            let is_it = after.strip_prefix(name).is_some_and(|tail| tail.starts_with(['>', ' ']));
            if let Some(end) = is_it.then(|| after.find(&format!("</{name}>"))).flatten() {
                out.push_str(&rest[..open]);
                out.push_str(&format!("<{name}>(masked)"));
                rest = &after[end..];
                continue 'next;
            }
        }
        out.push_str(&rest[..=open]);
        rest = &rest[open + 1..];
    }
    out.push_str(rest);
    let cut = (0..=MOST.min(out.len())).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
    if cut < out.len() {
        out.truncate(cut);
        out.push_str("… (cut)");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let text = "<spec><userName>u</userName><password>hunter2&amp;</password><password \
                    xsi:type=\"x\"><value>hunter3</value></password></spec>";
        let shown = masked(text);
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.starts_with("<spec><userName>u</userName><password>(masked)</password>"), "{shown}");
    }

    #[test]
    fn long_exchanges_are_cut_and_old_ones_dropped() {
        let trace = Trace::default();
        let long = Request::new("M", crate::domain::moref::ManagedRef::new("A", "b"), "x", |xml| {
            xml.text("t", "ä".repeat(MOST));
        });
        for _ in 0..KEPT + 5 {
            trace.note(&long, "answered", Timestamp::UNIX_EPOCH, Duration::ZERO);
        }
        let kept = trace.entries();
        assert_eq!(kept.len(), KEPT);
        assert!(kept[0].request.len() < MOST + 20 && kept[0].request.ends_with("(cut)"));
    }
}
