//! Why a query gets what it gets: which step answered, and what made it do so, in a sentence.
//!
//! The query is answered for real, by the same function as any other, and only then looked at again; so what is said here
//! is what a client gets.

use crate::{
    answer::{self, Asker, Branch, Outcome, Replied, elsewhere::Refusal, special},
    encode::Rcode,
    message::{Query, Question},
    resolve::{
        CachedAnswer, Failure, Fetched, Security,
        cache::{Asked, Freshness},
        route,
    },
    snapshot::{Obstacle, Snapshot},
    wire_name::LowerName,
};
use dnsplane_proto::{Name, RecordType};

/// What a query gets, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The step that answered: `local`, `special`, `blocked`, `cache`, `stale`, `upstream`, `none`, `refused`, `dropped` or
    /// `limited`.
    pub step: &'static str,
    /// A whole sentence.
    pub because: String,
    /// What became of the query. If it is unresolved, the explanation says who would be asked: have it fetched, and explain
    /// it again with what came of that.
    pub outcome: Outcome,
    /// The message, as the client would get it; empty if there is none.
    pub reply: Vec<u8>,
}

/// Answers the query, and says why it is answered so.
pub fn explain(query: &[u8], asker: &Asker<'_>, snapshot: &Snapshot) -> Explanation {
    let (mut reply, mut elsewhere) = (Vec::new(), None);
    let outcome = answer::traced(query, asker, snapshot, &mut reply, &mut elsewhere);
    let (step, because) = match (&outcome, Query::parse(query)) {
        (Outcome::Dropped, _) => ("dropped", "It is no query.".to_owned()),
        (Outcome::Withheld, _) => ("limited", "The client was told more than its limit.".to_owned()),
        (Outcome::Replied(replied) | Outcome::ToRenew(replied, _), Ok(query)) => {
            let case = Case { query, asker, snapshot, elsewhere };
            (step(replied.branch), case.because(*replied))
        }
        (Outcome::Replied(_) | Outcome::ToRenew(..), Err(_)) => {
            ("refused", "The message is no query that can be looked up.".to_owned())
        }
        (Outcome::Unresolved(wanted), _) => {
            ("upstream", format!("Nothing is remembered of it: {}.", routed(snapshot, &wanted.name)))
        }
    };
    Explanation { step, because, outcome, reply }
}

fn step(branch: Branch) -> &'static str {
    match branch {
        Branch::Invalid | Branch::Refused => "refused",
        Branch::Local => "local",
        Branch::Special => "special",
        Branch::Blocked => "blocked",
        Branch::Cache => "cache",
        Branch::Stale => "stale",
        Branch::Upstream => "upstream",
        Branch::Failed => "none",
        Branch::Limited => "limited",
    }
}

/// One query that got a reply.
struct Case<'a> {
    query: Query<'a>,
    asker: &'a Asker<'a>,
    snapshot: &'a Snapshot,
    /// The last name of the chain, if it is not ours.
    elsewhere: Option<Box<[u8]>>,
}

