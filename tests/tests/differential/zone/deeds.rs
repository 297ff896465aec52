//! What is done to zones.

use super::{Maker, Role, aliases};
use crate::kinds;

type Deed = fn(&mut Maker<'_>);

/// How often something is done, what it is called, and what it is.
pub(super) const ALL: &[(u64, &str, Deed)] = &[
    (8, "data", data),
    (2, "services", services),
    (2, "empty non-terminal", empty_non_terminal),
    (5, "wildcard", wildcard),
    (3, "wildcard alias", wildcard_alias),
    (2, "blocked wildcard", blocked_wildcard),
    (2, "wildcard below an empty non-terminal", deep_wildcard),
    (2, "star in the middle", star_in_the_middle),
    (6, "alias", aliases::alias),
    (2, "chain", aliases::chain),
    (2, "loop", aliases::ring),
    (4, "redirect", aliases::redirect),
    (2, "redirects in a row", aliases::redirects_in_a_row),
    (1, "redirect to a long name", aliases::long_redirect),
    (1, "redirect into itself", aliases::self_redirect),
    (5, "cut", cut),
    (1, "big set", big_set),
];

pub(super) const REDIRECT_OF_APEX: &str = "redirect of the apex";
pub(super) const CHILD: &str = "zone below";

/// What happens to whole zones.
impl Maker<'_> {
    /// A zone whose every name is another zone's (RFC 6672 §2.3).
    pub(super) fn redirect_apex(&mut self) {
        let apex = self.origin.clone();
        let to = self.random.one_of(&self.beyond).clone();
        self.add(&apex, "NS", "ns.far.example");
        self.add(&apex, "DNAME", &to);
        fill(self, &apex);
        self.deeds.insert(REDIRECT_OF_APEX);
    }

    /// A zone below this one on the same server. The cut has the NS records of the child's apex, which hold for both. Nothing
    /// else of this zone is below the cut: we keep all records in one store, where it would be the child's.
    pub(super) fn add_child(&mut self) {
        let mut apex = self.fresh();
        let below = format!(".{apex}");
        if apex.contains('*') || self.records.iter().any(|record| record.name.ends_with(&below)) {
            apex = format!("child{}.{}", self.roles.len(), self.origin);
        }
        let mut maker = Maker::new(&apex, self.random);
        maker.add_servers();
        maker.beyond.extend(self.roles.keys().cloned());
        for _ in 0..maker.random.within(3..12) {
            maker.deed();
        }
        let (names, child) = (maker.roles.keys().cloned().collect::<Vec<_>>(), maker.finish());
        self.roles.insert(apex.clone(), Role::Cut);
        let server = format!("ns.{apex}");
        let shared = |name: &str, kind: &str| match kind {
            "NS" => name == apex,
            "A" | "AAAA" => name == server,
            _ => false,
        };
        self.records.extend(child.records.iter().filter(|record| shared(&record.name, &record.kind)).cloned());
        if self.random.one_in(2) {
            self.add(&apex, "DS", "60485 13 2 D4B7D520E7BB5F0FD4B7D520E7BB5F0FD4B7D520E7BB5F0FD4B7D520E7BB5F0F");
        }
        for _ in 0..3 {
            let alias = self.fresh();
            let to = self.random.one_of(&names).clone();
            aliases::set_alias(self, &alias, &to);
        }
        self.child = Some(Box::new(child));
        self.deeds.insert(CHILD);
    }
}

/// Sets of a few types at a name.
pub(super) fn fill(maker: &mut Maker<'_>, name: &str) {
    for _ in 0..maker.random.within(1..4) {
        let kind = kinds::any(maker.random);
        let hosts = [(); 2].map(|()| maker.target());
        for value in kinds::values(maker.random, kind, |random| random.one_of(&hosts).clone()) {
            maker.add(name, kind, &value);
        }
    }
}

fn put_data(maker: &mut Maker<'_>, name: &str) {
    maker.roles.entry(name.to_owned()).or_insert(Role::Data);
    fill(maker, name);
}

