//! Tokens: compared in constant time, and never shown by accident.

use crate::hash::hex;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A token. Formatting it shows only whether there is one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a token, without the white space around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether there is no token at all; such a one matches nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody gave this token; takes the same time wherever the two differ.
    pub fn matches(&self, given: &str) -> bool {
        let same = Sha256::digest(&self.0).ct_eq(&Sha256::digest(given));
        bool::from(same) && !self.is_empty()
    }

    /// SHA-256 in hex, by which people see that two nodes have the same token without seeing it; `None` if there is none.
    pub fn fingerprint(&self) -> Option<String> {
        (!self.is_empty()).then(|| hex(&Sha256::digest(&self.0)))
    }

    /// The token itself, to be sent to a peer and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(none)" } else { "(secret)" })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_itself_alone_and_is_not_shown() {
        let token = Secret::new(" tok ");
        assert!(token.matches("tok") && !token.matches("tok ") && !token.matches("") && !token.matches("toK"));
        assert!(!Secret::default().matches(""), "no token admits nobody");
        assert_eq!(format!("{token} {token:?}"), "(secret) (secret)");
    }
}