impl Case<'_> {
    fn because(&self, replied: Replied) -> String {
        let asked = LowerName::new(self.query.question.name);
        let name = self.elsewhere.as_deref().unwrap_or(asked.as_bytes());
        let alias = if name == asked.as_bytes() {
            String::new()
        } else {
            format!("Local records make it an alias of `{}`. ", text(name))
        };
        let because = match replied.branch {
            Branch::Invalid => invalid(&self.query.question, replied.rcode),
            Branch::Refused => self.refused(name),
            Branch::Limited => "The client has asked, or was told, more than its limit.".to_owned(),
            Branch::Local => self.local(asked.as_bytes(), replied),
            Branch::Special => special(&self.query.question, name),
            Branch::Blocked => self.blocked(name),
            Branch::Cache | Branch::Stale => self.remembered(name),
            Branch::Upstream | Branch::Failed => self.fetched(name),
        };
        format!("{alias}{because}{}{}", self.allowed(name, replied.branch), self.paused(name, replied.branch))
    }

    fn local(&self, name: &[u8], replied: Replied) -> String {
        let authority = self.snapshot.authority(name, false);
        let zone = authority.zone.map(|zone| text(&name[zone.offset..]));
        let of_zone = |zone: &Option<String>| match zone {
            Some(zone) => format!("It is a name of the local zone `{zone}`"),
            None => "It is a local name that is in no zone".to_owned(),
        };
        match authority.obstacle {
            Some(Obstacle::Cut(cut)) if replied.referral => {
                return format!(
                    "{}, and at or below the cut at `{}`: others have its records, and the reply says who.",
                    of_zone(&zone),
                    text(&name[cut.offset..])
                );
            }
            Some(Obstacle::Redirect(redirect)) => {
                return format!("{}, and below the DNAME of `{}`.", of_zone(&zone), text(&name[redirect.offset..]));
            }
            _ => {}
        }
        let says = match replied.rcode {
            Rcode::NxDomain => "does not exist there",
            _ if replied.nodata => "has no record of this type",
            _ if replied.referral => "leads to a name that others have",
            _ if self.snapshot.find(name).is_some() => "has records",
            _ if self.snapshot.wildcard(name).is_some() => "is covered by a wildcard",
            _ => "is the reverse name of an address that local records have",
        };
        format!("{}, and {says}.", of_zone(&zone))
    }

    fn blocked(&self, name: &[u8]) -> String {
        let found = self.snapshot.block_list.as_ref().and_then(|list| Some((list, list.listed(name)?)));
        let Some((list, blocked)) = found else { return "A list blocks it.".to_owned() };
        let sources = joined(list.sources(blocked));
        format!("It is blocked by {sources} (entry `{}`).", text(&name[blocked.at..]))
    }

    /// A name that is not blocked because some list says so.
    fn allowed(&self, name: &[u8], branch: Branch) -> String {
        let Some(list) = &self.snapshot.block_list else { return String::new() };
        let (Some(listed), Some(allowed)) = (list.listed(name), list.allowed(name)) else { return String::new() };
        if !from_elsewhere(branch) {
            return String::new();
        }
        let entry = text(&name[allowed.at..]);
        let (allows, blocks) = (joined(list.sources(allowed)), joined(list.sources(listed)));
        format!(" It is allowed by {allows} (entry `{entry}`), though blocked by {blocks}.")
    }

    /// A name that would be blocked at another time.
    fn paused(&self, name: &[u8], branch: Branch) -> String {
        let Some(list) = &self.snapshot.block_list else { return String::new() };
        let until = self.snapshot.rules.blocking_paused_until;
        let Some(left) = until.checked_sub(self.asker.now.into()).filter(|left| *left > 0) else {
            return String::new();
        };
        match list.find(name).filter(|_| from_elsewhere(branch)) {
            Some(blocked) => {
                let sources = joined(list.sources(blocked));
                format!(" It would be blocked by {sources}, but blocking is paused for another {left} s.")
            }
            None => String::new(),
        }
    }

    fn remembered(&self, name: &[u8]) -> String {
        let asked = Asked {
            name,
            kind: self.query.question.kind,
            dnssec_ok: self.query.edns.is_some_and(|edns| edns.dnssec_ok),
            checking_disabled: self.query.header.checking_disabled() != 0,
        };
        let now = self.asker.now;
        let Some(answer) = self.asker.known.cache.and_then(|cache| cache.find(asked, now)) else {
            return "It was remembered.".to_owned();
        };
        let source = answer.source();
        let content = content(&answer);
        match answer.freshness(now) {
            Freshness::Fresh(left) => format!("{source} said {content}, which is remembered for another {left} s."),
            Freshness::Stale(past) => {
                let why = self
                    .failure()
                    .map_or("while it is being renewed".to_owned(), |failure| format!("because {failure}"));
                format!("{source} said {content}. That is {past} s past its time, and used {why}.")
            }
        }
    }

    fn fetched(&self, name: &[u8]) -> String {
        let routed = routed(self.snapshot, name);
        match self.asker.known.fetched {
            Some((_, Fetched::Answer(answer))) => {
                let (source, content, ttl) = (answer.source(), content(answer), answer.ttl());
                format!("Nothing was remembered of it: {routed}. {source} said {content}, for {ttl} s.")
            }
            _ => {
                let failure = self.failure().unwrap_or_else(|| "there was no answer".to_owned());
                format!("Nothing was remembered of it: {routed}, but {failure}.")
            }
        }
    }

    fn failure(&self) -> Option<String> {
        let Some((_, Fetched::Failed(failure))) = self.asker.known.fetched else { return None };
        Some(match failure {
            Failure::Upstreams => "every upstream failed".to_owned(),
            Failure::Silence => "no upstream replied in time".to_owned(),
            Failure::Bogus(code) => format!("the answer is bogus: {}", bogus(*code)),
            Failure::Busy => "too much is being fetched already".to_owned(),
        })
    }

    fn refused(&self, name: &[u8]) -> String {
        let question = &self.query.question;
        if question.class != 1 {
            return format!("Class {} is not served; only IN is.", question.class);
        }
        if matches!(question.kind, RecordType::AXFR | RecordType::IXFR) {
            return "Zones are not handed out.".to_owned();
        }
        let refusal = if answer::elsewhere::is_meta(question.kind) {
            Refusal::MetaType
        } else if !route::is_anybody(&self.snapshot.upstreams, name) {
            Refusal::Nobody
        } else if !self.query.header.recursion_desired() {
            Refusal::NotDesired
        } else {
            Refusal::NotAllowed
        };
        match refusal {
            Refusal::MetaType => format!("Type {} is no data, and nobody is asked for it.", question.kind),
            Refusal::Nobody => "It is no local name, and no upstream is configured for it.".to_owned(),
            Refusal::NotDesired => "It is no local name, and the client did not ask for recursion (RD).".to_owned(),
            Refusal::NotAllowed => format!(
                "It is no local name, and {} is in none of the networks that may have others resolved (`dns_allow_recursion`).",
                self.asker.address.to_canonical()
            ),
        }
    }
}

