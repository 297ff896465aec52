//! The page's markup.
//!
//! Text that others chose (node ids, addresses, reasons) is escaped by maud, clipped, and kept in its own direction (`bdi`),
//! so that it cannot pass for ours.

use super::{
    ROOT, panels, peers,
    view::{Cluster, Peer, View},
    words::{ago, clipped, counted, grouped, span},
};
use maud::{DOCTYPE, Markup, html};

/// How things stand, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    Quiet,
    Ok,
    Warn,
    Bad,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The whole page. `signed_in` offers to sign out.
pub(super) fn page(view: &View, signed_in: bool) -> Markup {
    let cluster = &view.cluster;
    let title = format!("{} · dnsplane", clipped(&cluster.node_id));
    let body = html! {
        p #stale role="status" hidden {}
        main #live {
            (headline(view))
            (attention(view))
            @if cluster.enabled { (peers::table(cluster)) }
            div.panels {
                (panels::content(cluster)) (panels::identity(view)) (panels::discovery(cluster))
                (panels::door(cluster)) (panels::data_planes(view)) (panels::store(view))
            }
        }
        noscript { p.hint { "Without JavaScript this page stays as it is; reload it to see what has changed." } }
    };
    frame(&title, &who(view, signed_in), &body)
}

/// The page of who has not signed in.
pub(super) fn sign_in(problem: Option<&str>) -> Markup {
    let body = html! {
        main.login {
            form.panel method="post" action={ (ROOT) "/login" } {
                h1 { "Sign in" }
                p.hint { "This node asks for its API token, " code { "api_auth_token" } " in dnsplane.json." }
                @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                button type="submit" { "Sign in" }
            }
        }
    };
    frame("Sign in · dnsplane", &html! {}, &body)
}

fn frame(title: &str, aside: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href={ (ROOT) "/icon.svg" };
                link rel="stylesheet" href={ (ROOT) "/app.css" };
                script src={ (ROOT) "/app.js" } defer {}
            }
            body {
                header.top {
                    img src={ (ROOT) "/icon.svg" } alt="" width="28" height="28";
                    span.brand { "dnsplane" }
                    (aside)
                }
                (body)
            }
        }
    }
}

fn who(view: &View, signed_in: bool) -> Markup {
    html! {
        bdi.node { (clipped(&view.cluster.node_id)) }
        span.spacer {}
        span.hint { "version " (view.build.version) ", up " (span(view.server.uptime_seconds)) }
        @if signed_in {
            form method="post" action={ (ROOT) "/logout" } { button.plain type="submit" { "Sign out" } }
        }
    }
}

/// One sentence that says whether anything needs doing.
fn headline(view: &View) -> Markup {
    let (tone, sentence) = verdict(&view.cluster);
    let (dns_tone, dns) = if view.server.ready {
        (Tone::Ok, "queries are answered from the newest records")
    } else {
        (Tone::Bad, "no data plane answers from the newest records")
    };
    html! {
        section class={ "headline " (tone.max(dns_tone).class()) } {
            h1 { (sentence) }
            p { (counted(view.server.records, "record")) " at generation " (grouped(view.server.generation.number)) "; " (dns) "." }
        }
    }
}

/// How the cluster is, in one sentence.
pub(super) fn verdict(cluster: &Cluster) -> (Tone, String) {
    let others: Vec<_> = cluster.peers.iter().flatten().filter(|peer| !peer.is_self()).collect();
    let count = others.len() as u64;
    let counting = |test: &dyn Fn(&&&Peer) -> bool| others.iter().filter(test).count() as u64;
    let (away, different) = (counting(&|peer| !peer.reachable), counting(&|peer| peer.hash_equal == Some(false)));
    let unknown = counting(&|peer| peer.hash_equal.is_none());
    let (all, hold) = if count == 1 { ("The only peer is", "holds") } else { ("All peers are", "hold") };
    match () {
        () if !cluster.enabled => (Tone::Quiet, "The cluster is off; this node stands alone".to_owned()),
        () if cluster.state_error.is_some() => (Tone::Bad, "The cluster does not run".to_owned()),
        () if count == 0 => (Tone::Warn, "This node has no peers".to_owned()),
        () if away > 0 => (Tone::Bad, format!("{away} of {} cannot be reached", counted(count, "peer"))),
        () if different > 0 => (Tone::Warn, different_from_ours(different, count)),
        () if unknown > 0 => (Tone::Ok, format!("{all} reachable")),
        () => (Tone::Ok, format!("{all} reachable and {hold} the same records")),
    }
}

fn different_from_ours(different: u64, count: u64) -> String {
    let verb = if different == 1 { "does" } else { "do" };
    format!("{different} of {} {verb} not hold our records", counted(count, "peer"))
}

/// What an operator should look at, a sentence each.
fn attention(view: &View) -> Markup {
    let cluster = &view.cluster;
    let discovery = cluster.discovery_last_error.as_ref().map(|error| format!("discovery: {error}"));
    let own = [&cluster.state_error, &cluster.listen_error, &cluster.node_id_conflict, &discovery];
    let mut sentences: Vec<String> = own.into_iter().flatten().cloned().collect();
    sentences.extend(view.server.problems.iter().cloned());
    if let Some(conflicts) = cluster.conflicts.as_ref().filter(|conflicts| conflicts.count > 0) {
        let last = conflicts.last_at.as_ref().map(|at| format!(", the last {}", ago(at))).unwrap_or_default();
        let count = counted(conflicts.count, "conflict");
        sentences.push(format!("{count}{last}: `dnsplanectl cluster conflicts` shows what was overwritten or refused"));
    }
    html! {
        @if !sentences.is_empty() {
            section.panel.attention {
                h2 { "Worth a look" }
                ul { @for sentence in &sentences { li { bdi { (clipped(sentence)) } } } }
            }
        }
    }
}

/// A moment: how long ago, and when exactly on hovering.
pub(super) fn moment(time: &str) -> Markup {
    html! { time datetime=(time) title=(time) { (ago(time)) } }
}
