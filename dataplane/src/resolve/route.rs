//! Which upstreams are asked for a name.

use dnsplane_proto::{Upstream, Upstreams};

/// Who may be asked for one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Upstreams that have this name for themselves, and nobody else.
    Exclusive,
    /// The general ones, and in the end the last resort.
    General,
    /// There is nobody.
    Nobody,
}

/// Who may be asked for this name, given in lower-case wire form.
pub fn route(upstreams: &Upstreams, name: &[u8]) -> Route {
    if upstreams.upstreams.iter().any(|upstream| has(upstream, name)) {
        return Route::Exclusive;
    }
    let general = upstreams.upstreams.iter().any(|upstream| upstream.domains.is_empty());
    if general || upstreams.last_resort.is_some() { Route::General } else { Route::Nobody }
}

/// Whether there is anybody to ask for this name. Where there are general upstreams that takes no look at the name.
pub fn is_anybody(upstreams: &Upstreams, name: &[u8]) -> bool {
    upstreams.last_resort.is_some()
        || upstreams.upstreams.iter().any(|upstream| upstream.domains.is_empty() || has(upstream, name))
}

/// The upstreams of a route, in the order in which they are configured.
pub fn candidates<'a>(upstreams: &'a Upstreams, name: &'a [u8]) -> impl Iterator<Item = &'a Upstream> {
    let route = route(upstreams, name);
    upstreams.upstreams.iter().filter(move |upstream| match route {
        Route::Exclusive => has(upstream, name),
        Route::General => upstream.domains.is_empty(),
        Route::Nobody => false,
    })
}

/// The longest of the domains that upstreams have for themselves and this name is in.
pub fn domain<'a>(upstreams: &'a Upstreams, name: &[u8]) -> Option<&'a [u8]> {
    let domains = upstreams.upstreams.iter().flat_map(|upstream| &upstream.domains).map(|domain| domain.as_wire());
    domains.filter(|domain| crate::wire_name::is_at_or_below(name, domain)).max_by_key(|domain| domain.len())
}

/// Whether the upstream has this name for itself.
fn has(upstream: &Upstream, name: &[u8]) -> bool {
    upstream.domains.iter().any(|domain| crate::wire_name::is_at_or_below(name, domain.as_wire()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::{Name, Server, Way};

    fn server(name: &str) -> Server {
        Server { name: name.to_owned(), address: "192.0.2.1:53".parse().expect("an address"), way: Way::Udp }
    }

    fn upstream(name: &str, domains: &[&str]) -> Upstream {
        let domains = domains.iter().map(|text| Name::parse(text).expect("a name")).collect();
        Upstream { server: server(name), domains, fallback: None }
    }

    fn asked(upstreams: &Upstreams, name: &str) -> (Route, Vec<String>) {
        let name = Name::parse(name).expect("a name");
        let asked = candidates(upstreams, name.as_wire()).map(|upstream| upstream.server.name.clone()).collect();
        (route(upstreams, name.as_wire()), asked)
    }

    #[test]
    fn a_name_that_upstreams_have_for_themselves_is_asked_of_them_alone() {
        let upstreams = Upstreams {
            upstreams: vec![upstream("a", &[]), upstream("b", &["corp.test", "x.test"]), upstream("c", &["corp.test"])],
            last_resort: Some(server("z")),
            ..Upstreams::default()
        };
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(asked(&upstreams, "corp.test"), (Route::Exclusive, names(&["b", "c"])));
        assert_eq!(asked(&upstreams, "www.corp.test"), (Route::Exclusive, names(&["b", "c"])));
        assert_eq!(asked(&upstreams, "x.test"), (Route::Exclusive, names(&["b"])));
        assert_eq!(asked(&upstreams, "notcorp.test"), (Route::General, names(&["a"])));
    }

    #[test]
    fn without_general_upstreams_there_is_the_last_resort_or_nobody() {
        let some = vec![upstream("b", &["corp.test"])];
        let with = Upstreams { upstreams: some.clone(), last_resort: Some(server("z")), ..Upstreams::default() };
        assert_eq!(asked(&with, "example.org"), (Route::General, vec![]));
        let without = Upstreams { upstreams: some, ..Upstreams::default() };
        assert_eq!(asked(&without, "example.org"), (Route::Nobody, vec![]));
    }
}
