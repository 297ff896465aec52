//! The table of peers: one row each, and below it what is wrong with it.

use super::{
    page::{Tone, moment},
    view::{Cluster, Peer},
    words::{clipped, counted, millis, octets},
};
use maud::{Markup, html};

/// From here on a wrong clock is worth a word.
const SKEW_MATTERS_MS: f64 = 5_000.0;

const COLUMNS: [&str; 7] = ["Peer", "Reachable", "Our writes there", "Content", "Clock", "Last exchange", "Speaks"];

pub(super) fn table(cluster: &Cluster) -> Markup {
    let peers = cluster.peers.as_deref().unwrap_or_default();
    html! {
        section.panel.peers {
            h2 { "Peers" }
            @if peers.is_empty() {
                p.hint { "None. " code { "dnsplanectl cluster peer add HOST:PORT" } " adds one." }
            } @else {
                table {
                    thead { tr { @for column in COLUMNS { th scope="col" { (column) } } } }
                    @for peer in peers { tbody { (row(cluster, peer)) (problems(peer)) } }
                }
            }
        }
    }
}

fn row(cluster: &Cluster, peer: &Peer) -> Markup {
    let cells = [
        Some(name(peer)),
        Some(reachable(peer)),
        writes(cluster, peer),
        content(peer),
        clock(peer),
        exchanged(peer),
        speaks(peer),
    ];
    html! {
        tr.peer {
            @for (column, cell) in COLUMNS.iter().zip(cells) {
                @match cell {
                    Some(cell) => { td data-label=(column) { div { (cell) } } }
                    None => { td.none data-label=(column) { "–" } }
                }
            }
        }
    }
}

fn name(peer: &Peer) -> Markup {
    html! {
        bdi.address { (clipped(&peer.address)) }
        @if peer.source == "srv" { " " span.chip { "SRV" } }
        @if let Some(node_id) = &peer.node_id { br; bdi.hint { (clipped(node_id)) } }
    }
}

fn reachable(peer: &Peer) -> Markup {
    if peer.is_self() {
        return html! { span.hint { "ourselves" } };
    }
    let asked = peer.reachable || peer.last_probe_error.is_some();
    let (tone, text) = match peer.last_probe_rtt_ms {
        _ if !asked => (Tone::Quiet, "not asked yet".to_owned()),
        Some(rtt) if peer.reachable => (Tone::Ok, if rtt < 1.0 { "< 1 ms".to_owned() } else { millis(rtt) }),
        None if peer.reachable => (Tone::Ok, "yes".to_owned()),
        _ => (Tone::Bad, "no".to_owned()),
    };
    html! {
        span class={ "dot " (tone.class()) } {} (text)
        @if let (false, Some(last)) = (peer.reachable, &peer.last_probe_ok) { br; span.hint { "last " (moment(last)) } }
    }
}

/// How far the peer is behind us.
fn writes(cluster: &Cluster, peer: &Peer) -> Option<Markup> {
    let (tone, text) = match (peer.acknowledged_seq, peer.lag_changes) {
        _ if peer.is_self() => return None,
        _ if cluster.replica_only => (Tone::Quiet, "none sent: we are a replica".to_owned()),
        _ if !cluster.written => (Tone::Quiet, "none to send".to_owned()),
        (Some(seq), None | Some(0)) if seq >= cluster.local_seq => (Tone::Ok, "all confirmed".to_owned()),
        (_, Some(lag)) if lag > 0 => (Tone::Warn, format!("{} behind", counted(lag, "change"))),
        (None, None) => (Tone::Quiet, "none confirmed yet".to_owned()),
        _ => (Tone::Warn, "behind".to_owned()),
    };
    let lag = peer.lag_ms.filter(|lag| *lag > 0.0 && tone == Tone::Warn).map(millis);
    Some(html! {
        span class={ "dot " (tone.class()) } {} (text)
        @if let Some(lag) = lag { ", " (lag) }
        @if let Some(seq) = peer.acknowledged_seq { br; span.hint { "up to " (seq) } }
    })
}

fn content(peer: &Peer) -> Option<Markup> {
    let (tone, text) = match peer.hash_equal {
        Some(true) => (Tone::Ok, "same as ours"),
        Some(false) if peer.differs => (Tone::Bad, "differs"),
        Some(false) => (Tone::Warn, "differs"),
        None => return None,
    };
    Some(html! { span class={ "dot " (tone.class()) } {} (text) })
}

fn clock(peer: &Peer) -> Option<Markup> {
    let skew = peer.clock_skew_ms?;
    Some(if skew.abs() > SKEW_MATTERS_MS {
        let side = if skew > 0.0 { "ahead" } else { "behind" };
        html! { span.dot.warn {} (millis(skew.abs())) " " (side) }
    } else {
        html! { @if skew > 0.0 { "+" } (millis(skew)) }
    })
}

/// When records last went either way.
fn exchanged(peer: &Peer) -> Option<Markup> {
    let times =
        [("sent ", &peer.last_outbound_ok), ("received ", &peer.last_inbound_ok), ("pulled ", &peer.last_pull_ok)];
    let lines: Vec<_> =
        times.iter().filter_map(|(how, at)| at.as_ref().map(|at| html! { (how) (moment(at)) })).collect();
    (!lines.is_empty()).then(|| html! { @for line in &lines { div { (line) } } })
}

fn speaks(peer: &Peer) -> Option<Markup> {
    let protocol = match peer.kind.as_deref()? {
        "dnsplane" => "our protocol",
        _ => "the plain protocol",
    };
    let features = peer.features.as_ref().filter(|features| !features.is_empty());
    let traffic = peer.bytes_sent.zip(peer.bytes_received);
    Some(html! {
        (protocol)
        @if let Some(features) = features { br; span.hint { (clipped(&features.join(" "))) } }
        @if let Some((sent, received)) = traffic {
            br; span.hint title="sent, received" { "↑ " (octets(sent)) " ↓ " (octets(received)) }
        }
    })
}

/// What is wrong, a line each; failures stand out from what is merely worth knowing.
fn problems(peer: &Peer) -> Markup {
    let differs = peer.differs.then(|| "it holds other records than we do, and the policy keeps it so".to_owned());
    let pull_repeats = peer.last_pull_error == peer.last_probe_error;
    let push_repeats = peer.last_outbound_error == peer.last_probe_error;
    let told = [
        ("told", "not reachable", &peer.last_probe_error),
        ("told", "push", if push_repeats { &None } else { &peer.last_outbound_error }),
        ("told", "it refused our records", &peer.refused_by_peer),
        ("told", "we refused its records", &peer.last_refusal),
        ("told", "content", &differs),
        ("hint", "pull", if pull_repeats { &None } else { &peer.last_pull_error }),
        ("hint", "note", &peer.note),
    ];
    let told: Vec<_> = told.into_iter().filter_map(|(tone, what, text)| Some((tone, what, text.as_ref()?))).collect();
    html! {
        @if !told.is_empty() {
            tr.problems {
                td colspan=(COLUMNS.len()) {
                    ul { @for (tone, what, text) in told { li class=(tone) { b { (what) ": " } bdi { (clipped(text)) } } } }
                }
            }
        }
    }
}
