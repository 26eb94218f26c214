//! Reading what was typed into fields: each answers with the value, or with what is wrong as a sentence.

use super::FieldError;

/// Collects what is wrong with which field.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<FieldError>);

impl Faults {
    /// The value; or none, and what is wrong is kept.
    pub(super) fn note<T>(&mut self, field: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.0.push(FieldError { field, message })).ok()
    }
}

/// The text without blanks around it, if there is any.
pub(super) fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// One line of 1 to `most` characters. `what` begins a sentence.
pub(super) fn line(text: &str, what: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(format!("{what} has 1 to {most} characters, on one line."));
    }
    Ok(text.to_owned())
}

/// A whole number within bounds; `default` where nothing is given.
pub(super) fn number(text: &str, default: u32, least: u32, most: u32, what: &str) -> Result<u32, String> {
    match given(text) {
        None => Ok(default),
        Some(text) => text
            .parse::<u32>()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("Write {least} to {most} {what}, as a whole number.")),
    }
}

/// A TCP port; `default` where nothing is given.
pub(super) fn port(text: &str, default: u16) -> Result<u16, String> {
    match given(text) {
        None => Ok(default),
        Some(text) => text
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| "A port is a number from 1 to 65535.".to_owned()),
    }
}
