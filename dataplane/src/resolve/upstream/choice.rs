//! Whom to ask first, and whom next. Pure.
//!
//! Healthy servers come before those that are not; of those that are alike, the fastest comes first, and one that was never
//! measured before all, so that it will be. Now and then another of the healthy ones comes first, since it may have become the
//! fastest. Then come the stand-ins of the rows, and the last resort. If nobody is healthy, all are asked in this order.

use std::time::Duration;

/// Of so many questions, one is put first to a server that is not the fastest.
pub const EXPLORE: u64 = 64;

/// A server, as far as choosing is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<S> {
    /// Whoever it is.
    pub server: S,
    /// Whether it answers.
    pub healthy: bool,
    /// How long it takes; zero if it was never measured.
    pub rtt: Duration,
}

/// Servers for one name, and who stands in for each.
pub type Row<S> = (Candidate<S>, Option<Candidate<S>>);

/// The servers in the order in which to ask them, each once. `random` says which question is the one of [`EXPLORE`].
pub fn order<S: PartialEq>(rows: Vec<Row<S>>, last_resort: Option<Candidate<S>>, random: u64) -> Vec<S> {
    let mut fallbacks = Vec::new();
    let mut ranked: Vec<(u8, Candidate<S>)> = Vec::with_capacity(rows.len());
    for (server, fallback) in rows {
        // Who stands in for a server that does not answer has its place.
        let in_place = !server.healthy;
        if let Some(fallback) = fallback {
            let tier = if !fallback.healthy {
                4
            } else if in_place {
                0
            } else {
                1
            };
            fallbacks.push((tier, fallback));
        }
        ranked.push((if server.healthy { 0 } else { 3 }, server));
    }
    ranked.append(&mut fallbacks);
    ranked.extend(last_resort.map(|server| (if server.healthy { 2 } else { 5 }, server)));
    ranked.sort_by_key(|(tier, server)| (*tier, server.rtt));
    let first = ranked.iter().take_while(|(tier, _)| *tier == 0).count();
    if first > 1 && random.is_multiple_of(EXPLORE) {
        let other = 1 + (random / EXPLORE) as usize % (first - 1);
        ranked.swap(0, other);
    }
    let mut order = Vec::with_capacity(ranked.len());
    for (_, candidate) in ranked {
        if !order.contains(&candidate.server) {
            order.push(candidate.server);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Healthy if the name is lower case.
    fn server(name: char, millis: u64) -> Candidate<char> {
        Candidate { server: name, healthy: name.is_lowercase(), rtt: Duration::from_millis(millis) }
    }

    #[test]
    fn each_has_its_place() {
        let alone = |name, millis| (server(name, millis), None);
        let with = |name, millis, fallback| (server(name, millis), Some(server(fallback, 1)));
        for (why, rows, last_resort, expected) in [
            ("the fastest first", vec![alone('a', 9), alone('b', 3), alone('c', 5)], None, "bca"),
            ("who was never measured before all", vec![alone('a', 9), alone('b', 0)], None, "ba"),
            ("the unhealthy last", vec![alone('A', 1), alone('b', 9)], None, "bA"),
            ("stand-ins after rows", vec![with('a', 9, 'x'), alone('b', 20)], None, "abx"),
            ("a stand-in in the place of its row", vec![with('A', 2, 'x'), alone('b', 20)], None, "xbA"),
            ("the last resort after stand-ins", vec![with('a', 9, 'x')], Some('z'), "axz"),
            ("the last resort before the unhealthy", vec![alone('A', 9)], Some('z'), "zA"),
            ("the last resort alone", vec![], Some('z'), "z"),
            ("nobody is healthy", vec![with('A', 9, 'X'), alone('B', 2)], Some('Z'), "BAXZ"),
            ("nobody twice", vec![with('a', 9, 'b'), with('b', 3, 'a')], Some('a'), "ba"),
            ("nobody", vec![], None, ""),
        ] {
            let order: String = order(rows, last_resort.map(|name| server(name, 1)), 1).into_iter().collect();
            assert_eq!(order, expected, "{why}");
        }
    }

    #[test]
    fn now_and_then_another_healthy_one_comes_first() {
        let rows =
            || vec![(server('a', 1), None), (server('b', 2), None), (server('c', 3), None), (server('D', 0), None)];
        let first: Vec<char> = (0..4 * EXPLORE).map(|random| order(rows(), None, random)[0]).collect();
        let count = |name| first.iter().filter(|first| **first == name).count();
        assert_eq!([count('a'), count('b'), count('c'), count('D')], [4 * EXPLORE as usize - 4, 2, 2, 0]);
    }
}
