//! Forms: a field knows its label, what was typed, why it is asked and what is wrong with it.

/// One field of a form, drawn by `field` in `partials/form.html`.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name in the request.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What kind of control it is.
    pub control: Control,
    /// What is in it now. Never filled for a password.
    pub value: String,
    /// Why it is asked, or what form it has: one line.
    pub hint: Option<String>,
    /// What is wrong with it, in words.
    pub error: Option<String>,
    /// Whether it may not stay empty.
    pub required: bool,
    /// The browser's word for it, for example `username`; `off` by default.
    pub autocomplete: &'static str,
    /// What stands after it, for example `GiB`.
    pub unit: Option<&'static str>,
    /// For numbers and other short values.
    pub narrow: bool,
    /// Whether the cursor starts here.
    pub first: bool,
    /// Whether it is not said that it may stay empty: of several that are given together.
    pub bare: bool,
}

/// What kind of control a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// One line; the word is the input's `type`.
    Line(&'static str),
    /// Several lines of text that was made by a machine.
    Block,
    /// One of several.
    Select(Vec<Choice>),
    /// Yes or no; on when the value is `on`.
    Check,
}

/// One of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// In the request.
    pub value: String,
    /// On screen.
    pub label: String,
}

impl Choice {
    /// This value under this label.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

impl Field {
    /// A field of this kind, required, empty.
    pub fn new(name: impl Into<String>, label: impl Into<String>, control: Control) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            control,
            value: String::new(),
            hint: None,
            error: None,
            required: true,
            autocomplete: "off",
            unit: None,
            narrow: false,
            first: false,
            bare: false,
        }
    }

    /// One line of text.
    pub fn line(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Line("text"))
    }

    /// A password. `autocomplete` is `current-password` or `new-password`.
    pub fn password(name: impl Into<String>, label: impl Into<String>, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..Self::new(name, label, Control::Line("password")) }
    }

    /// A whole number.
    pub fn number(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { narrow: true, ..Self::new(name, label, Control::Line("number")) }
    }

    /// One of several.
    pub fn select(name: impl Into<String>, label: impl Into<String>, choices: Vec<Choice>) -> Self {
        Self::new(name, label, Control::Select(choices))
    }

    /// Yes or no.
    pub fn check(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { required: false, ..Self::new(name, label, Control::Check) }
    }

    /// With this in it.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// With why it is asked.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what is wrong with it, if something is.
    #[must_use]
    pub fn error(mut self, error: Option<impl Into<String>>) -> Self {
        self.error = error.map(Into::into);
        self
    }

    /// May stay empty.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// With this after it.
    #[must_use]
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// With the browser's word for it.
    #[must_use]
    pub fn autocomplete(mut self, word: &'static str) -> Self {
        self.autocomplete = word;
        self
    }

    /// The cursor starts here.
    #[must_use]
    pub fn first(mut self) -> Self {
        self.first = true;
        self
    }

    /// The `type` of its input, where it is one line.
    pub fn kind(&self) -> Option<&'static str> {
        match self.control {
            Control::Line(kind) => Some(kind),
            _ => None,
        }
    }

    /// What there is to choose from, where one chooses.
    pub fn choices(&self) -> Option<&[Choice]> {
        match &self.control {
            Control::Select(choices) => Some(choices),
            _ => None,
        }
    }

    /// Whether it is yes or no.
    pub fn is_check(&self) -> bool {
        self.control == Control::Check
    }

    /// The id of the control; the hint's and the error's ids begin with it.
    pub fn id(&self) -> String {
        format!("f-{}", self.name)
    }

    /// What a screen reader reads after the label: the ids of hint and error.
    pub fn described_by(&self) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.id()));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.id()));
        match (hint, error) {
            (Some(hint), Some(error)) => Some(format!("{error} {hint}")),
            (one, other) => one.or(other),
        }
    }
}

/// The question before something that cannot be taken back: the object's name has to be typed.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// Where the form is sent.
    pub action: String,
    /// The session's token.
    pub csrf: String,
    /// What is about to happen: `Delete vc-berlin?`.
    pub question: String,
    /// What will and what will not happen, a sentence each.
    pub consequences: Vec<String>,
    /// What has to be typed.
    pub name: String,
    /// The verb on the button: `Delete vc-berlin`.
    pub button: String,
    /// Where one goes instead.
    pub back: String,
    /// What was wrong with the last attempt.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_read_before_the_hint() {
        let field = Field::line("host", "Host").hint("Name or address").error(Some("unknown host"));
        assert_eq!(field.described_by().unwrap(), "f-host-error f-host-hint");
        assert_eq!(Field::line("host", "Host").described_by(), None);
        assert_eq!(Field::line("host", "Host").hint("x").described_by().unwrap(), "f-host-hint");
    }
}
