//! Who has signed in: a cookie that proves the token was shown, without holding it.
//!
//! The cookie is its own expiry and an HMAC-SHA256 over expiry and token, under a key that this process drew at its start.
//! Nothing is kept per session; another token or a restart ends all of them.

use crate::{config::Secret, hash::hex};
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use subtle::ConstantTimeEq;

const COOKIE: &str = "dnsplane_dashboard";
/// A working day.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);
/// SHA-256 works on blocks of this size (RFC 2104 §2).
const BLOCK: usize = 64;

/// Makes and checks session cookies; clones share the key.
#[derive(Clone)]
pub struct Sessions {
    /// `None` if the system had no randomness: then nobody can sign in.
    key: Option<Arc<[u8; 32]>>,
}

impl Default for Sessions {
    fn default() -> Self {
        let mut key = [0; 32];
        Self { key: getrandom::fill(&mut key).is_ok().then(|| Arc::new(key)) }
    }
}

impl Sessions {
    /// The `Set-Cookie` value of a session that begins now, for whoever has shown this token.
    pub(super) fn begin(&self, token: &Secret) -> Option<String> {
        let expires = now() + LASTS.as_secs();
        let proof = self.proof(expires, token)?;
        let lasts = LASTS.as_secs();
        Some(format!("{COOKIE}={expires}.{proof}; Path={}; Max-Age={lasts}; HttpOnly; SameSite=Strict", super::ROOT))
    }

    /// Whether these headers carry a session that began with this token and is not over.
    pub(crate) fn holds(&self, headers: &HeaderMap, token: &Secret) -> bool {
        self.holds_at(headers, token, now())
    }

    fn holds_at(&self, headers: &HeaderMap, token: &Secret, now: u64) -> bool {
        cookies(headers).any(|cookie| {
            let Some((expires, shown)) = cookie.split_once('.') else { return false };
            let Ok(expires) = expires.parse() else { return false };
            let proof = self.proof(expires, token);
            now < expires && proof.is_some_and(|proof| bool::from(proof.as_bytes().ct_eq(shown.as_bytes())))
        })
    }

    fn proof(&self, expires: u64, token: &Secret) -> Option<String> {
        let key = self.key.as_deref().filter(|_| !token.is_empty())?;
        Some(hex(&hmac(key, &[&expires.to_be_bytes(), token.expose().as_bytes()])))
    }
}

/// The `Set-Cookie` value that ends a session.
pub(super) fn end() -> String {
    format!("{COOKIE}=; Path={}; Max-Age=0; HttpOnly; SameSite=Strict", super::ROOT)
}

/// Whether the browser came with a session; whether it is good was asked before.
pub(super) fn is_shown(headers: &HeaderMap) -> bool {
    cookies(headers).next().is_some()
}

/// The values of our cookie (RFC 6265 §5.4).
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// HMAC-SHA256 (RFC 2104) with a key no longer than a block.
fn hmac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    let keyed = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
        Sha256::new_with_prefix(block)
    };
    let mut inner = keyed(0x36);
    message.iter().for_each(|part| inner.update(part));
    keyed(0x5c).chain_update(inner.finalize()).finalize().into()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn rfc4231_s4_3_hmac_is_hmac() {
        let mac = hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_session_holds_for_its_token_and_process_until_it_expires() {
        let (sessions, token) = (Sessions::default(), Secret::new("tok"));
        let set = sessions.begin(&token).unwrap();
        assert!(set.ends_with("; HttpOnly; SameSite=Strict") && !set.contains("tok"), "{set}");
        let pair = set.split(';').next().unwrap();
        let shown = headers(&format!("other=1; {pair}"));
        assert!(sessions.holds(&shown, &token));
        assert!(!sessions.holds(&shown, &Secret::new("other")), "another token ends it");
        assert!(!sessions.holds(&shown, &Secret::default()));
        assert!(!Sessions::default().holds(&shown, &token), "a restart ends it");
        assert!(!sessions.holds_at(&shown, &token, now() + LASTS.as_secs() + 1), "time ends it");
        let (_, value) = pair.split_once('=').unwrap();
        let (expires, proof) = value.split_once('.').unwrap();
        let later: u64 = expires.parse::<u64>().unwrap() + 1;
        for forged in [
            format!("{later}.{proof}"),
            format!("{expires}."),
            expires.to_owned(),
            String::new(),
            format!("{expires}.{proof}0"),
        ] {
            assert!(!sessions.holds(&headers(&format!("{COOKIE}={forged}")), &token), "{forged}");
        }
    }
}
