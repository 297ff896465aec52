//! Names that stand for other names: CNAME and DNAME.

use super::{LONG, Maker, Role, deeds::fill};

pub(super) fn set_alias(maker: &mut Maker<'_>, name: &str, to: &str) {
    maker.roles.insert(name.to_owned(), Role::Alias);
    maker.add(name, "CNAME", to);
}

pub(super) fn alias(maker: &mut Maker<'_>) {
    let (name, to) = (maker.fresh(), maker.target());
    set_alias(maker, &name, &to);
}

/// Up to more links than any server follows.
pub(super) fn chain(maker: &mut Maker<'_>) {
    let mut to = maker.target();
    let links = if maker.random.one_in(4) { 22 } else { maker.random.within(2..9) };
    for _ in 0..links {
        let name = maker.fresh();
        set_alias(maker, &name, &to);
        to = name;
    }
}

pub(super) fn ring(maker: &mut Maker<'_>) {
    let first = maker.fresh();
    maker.roles.insert(first.clone(), Role::Alias);
    let mut to = first.clone();
    for _ in 0..maker.random.within(0..3) {
        let name = maker.fresh();
        set_alias(maker, &name, &to);
        to = name;
    }
    set_alias(maker, &first, &to);
}

/// A name that may have a DNAME: no wildcard (RFC 6672 §3.3 warns of these), nothing below it.
pub(super) fn redirectable(maker: &mut Maker<'_>) -> String {
    for _ in 0..20 {
        let name = maker.fresh();
        if !name.starts_with('*') && !maker.has_descendants(&name) {
            return name;
        }
    }
    format!("d{}.{}", maker.roles.len(), maker.origin)
}

pub(super) fn set_redirect(maker: &mut Maker<'_>, name: &str, to: &str) {
    maker.roles.insert(name.to_owned(), Role::Redirect);
    maker.add(name, "DNAME", to);
}

pub(super) fn redirect(maker: &mut Maker<'_>) {
    let (name, to) = (redirectable(maker), maker.target());
    set_redirect(maker, &name, &to);
    if maker.random.one_in(3) {
        fill(maker, &name);
    }
    if maker.random.one_in(3) {
        let alias = maker.fresh();
        set_alias(maker, &alias, &format!("www.{name}"));
    }
}

pub(super) fn redirects_in_a_row(maker: &mut Maker<'_>) {
    let mut to = maker.target();
    for _ in 0..maker.random.within(2..5) {
        let name = redirectable(maker);
        set_redirect(maker, &name, &to);
        to = name;
    }
}

pub(super) fn long_redirect(maker: &mut Maker<'_>) {
    let name = redirectable(maker);
    let to = format!("{LONG}.{LONG}.{LONG}.{}", maker.origin);
    set_redirect(maker, &name, &to);
}

/// Each round makes the name longer, or comes back to the same.
pub(super) fn self_redirect(maker: &mut Maker<'_>) {
    let name = redirectable(maker);
    let to = if maker.random.one_in(2) { format!("again.{name}") } else { name.clone() };
    set_redirect(maker, &name, &to);
}