fn data(maker: &mut Maker<'_>) {
    let name = if maker.random.one_in(4) { maker.data_name() } else { maker.fresh() };
    put_data(maker, &name);
}

fn services(maker: &mut Maker<'_>) {
    let (name, host) = (maker.fresh(), maker.target());
    for (kind, value) in
        [("MX", format!("5 {host}")), ("SRV", format!("1 1 80 {host}")), ("HTTPS", format!("1 {host}"))]
    {
        maker.add(&name, kind, &value);
    }
    maker.roles.insert(name, Role::Data);
}

fn empty_non_terminal(maker: &mut Maker<'_>) {
    let parent = maker.fresh();
    let name = format!("e.{parent}");
    put_data(maker, &name);
}

fn wildcard(maker: &mut Maker<'_>) {
    let name = star(maker);
    put_data(maker, &name);
}

/// A new name that is a wildcard (RFC 4592 §2.1.1), or one that is there and has data.
fn star(maker: &mut Maker<'_>) -> String {
    let name = format!("*.{}", maker.data_name());
    if maker.is_free(&name) { name } else { format!("*.{}", maker.fresh()) }
}

fn wildcard_alias(maker: &mut Maker<'_>) {
    let (name, to) = (star(maker), maker.target());
    if maker.is_free(&name) {
        aliases::set_alias(maker, &name, &to);
    }
}

/// A wildcard beside names that exist, and names that exist only because others are below them (RFC 4592 §2.2.2).
fn blocked_wildcard(maker: &mut Maker<'_>) {
    let parent = maker.fresh();
    for front in ["*", "a", "deep.under.b"] {
        put_data(maker, &format!("{front}.{parent}"));
    }
}

fn deep_wildcard(maker: &mut Maker<'_>) {
    let name = format!("*.e.{}", maker.fresh());
    put_data(maker, &name);
}

/// `*` that is not the first label is a name like any other, but the wildcard above it exists (RFC 4592 §2.3).
fn star_in_the_middle(maker: &mut Maker<'_>) {
    let name = format!("m.*.{}", maker.data_name());
    if maker.is_free(&name) {
        put_data(maker, &name);
    }
}

/// A delegation: servers with and without glue, perhaps DS, and names that it hides.
fn cut(maker: &mut Maker<'_>) {
    let mut name = maker.fresh();
    if name.starts_with('*') {
        name = format!("z{}.{}", maker.roles.len(), maker.origin);
    }
    maker.roles.insert(name.clone(), Role::Cut);
    for _ in 0..maker.random.within(1..4) {
        let server = match maker.random.within(0..5) {
            0 => maker.random.one_of(&maker.beyond).clone(),
            1 => maker.target(),
            2 => name.clone(),
            _ => format!("{}.{name}", maker.random.one_of(&["ns", "ns2", "*", "deep.ns"])),
        };
        maker.add(&name, "NS", &server);
        if server.ends_with(&name) && !maker.random.one_in(4) {
            maker.add(&server, "A", "192.0.2.53");
            maker.add(&server, "AAAA", "2001:db8::53");
        }
    }
    if maker.random.one_in(2) {
        maker.add(&name, "DS", "60485 13 2 D4B7D520E7BB5F0FD4B7D520E7BB5F0FD4B7D520E7BB5F0FD4B7D520E7BB5F0F");
    }
    // Hidden: at the cut, below it, a wildcard below it, a further cut.
    for (front, kind, value) in [("", "TXT", "\"hidden\""), ("www.", "A", "192.0.2.9"), ("*.", "A", "192.0.2.8")] {
        if maker.random.one_in(3) {
            maker.add(&format!("{front}{name}"), kind, value);
        }
    }
    if maker.random.one_in(4) {
        maker.add(&format!("sub.{name}"), "NS", &format!("ns.{name}"));
    }
}

/// More than a datagram of the usual size holds.
fn big_set(maker: &mut Maker<'_>) {
    let name = maker.fresh();
    maker.roles.insert(name.clone(), Role::Data);
    for number in 0..maker.random.within(10..60) {
        maker.add(&name, "TXT", &format!("\"{number} {}\"", "x".repeat(90)));
    }
}
