//! What is fetched from: an address without a password in it, and the password apart.

use crate::config::Remote;
use reqwest::Url;

/// An address as `git` is given it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    plain: String,
    /// The server that may be told the login, as `https://git.test`, with the login.
    login: Option<(String, Login)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Login {
    name: String,
    password: String,
}

impl Address {
    /// Takes an address apart. The error goes on after the address.
    pub(super) fn new(remote: &Remote) -> Result<Self, String> {
        let text = remote.expose();
        let plain = |text: &str| Self { plain: text.to_owned(), login: None };
        let Some((scheme, _)) = text.split_once("://") else { return Ok(plain(text)) };
        let web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        if !web {
            let password = Url::parse(text).is_ok_and(|url| url.password().is_some());
            return if password {
                Err("ssh takes no password from an address; give it a key".to_owned())
            } else {
                Ok(plain(text))
            };
        }
        let mut url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.username().is_empty() && url.password().is_none() {
            return Ok(plain(text));
        }
        let login = Login { name: decoded(url.username())?, password: decoded(url.password().unwrap_or_default())? };
        let cannot = |()| "a name and a password do not belong into it".to_owned();
        url.set_username("").map_err(cannot)?;
        url.set_password(None).map_err(cannot)?;
        Ok(Self { login: Some((url.origin().ascii_serialization(), login)), plain: url.into() })
    }

    /// Without the login.
    pub(super) fn plain(&self) -> &str {
        &self.plain
    }

    /// Whether it is over http, not https.
    pub(super) fn is_plain(&self) -> bool {
        self.plain.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"))
    }

    /// Who may be told the login.
    pub(super) fn server(&self) -> Option<&str> {
        self.login.as_ref().map(|(server, _)| server.as_str())
    }

    /// Name and password.
    pub(super) fn login(&self) -> Option<(&str, &str)> {
        self.login.as_ref().map(|(_, login)| (login.name.as_str(), login.password.as_str()))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain)
    }
}

/// What `%40` and the like stand for. Lines would be more than one answer to a question of Git's.
fn decoded(text: &str) -> Result<String, String> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = &after[2..];
            }
            None => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    let text = String::from_utf8(octets).map_err(|_| "its name or password is no text".to_owned())?;
    if text.contains(char::is_control) {
        Err("its name or password holds a control character".to_owned())
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_apart_from_the_address_and_told_to_its_server_alone() {
        for (text, plain, server, login) in [
            ("https://git.test/a.git", "https://git.test/a.git", None, None),
            (
                "https://me:s%40crET@git.test:8443/a.git",
                "https://git.test:8443/a.git",
                Some("https://git.test:8443"),
                Some(("me", "s@crET")),
            ),
            ("HTTP://token@git.test/a", "http://git.test/a", Some("http://git.test"), Some(("token", ""))),
            ("git@git.test:a.git", "git@git.test:a.git", None, None),
            ("ssh://git@git.test/a.git", "ssh://git@git.test/a.git", None, None),
            ("/srv/a@b:c.git", "/srv/a@b:c.git", None, None),
        ] {
            let address = Address::new(&Remote::new(text)).unwrap();
            assert_eq!((address.plain(), address.server(), address.login()), (plain, server, login), "{text}");
            assert!(!format!("{address:?}").contains("crET"));
        }
        assert!(Address::new(&Remote::new("http://a%0ab:c@git.test/")).is_err());
        assert!(Address::new(&Remote::new("ssh://git:secret@git.test/a.git")).is_err());
        assert!(Address::new(&Remote::new("http://git.test/")).unwrap().is_plain());
    }
}
