//! Lines that begin with `$`: `$ORIGIN`, `$TTL`, `$INCLUDE` (RFC 1035 §5.1, RFC 2308 §4) and `$GENERATE`.

use super::{
    head::{bad_name, next, ttl},
    owner::{Origin, complete},
    reader::Reader,
    state::State,
};
use crate::rdata::{Words, shortened};
use std::sync::Arc;

impl Reader<'_> {
    /// Does what a directive says.
    pub(super) fn directive(&mut self, text: &str, state: &mut State) -> Result<(), String> {
        let origin = state.origin.clone();
        let mut words = Words::of_entry(text, origin.as_ref().map(|origin| &origin.wire[..]));
        let Some(directive) = next(&mut words)? else { return Ok(()) };
        match directive.text.to_ascii_uppercase().as_str() {
            "$ORIGIN" => {
                let [name] = only(&mut words, "$ORIGIN wants one name")?;
                state.origin = Some(origin_of(name, origin.as_deref())?);
            }
            "$TTL" => {
                let [text] = only(&mut words, "$TTL wants one time, such as 3600 or 1h")?;
                state.default_ttl = Some(ttl(text)?);
            }
            "$INCLUDE" => {
                let wants = "$INCLUDE wants a file, and perhaps a name that is its origin";
                let file = next(&mut words)?.ok_or(wants)?;
                let mut octets = Vec::new();
                file.octets(&mut octets).map_err(|fault| fault.to_string())?;
                let file = String::from_utf8(octets).map_err(|_| "the name of the file is not UTF-8")?;
                let below = match next(&mut words)? {
                    Some(name) => Some(origin_of(name.text, origin.as_deref())?),
                    None => origin.clone(),
                };
                if next(&mut words)?.is_some() {
                    return Err(wants.to_owned());
                }
                self.include(&file, below, state)?;
            }
            "$GENERATE" => self.generate(&mut words, origin.as_deref(), state)?,
            _ => {
                return Err(format!(
                    "`{}` is no directive; there are $ORIGIN, $TTL, $INCLUDE and $GENERATE (a name with a $ is written \\$)",
                    shortened(directive.text)
                ));
            }
        }
        Ok(())
    }

    /// Reads another file here. It begins without an owner; ours, and our origin, are the same after it, but not the TTL.
    fn include(&mut self, name: &str, origin: Option<Arc<Origin>>, state: &mut State) -> Result<(), String> {
        let shown = shortened(name);
        self.spent.includes += 1;
        if self.spent.includes > self.limits().includes {
            self.over = true;
            return Err(format!(
                "there are more than {} $INCLUDE; this and what follows is not read",
                self.limits().includes
            ));
        }
        if self.within.len() > self.limits().depth {
            return Err(format!("`{shown}` would be included {} files deep, and is not", self.limits().depth + 1));
        }
        let from = self.within.last().cloned().unwrap_or_default();
        let (path, text) = self.files.include(&from, name).map_err(|why| format!("`{shown}` {why}"))?;
        if self.within.contains(&path) {
            return Err(format!("`{shown}` includes itself, at once or by way of others"));
        }
        let mut inner = State { origin, owner: String::new(), ..state.clone() };
        self.read_file(&path, &text, &mut inner);
        let State { default_ttl, last_ttl, zone, .. } = inner;
        (state.default_ttl, state.last_ttl, state.zone) = (default_ttl, last_ttl, zone);
        Ok(())
    }
}

/// The words of a directive that takes so many.
fn only<'a, const N: usize>(words: &mut Words<'a>, wants: &str) -> Result<[&'a str; N], String> {
    let mut all = [""; N];
    for slot in &mut all {
        *slot = next(words)?.ok_or(wants)?.text;
    }
    if next(words)?.is_some() { Err(wants.to_owned()) } else { Ok(all) }
}

fn origin_of(text: &str, origin: Option<&Origin>) -> Result<Arc<Origin>, String> {
    let mut name = String::new();
    complete(text, origin, &mut name).map_err(|fault| bad_name(text, &fault))?;
    Origin::new(&name).map(Arc::new).map_err(|fault| bad_name(text, &fault.into()))
}