/// Whether block lists had a say.
fn from_elsewhere(branch: Branch) -> bool {
    matches!(branch, Branch::Cache | Branch::Stale | Branch::Upstream | Branch::Failed)
}

fn invalid(question: &Question<'_>, rcode: Rcode) -> String {
    match (rcode, question.kind) {
        (Rcode::BadVers, _) => "Only version 0 of EDNS is spoken.".to_owned(),
        (Rcode::NotImp, RecordType::ANY) => "Questions for ANY are not answered (`dns_refuse_any`).".to_owned(),
        (Rcode::NotImp, RecordType::AXFR) => "A transfer needs TCP.".to_owned(),
        (Rcode::NotAuth, _) => "It is no zone of ours, so it cannot be transferred.".to_owned(),
        _ => "The message is no query that can be looked up.".to_owned(),
    }
}

fn special(question: &Question<'_>, name: &[u8]) -> String {
    match special::find(name) {
        Some(special) if question.class == 1 => {
            let (meaning, says) = special.meaning();
            format!("It is {meaning} ({says}), and means the same everywhere.")
        }
        _ => "It is a question about this server itself (`dns_identity`).".to_owned(),
    }
}

/// Who would be asked, and why just they.
fn routed(snapshot: &Snapshot, name: &[u8]) -> String {
    let upstreams = &snapshot.upstreams;
    let servers: Vec<&str> = route::candidates(upstreams, name).map(|upstream| &*upstream.server.name).collect();
    let last_resort = upstreams.last_resort.as_ref().map(|server| &*server.name);
    match (route::domain(upstreams, name), &servers[..], last_resort) {
        (Some(domain), ..) => {
            let domain = text(domain);
            format!("it is asked of {} alone, which is for `{domain}` and what is below", servers.join(" and "))
        }
        (None, [], Some(last_resort)) => format!("it is asked of {last_resort}, the last resort"),
        (None, [], None) => "there is nobody to ask".to_owned(),
        (None, ..) => format!("it is asked of {}", servers.join(", ")),
    }
}

fn content(answer: &CachedAnswer) -> String {
    let [answers, _] = answer.counts();
    let security = match answer.security() {
        Security::Secure => " and is validated",
        Security::Insecure => " of a zone that does not sign",
        Security::Unchecked => "",
    };
    match (answer.rcode(), answer.is_negative()) {
        (Rcode::NxDomain, _) => format!("that there is no such name{security}"),
        (_, true) => format!("that there is no record of this type{security}"),
        (_, false) if answers == 1 => format!("1 record{security}"),
        (_, false) => format!("{answers} records{security}"),
    }
}

/// RFC 8914 §4.
fn bogus(code: u16) -> String {
    let why = match code {
        1 => "no algorithm of its keys is known",
        2 => "no digest of its keys is known",
        5 => "it cannot be told whether its zone signs",
        6 => "its signatures are not right",
        7 => "a signature has expired",
        8 => "a signature is not valid yet",
        9 => "its zone has no key that its parent knows",
        10 => "signatures are missing",
        11 => "a key is not one of a zone",
        12 => "there is no proof that there is nothing",
        _ => return format!("extended error {code}"),
    };
    why.to_owned()
}

fn joined<'a>(sources: impl Iterator<Item = &'a std::sync::Arc<str>>) -> String {
    let sources: Vec<String> = sources.map(|source| format!("list `{source}`")).collect();
    sources.join(" and ")
}

fn text(name: &[u8]) -> String {
    Name::from_wire(name).map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

#[cfg(test)]
mod tests;
