//! Addresses of other machines that may hold a password, which nobody is shown.

use std::fmt;

/// An address such as `https://me:secret@git.test/dns.git`. Formatting it leaves out what stands before the `@`.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote(String);

impl Remote {
    /// Takes any text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// All of it, to be used and never shown.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text in which somebody else may have written this address, or what is secret about it.
    pub fn hide_in(&self, text: &str) -> String {
        match self.secret() {
            Some((_, secret)) => text.replace(secret, "***"),
            None => text.to_owned(),
        }
    }

    /// What comes before the secret, and the secret. A name alone is one where it may be a token; ssh has only names.
    fn secret(&self) -> Option<(&str, &str)> {
        let (scheme, rest) = self.0.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, _) = authority.rsplit_once('@')?;
        let start = scheme.len() + 3;
        match (scheme.to_ascii_lowercase().as_str(), login.split_once(':')) {
            ("ssh", None) => None,
            ("ssh", Some((name, secret))) => Some((&self.0[..start + name.len() + 1], secret)),
            _ => Some((&self.0[..start], login)),
        }
        .filter(|(_, secret)| !secret.is_empty())
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret() {
            Some((before, secret)) => write!(f, "{before}***{}", &self.0[before.len() + secret.len()..]),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("https://dns.test/r.json", "https://dns.test/r.json"),
            ("https://me:secret@dns.test/a@b", "https://***@dns.test/a@b"),
            ("HTTPS://secret@dns.test", "HTTPS://***@dns.test"),
            ("https://me:sec@ret@dns.test/", "https://***@dns.test/"),
            ("ssh://git@git.test/dns.git", "ssh://git@git.test/dns.git"),
            ("ssh://git:secret@git.test/dns.git", "ssh://git:***@git.test/dns.git"),
            ("git@git.test:dns.git", "git@git.test:dns.git"),
            ("/srv/dns@home.git", "/srv/dns@home.git"),
        ] {
            assert_eq!(Remote::new(text).to_string(), shown);
        }
        let remote = Remote::new("https://me:secret@dns.test/");
        assert_eq!(remote.hide_in("cannot read https://me:secret@dns.test/x"), "cannot read https://***@dns.test/x");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(ssh|http)?:?/{0,3}[a@:/?é]{0,12}") {
            let remote = Remote::new(&text);
            let _ = (remote.to_string(), remote.hide_in(&text));
        }
    }
}
