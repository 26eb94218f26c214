//! The cookies: one that signs in, one that tells a visitor's forms from foreign ones, the theme, and one message.

use crate::auth::secret::Secret;

/// How cookies are named and set. Over TLS their names begin with `__Host-`, which browsers only take from this very
/// host, secure and for all paths.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// For a server that is reached over TLS, or not.
    pub fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// What the session's cookie holds among those that were sent.
    pub fn session(&self, sent: &[&str]) -> Option<Secret> {
        find(sent, &self.name("session")).map(|value| Secret::sent(&value))
    }

    /// What the visitor's cookie holds.
    pub fn visitor(&self, sent: &[&str]) -> Option<Secret> {
        find(sent, &self.name("visitor")).map(|value| Secret::sent(&value))
    }

    /// The theme that the viewer chose.
    pub fn theme(&self, sent: &[&str]) -> Option<String> {
        find(sent, &self.name("theme"))
    }

    /// The message that is shown once, after something was done.
    pub fn message(&self, sent: &[&str]) -> Option<String> {
        let value = find(sent, &self.name("done"))?;
        percent_decode(&value)
    }

    /// Sets the session's cookie. It ends with the browser; the server ends it earlier. Lax, not Strict: a link in a
    /// mail has to open the page it names; changing requests carry a token besides.
    pub fn set_session(&self, secret: &Secret) -> String {
        self.set("session", secret.reveal(), "HttpOnly; SameSite=Lax", None)
    }

    /// Takes the session's cookie away.
    pub fn clear_session(&self) -> String {
        self.set("session", "", "HttpOnly; SameSite=Lax", Some(0))
    }

    /// Sets the visitor's cookie.
    pub fn set_visitor(&self, secret: &Secret) -> String {
        self.set("visitor", secret.reveal(), "HttpOnly; SameSite=Lax", None)
    }

    /// Sets the theme, for a year.
    pub fn set_theme(&self, theme: &str) -> String {
        self.set("theme", theme, "HttpOnly; SameSite=Lax", Some(365 * 86_400))
    }

    /// Sets the message for the next page.
    pub fn set_message(&self, message: &str) -> String {
        self.set("done", &super::view::list::in_query(message), "HttpOnly; SameSite=Lax", Some(60))
    }

    /// Takes the message away once it was shown.
    pub fn clear_message(&self) -> String {
        self.set("done", "", "HttpOnly; SameSite=Lax", Some(0))
    }

    fn name(&self, what: &str) -> String {
        format!("{}zerfaux-{what}", if self.secure { "__Host-" } else { "" })
    }

    fn set(&self, what: &str, value: &str, rest: &str, seconds: Option<u32>) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        format!("{}={value}; Path=/; {rest}{secure}{age}", self.name(what))
    }
}

fn find(sent: &[&str], name: &str) -> Option<String> {
    let pairs = sent.iter().flat_map(|header| header.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name);
    values.next().map(|(_, value)| value.to_owned()).filter(|value| !value.is_empty())
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tls_cookies_belong_to_this_host_alone() {
        let (secret, tls) = (Secret::generate(), Cookies::new(true));
        let set = tls.set_session(&secret);
        assert!(set.starts_with("__Host-zerfaux-session="), "{set}");
        for word in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
            assert!(set.contains(word), "{word} in {set}");
        }
        assert!(!set.contains("Domain"), "{set}");
        let sent = set.split(';').next().unwrap();
        assert_eq!(tls.session(&["a=b", sent]).unwrap().hash(), secret.hash());
        assert!(!Cookies::new(false).set_session(&secret).contains("Secure"));
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let cookies = Cookies::new(true);
        let set = cookies.set_message("Key “Möhre; 1” was made.");
        let sent = set.split(';').next().unwrap().to_owned();
        assert_eq!(cookies.message(&[&sent]).unwrap(), "Key “Möhre; 1” was made.");
        assert_eq!(cookies.message(&["__Host-zerfaux-done=%zz"]), None);
    }
}
