//! An error with its causes as one sentence.

use std::error::Error;

/// The message with the messages of its causes, outermost first. A cause that the text so far holds already is not
/// said twice.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn each_cause_is_said_once() {
        let root = Told { text: "the disk is full", source: None };
        let middle = Told { text: "could not write: the disk is full", source: Some(Box::new(root)) };
        let top = Told { text: "could not save", source: Some(Box::new(middle)) };
        assert_eq!(with_causes(&top), "could not save: could not write: the disk is full");
    }
}
